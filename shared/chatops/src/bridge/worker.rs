//! Carries one lane out: says what is to be said, notes what was said, and waits when the channel is down.

use super::decide::{Outgoing, Say, decide, decide_gone};
use super::lane::{Deliver, Lane};
use super::pending::{Item, Subject};
use super::seen::Store;
use crate::Clock;
use crate::retry::Backoff;
use picket_core::ports::{PortError, PortResult};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One channel at work.
pub struct Worker<D> {
    /// Says it.
    pub deliver: D,
    /// What is to be said.
    pub lane: Arc<Lane>,
    /// What was said.
    pub store: Arc<Store>,
    /// Run clock.
    pub clock: Clock,
    /// Waits between tries while the channel is down.
    pub pauses: Pauses,
}

/// How long a channel that is down, and a message that is refused, are left alone.
#[derive(Copy, Clone, Debug)]
pub struct Pauses {
    /// While the channel is down.
    pub down: Backoff,
    /// Before a question is put again that the channel refused.
    pub refused: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { down: Backoff { base_ms: 1000, cap_ms: 30_000, attempts: u32::MAX }, refused: Duration::from_secs(60) }
    }
}

/// Longest wait that a channel is granted when it asks for one.
const ASKED_MAX_MS: u64 = 10 * 60_000;
/// Things said of one entry in a row: the longest way is `AskedAgain`, `Ask`.
const SAID_MAX: usize = 4;

/// What a failure means for the item in hand.
enum Failed {
    /// The channel is down.
    Down(PortError),
    /// The channel will not take this question as it is.
    Refused(PortError),
}

impl<D: Deliver> Worker<D> {
    /// Works until it is dropped.
    pub async fn run(self) {
        let mut failures = 0_u32;
        loop {
            let item = self.lane.take().await;
            let channel = self.lane.channel().as_str();
            match self.tell(&item).await {
                Ok(()) => {
                    failures = 0;
                    self.lane.done(None);
                }
                Err(Failed::Refused(error)) => {
                    tracing::error!(channel, entry = %item.subject.id(), %error, "a channel refused what a person must hear; it is tried again");
                    self.lane.done(Some(Item { due: Some(Instant::now() + self.pauses.refused), ..item }));
                }
                Err(Failed::Down(error)) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(channel, entry = %item.subject.id(), %error, failures, "a channel is down; it is tried again");
                    self.lane.done(Some(item));
                    tokio::time::sleep(Duration::from_millis(self.pause_ms(&error, failures))).await;
                }
            }
        }
    }

    fn pause_ms(&self, error: &PortError, failures: u32) -> u64 {
        let own = self.pauses.down.wait_ms(failures, None, rand::random()).unwrap_or(self.pauses.down.cap_ms);
        match error {
            PortError::Full { retry_after_ms, .. } => own.max((*retry_after_ms).min(ASKED_MAX_MS)),
            _ => own,
        }
    }

    async fn tell(&self, item: &Item) -> Result<(), Failed> {
        for _ in 0..SAID_MAX {
            let Some(next) = self.next(&item.subject) else { return Ok(()) };
            let post = self.store.look(|seen| seen.of(&next.entry).and_then(|s| s.told(next.channel)?.post.clone()));
            let said = self.deliver.say(next.say, &item.subject, item.stop_epoch, post.as_ref()).await;
            let (result, post) = match said {
                Ok(post) => ("sent", post),
                Err(error @ (PortError::Unavailable { .. } | PortError::Full { .. } | PortError::Timeout { .. })) => {
                    self.count(next.say, "down");
                    return Err(Failed::Down(error));
                }
                Err(error) if matches!(next.say, Say::Ask | Say::Page | Say::Raise) => {
                    self.count(next.say, "refused");
                    return Err(Failed::Refused(error));
                }
                Err(error) => {
                    let channel = self.lane.channel().as_str();
                    tracing::error!(channel, entry = %next.entry, say = next.say.as_str(), %error, "a channel refused news; they are left out");
                    ("refused", post)
                }
            };
            self.count(next.say, result);
            self.note(&next, &item.subject, post);
        }
        Ok(())
    }

    fn next(&self, subject: &Subject) -> Option<Outgoing> {
        let all = self.store.look(|seen| match subject {
            Subject::Entry(entry) => decide(seen, entry, (self.clock)()),
            Subject::Gone(id) => decide_gone(seen, id),
        });
        all.into_iter().find(|out| out.channel == self.lane.channel())
    }

    fn note(&self, said: &Outgoing, subject: &Subject, post: Option<crate::slack::client::PostRef>) {
        let noted: PortResult<()> = self.store.note(said, subject.entry(), post);
        if let Err(error) = noted {
            tracing::error!(%error, "what was sent is not written down: after a restart it would be sent once more");
            metrics::counter!("picket_chatops_unnoted_total").increment(1);
        }
    }

    fn count(&self, say: Say, result: &'static str) {
        let channel = self.lane.channel().as_str();
        metrics::counter!("picket_chatops_sent_total", "channel" => channel, "say" => say.as_str(), "result" => result).increment(1);
    }
}
