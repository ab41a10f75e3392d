//! A caller: retries under the same request id, on whichever node answers, until its deadline.

use crate::executor;
use crate::history::{Asked, Ended, digest_of};
use crate::host::Node;
use crate::network::{CallFailed, call};
use crate::world::World;
use picket_coordinator::api::error::Problem;
use picket_coordinator::api::{reads, writes};
use picket_coordinator::raft::Written;
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerEntry, Request, WatchPage};
use picket_core::ids::{Principal, RequestId};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// From outside.
const OUTSIDE: u64 = 0;
/// A caller gives up after this. Far below the retention of request ids, whatever the clocks do.
const DEADLINE_MS: u64 = 15_000;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Whether it happened nobody knows.
    InTime,
    /// The request is wrong, whoever is asked.
    Refused(String),
}

/// One caller with one identity.
pub struct Client {
    world: Arc<World>,
    principal: Principal,
    name: String,
    /// Its own draws.
    pub rng: ChaCha8Rng,
    asked: u64,
    preferred: u64,
}

impl Client {
    /// `name` must be its own: it is part of its request ids.
    #[must_use]
    pub fn new(world: &Arc<World>, principal: Principal, name: &str, seed: u64) -> Self {
        Self { world: world.clone(), principal, name: name.to_owned(), rng: ChaCha8Rng::seed_from_u64(seed), asked: 0, preferred: 1 }
    }

    /// The run.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Part of its request ids.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits between the two, in virtual time.
    pub async fn pause(&mut self, ms_min: u64, ms_max: u64) {
        let ms = self.rng.random_range(ms_min..=ms_max);
        executor::sleep_ms(ms).await;
    }

    /// Asks that node first.
    pub const fn prefer(&mut self, id: u64) {
        self.preferred = id;
    }

    fn next_node(&mut self) {
        let nodes = self.world.ids();
        self.preferred = nodes[self.rng.random_range(0..nodes.len())];
    }

    /// Asks until there is an answer or the deadline has passed.
    async fn persist<Q, A, F>(
        &mut self,
        name: &'static str,
        question: Q,
        handle: impl Fn(Arc<Node>, Q) -> F + Clone + Send + 'static,
    ) -> Result<A, NoAnswer>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
        F: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        let until = executor::elapsed_ms() + DEADLINE_MS;
        loop {
            let left = until.saturating_sub(executor::elapsed_ms());
            if left == 0 {
                return Err(NoAnswer::InTime);
            }
            let attempt = Duration::from_millis(left.min(self.rng.random_range(1_500..6_000)));
            let (world, node) = (self.world.clone(), self.preferred);
            match call(&world, OUTSIDE, node, name, question.clone(), attempt, handle.clone()).await {
                Ok(Ok(answer)) => return Ok(answer),
                // Wrong whoever is asked: the answer will not change.
                Ok(Err(problem)) if (400..429).contains(&problem.status) => {
                    return Err(NoAnswer::Refused(format!("{}: {}", problem.what, problem.why)));
                }
                Ok(Err(_)) | Err(CallFailed::Refused | CallFailed::Timeout) => {}
            }
            self.next_node();
            self.pause(20, 300).await;
        }
    }

    /// A command, under a new request id.
    pub async fn submit(&mut self, command: Command) -> Option<Answer> {
        self.asked += 1;
        let request_id = RequestId(format!("{}-{}", self.name, self.asked));
        self.submit_as(request_id, command).await.ok()
    }

    /// A command, under that request id.
    pub async fn submit_as(&mut self, request_id: RequestId, command: Command) -> Result<Answer, NoAnswer> {
        let principal = self.principal.clone();
        let asked = Asked::Submit { principal: principal.clone(), request_id: request_id.clone() };
        let number = self.world.history().begin(asked);
        self.world.trace(format_args!("{principal} asks {request_id} {command:?}"));
        let question = (principal.clone(), Request { request_id: request_id.clone(), command });
        let handle = |node: Arc<Node>, (principal, request)| async move {
            let written = Written::new(&request).map_err(|e| Problem::bad_request("submit", e.to_string()))?;
            writes::submit(&node, principal, written).await
        };
        let answer = self.persist("submit", question, handle).await;
        self.world.trace(format_args!("{principal} hears {request_id} {answer:?}"));
        let ended = answer.clone().map_or(Ended::Unknown, |a| Ended::Answered(Box::new(a)));
        self.world.history().end(number, ended);
        answer
    }

    /// A linearizable look at the status, as the route does it.
    pub async fn status(&mut self) -> Result<CoordinatorStatus, NoAnswer> {
        let number = self.world.history().begin(Asked::Status);
        let handle = |node: Arc<Node>, ()| async move {
            reads::linearize(&node, "status").await?;
            Ok(node.machine.read_at(|state, last| (state.status(), last.map_or(0, |l| l.index))))
        };
        let seen = self.persist("status", (), handle).await;
        let ended = seen.as_ref().map_or(Ended::Unknown, |(status, index)| Ended::Seen { index: *index, digest: digest_of(status) });
        self.world.history().end(number, ended);
        seen.map(|(status, _)| status)
    }

    /// The open entries, and the newest of the ended.
    pub async fn entries(&mut self, settled_max: usize) -> Result<Vec<LedgerEntry>, NoAnswer> {
        let number = self.world.history().begin(Asked::Entries(settled_max));
        let handle = move |node: Arc<Node>, ()| async move {
            reads::linearize(&node, "entries").await?;
            Ok(node.machine.read_at(|state, last| (state.entries(settled_max), last.map_or(0, |l| l.index))))
        };
        let seen = self.persist("entries", (), handle).await;
        let ended = seen.as_ref().map_or(Ended::Unknown, |(entries, index)| Ended::Seen { index: *index, digest: digest_of(entries) });
        self.world.history().end(number, ended);
        seen.map(|(entries, _)| entries)
    }

    /// Changes after a revision.
    pub async fn watch(&mut self, revision: u64, wait_ms: u64) -> Result<WatchPage, NoAnswer> {
        let principal = self.principal.clone();
        let handle = move |node: Arc<Node>, principal: Principal| async move {
            reads::watch(&node, &principal, revision, Duration::from_millis(wait_ms)).await
        };
        let page = self.persist("watch", principal, handle).await?;
        self.world.history().watched(revision, &page);
        Ok(page)
    }
}
