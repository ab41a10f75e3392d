//! A lease that is kept as long as its guard lives, and that says in time when it may not be relied on any more.

mod tenure;

pub use tenure::{Granted, Tenure, Terms};

use crate::client::CoordinatorClient;
use picket_core::coordination::{Answer, Command, LeasePriority};
use picket_core::limits::Violation;
use picket_core::ports::{Coordinator as _, PortError, PortResult};
use picket_core::scope::{FencingToken, Scope};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two questions whether it is this request's turn: well within the time that a place is kept (10 s).
const QUEUE_POLL: Duration = Duration::from_millis(500);
/// Between two attempts to renew that failed.
const RENEW_PAUSE: Duration = Duration::from_millis(200);

/// What to lease.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseOptions {
    /// Sorted, each once, at most 16.
    pub scopes: Vec<Scope>,
    /// 1 s to 1 h. Long enough for the terms: below `clock_jump` nothing could be relied on.
    pub ttl_ms: i64,
    /// What the coordinator promises.
    pub terms: Terms,
}

impl LeaseOptions {
    /// These scopes for a minute, by the coordinator's default terms.
    #[must_use]
    pub fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort();
        scopes.dedup();
        Self { scopes, ttl_ms: 60_000, terms: Terms::default() }
    }
}

/// Why a lease may not be relied on any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// It could not be renewed in time.
    Unconfirmed,
    /// Somebody with precedence waited, and the notice is over.
    Preempted,
    /// The coordinator says that it is not held.
    Refused(Vec<Violation>),
}

#[derive(Clone, Debug)]
struct Standing {
    tenure: Tenure,
    lost: Option<Loss>,
}

/// A lease, renewed in the background. Dropping it gives it back, as well as may be; [`LeaseGuard::release`] does it surely.
///
/// It may be relied on while [`LeaseGuard::is_held`]. The rule, and what it is worth, is told in [`Tenure`]'s module: it counts from when the
/// request was sent, on this machine's monotonic clock, and is over *before* the coordinator lets go. A process that was paused finds the
/// cancellation late, but `is_held` is right as soon as it runs again. Whatever is written under the lease must carry its token.
#[derive(Debug)]
pub struct LeaseGuard {
    client: CoordinatorClient,
    tokens: BTreeMap<Scope, FencingToken>,
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
    renewing: JoinHandle<()>,
    released: bool,
}

impl LeaseGuard {
    /// Takes free scopes.
    ///
    /// # Errors
    /// `Refused` when one of them is held or waited for, or the options are not allowed; otherwise as [`Coordinator::submit`].
    ///
    /// [`Coordinator::submit`]: picket_core::ports::Coordinator::submit
    pub async fn acquire(client: &CoordinatorClient, options: LeaseOptions) -> PortResult<Self> {
        check(&options)?;
        let sent = Instant::now();
        let command = Command::AcquireLease { scopes: options.scopes.clone(), ttl_ms: options.ttl_ms };
        let (tokens, granted) = leased(client.submit_once(command).await?)?;
        Self::hold(client, &options, sent, tokens, granted).await
    }

    /// Lines up and takes the scopes when it is this call's turn. Dropping the future gives the place up (it lapses).
    ///
    /// # Errors
    /// As [`LeaseGuard::acquire`]; a scope that is held only makes it wait.
    pub async fn queue(client: &CoordinatorClient, options: LeaseOptions, priority: LeasePriority) -> PortResult<Self> {
        check(&options)?;
        let request = client.draw_id();
        let command = Command::QueueLease { scopes: options.scopes.clone(), ttl_ms: options.ttl_ms, priority };
        loop {
            match client.submit(request.clone(), command.clone()).await {
                Ok(Answer::Waiting { .. }) => tokio::time::sleep(QUEUE_POLL).await,
                Ok(answer) => {
                    client.is_answered(request);
                    let (tokens, _) = leased(answer)?;
                    // It may have been granted to an earlier question, whose answer was lost: time counts from a renewal.
                    return Self::prolong(client, &options, tokens).await;
                }
                // Whatever became of the question, the next one finds the place or the lease.
                Err(PortError::Timeout { .. } | PortError::Unavailable { .. } | PortError::Full { .. }) => {
                    tokio::time::sleep(QUEUE_POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn prolong(client: &CoordinatorClient, options: &LeaseOptions, tokens: BTreeMap<Scope, FencingToken>) -> PortResult<Self> {
        let sent = Instant::now();
        let Some(renewal) = renewal(&tokens, options.ttl_ms) else { return Err(no_tokens()) };
        let (tokens, granted) = leased(client.submit_once(renewal).await?)?;
        Self::hold(client, options, sent, tokens, granted).await
    }

    async fn hold(
        client: &CoordinatorClient,
        options: &LeaseOptions,
        sent: Instant,
        tokens: BTreeMap<Scope, FencingToken>,
        granted: Granted,
    ) -> PortResult<Self> {
        let tenure = Tenure::begin(options.terms, options.ttl_ms, sent, granted);
        let Some(renewal) = renewal(&tokens, options.ttl_ms) else { return Err(no_tokens()) };
        let (sender, standing) = watch::channel(Standing { tenure, lost: None });
        let stop = CancellationToken::new();
        let keeper = Keeper { client: client.clone(), renewal, standing: sender, stop: stop.clone() };
        let renewing = tokio::spawn(keeper.keep());
        Ok(Self { client: client.clone(), tokens, standing, stop, renewing, released: false })
    }

    /// One per scope: every write under the lease carries its scope's.
    #[must_use]
    pub const fn tokens(&self) -> &BTreeMap<Scope, FencingToken> {
        &self.tokens
    }

    /// Whether it may be relied on now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// For how long it may be relied on if no renewal succeeds.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let standing = self.standing.borrow();
        if standing.lost.is_some() {
            return Duration::ZERO;
        }
        standing.tenure.until().saturating_duration_since(Instant::now())
    }

    /// Somebody with precedence waits: by then the work has to be done, and the lease given back.
    #[must_use]
    pub fn preempt_at(&self) -> Option<Instant> {
        self.standing.borrow().tenure.notice()
    }

    /// Resolves when somebody with precedence waits, or at the end.
    pub async fn noticed(&self) -> Option<Instant> {
        let mut standing = self.standing.clone();
        let told = standing.wait_for(|s| s.lost.is_some() || s.tenure.notice().is_some()).await;
        told.ok().and_then(|s| s.tenure.notice())
    }

    /// Cancelled as soon as the lease may not be relied on any more: hand it to the work.
    #[must_use]
    pub fn cancellation(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Resolves when it may not be relied on any more, and says why.
    pub async fn lost(&self) -> Loss {
        let mut standing = self.standing.clone();
        match standing.wait_for(|s| s.lost.is_some()).await {
            Ok(standing) => standing.lost.clone().unwrap_or(Loss::Unconfirmed),
            Err(_) => Loss::Unconfirmed,
        }
    }

    /// Gives it back, and waits for the answer.
    ///
    /// # Errors
    /// As [`Coordinator::submit`](picket_core::ports::Coordinator::submit); the lease ends by its TTL then.
    pub async fn release(mut self) -> PortResult<()> {
        self.released = true;
        self.end();
        match release(&self.tokens) {
            // Refused: it had ended before.
            Some(command) => self.client.submit_once(command).await.map(|_| ()),
            None => Ok(()),
        }
    }

    fn end(&self) {
        self.renewing.abort();
        self.stop.cancel();
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.end();
        if let (false, Some(command), Ok(runtime)) = (self.released, release(&self.tokens), tokio::runtime::Handle::try_current()) {
            let client = self.client.clone();
            // When it fails, the lease ends by its TTL.
            let _releasing = runtime.spawn(async move { client.submit_once(command).await });
        }
    }
}

/// Renews until it is lost.
struct Keeper {
    client: CoordinatorClient,
    renewal: Command,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
}

impl Keeper {
    async fn keep(self) {
        let loss = loop {
            let (until, renew_at) = {
                let standing = self.standing.borrow();
                (standing.tenure.until(), standing.tenure.renew_at())
            };
            tokio::time::sleep_until(renew_at.min(until).into()).await;
            match tokio::time::timeout_at(until.into(), self.renew()).await {
                Ok(Ok(())) => {}
                Ok(Err(refused)) => break Loss::Refused(refused),
                Err(_) if self.standing.borrow().tenure.notice().is_some() => break Loss::Preempted,
                Err(_) => break Loss::Unconfirmed,
            }
        };
        // Whoever hears of the loss finds the work cancelled already.
        self.stop.cancel();
        self.standing.send_modify(|s| s.lost = Some(loss));
    }

    /// Returns when a renewal has succeeded or was refused.
    async fn renew(&self) -> Result<(), Vec<Violation>> {
        loop {
            let sent = Instant::now();
            match self.client.submit_once(self.renewal.clone()).await {
                Ok(Answer::Leased { expires_at, preempt_at, .. }) => {
                    self.standing.send_modify(|s| s.tenure.confirm(sent, Granted { expires_at, preempt_at }));
                    return Ok(());
                }
                Ok(Answer::Refused { violations }) => return Err(violations),
                Ok(other) => tracing::warn!(?other, "a renewal was answered by something else"),
                Err(error) => tracing::debug!(%error, "a lease was not renewed; trying again"),
            }
            tokio::time::sleep(RENEW_PAUSE).await;
        }
    }
}

fn check(options: &LeaseOptions) -> PortResult<()> {
    if options.terms.reliance(options.ttl_ms).is_zero() {
        let why = format!(
            "a lease of {} ms could never be relied on: leaders' clocks may differ by {} ms",
            options.ttl_ms, options.terms.clock_jump_ms
        );
        return Err(PortError::Refused { what: "the lease".to_owned(), why });
    }
    Ok(())
}

fn leased(answer: Answer) -> PortResult<(BTreeMap<Scope, FencingToken>, Granted)> {
    match answer {
        Answer::Leased { tokens, expires_at, preempt_at } => Ok((tokens, Granted { expires_at, preempt_at })),
        Answer::Refused { violations } => {
            let why = violations.iter().map(|v| v.reason.as_str()).collect::<Vec<_>>().join("; ");
            Err(PortError::Refused { what: "the lease".to_owned(), why })
        }
        other => Err(PortError::Damaged { what: "the answer to a lease".to_owned(), why: format!("{other:?}") }),
    }
}

fn no_tokens() -> PortError {
    PortError::Damaged { what: "the answer to a lease".to_owned(), why: "it has no tokens".to_owned() }
}

/// Any scope names the whole lease.
fn renewal(tokens: &BTreeMap<Scope, FencingToken>, ttl_ms: i64) -> Option<Command> {
    tokens.iter().next().map(|(scope, token)| Command::RenewLease { scope: scope.clone(), token: *token, ttl_ms })
}

fn release(tokens: &BTreeMap<Scope, FencingToken>) -> Option<Command> {
    tokens.iter().next().map(|(scope, token)| Command::ReleaseLease { scope: scope.clone(), token: *token })
}
