//! What `prepare` has left where others see it (a request for review), taken back when its act will not be done.

use super::Actuator;
use picket_core::action::Digest;
use picket_core::coordination::{CoordinatorStatus, LedgerEntry};
use picket_core::ledger::EntryState;
use picket_core::ports::{AuditLog, Coordinator, Journal, OuterLock, PortError, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use std::collections::VecDeque;

/// Works that are remembered: many more than may be open at once.
const MADE_READY_MAX: usize = 64;
/// Times that taking one back is tried, before it is left to people, who see it.
const TRIES_MAX: u32 = 10;
/// Pause after a failure: what is away must not slow every step down.
const PAUSE_MS: i64 = 30_000;

/// By the works' digests: the same work that is proposed anew takes up what an earlier entry had made ready.
#[derive(Debug, Default)]
pub(super) struct Abandoning {
    /// Made ready and not claimed, oldest first.
    made_ready: VecDeque<(Digest, Work)>,
    /// Heard of in this step, whose reading of the coordinator may be older than a STOP: it is for the next.
    heard: Vec<(Digest, Work)>,
    due: VecDeque<(Digest, Work, u32)>,
    not_before: Option<Timestamp>,
}

impl Abandoning {
    /// `prepare` is tried for it.
    pub(super) fn made_ready(&mut self, digest: &Digest, work: &Work) {
        self.forget(digest);
        self.heard.retain(|(known, _)| known != digest);
        self.due.retain(|(known, ..)| known != digest);
        if self.made_ready.len() >= MADE_READY_MAX {
            self.made_ready.pop_front();
        }
        self.made_ready.push_back((digest.clone(), work.clone()));
    }

    /// It is claimed: what was made ready is used.
    pub(super) fn forget(&mut self, digest: &Digest) {
        self.made_ready.retain(|(known, _)| known != digest);
    }

    fn cancelled(&mut self, digest: &Digest) {
        if let Some(at) = self.made_ready.iter().position(|(known, _)| known == digest) {
            self.heard.extend(self.made_ready.remove(at));
        }
    }

    /// A new step begins.
    pub(super) fn turn(&mut self) {
        self.due.extend(self.heard.drain(..).map(|(digest, work)| (digest, work, 0)));
    }
}

impl<C: Coordinator, X: RemediationExecutor, A: AuditLog, J: Journal, L: OuterLock> Actuator<C, X, A, J, L> {
    /// Notes that an entry is cancelled. (One that has only expired is proposed anew while its trouble lasts.)
    pub(super) fn note_end(&mut self, entry: &LedgerEntry) {
        let is_wanted = self.permits.values().any(|wanted| wanted.permit.body.digest == entry.digest);
        if entry.state == EntryState::Cancelled && !is_wanted {
            self.abandoning.cancelled(&entry.digest);
        }
    }

    /// Takes one back, when nothing is more urgent. What fails is told, and fails no step.
    pub(super) async fn abandon_one(&mut self, status: &CoordinatorStatus, clock: &(dyn Fn() -> Timestamp + Send + Sync)) {
        let waits = status.stop.fences_missing.contains(&self.settings.cluster)
            || self.abandoning.not_before.is_some_and(|not_before| clock() < not_before);
        if waits {
            return;
        }
        let Some((digest, work, tries)) = self.abandoning.due.pop_front() else { return };
        match self.ports.executor.abandon(&work).await {
            Ok(()) => self.abandoning.not_before = None,
            Err(PortError::Unavailable { .. } | PortError::Timeout { .. }) if tries + 1 < TRIES_MAX => {
                self.abandoning.not_before = Some(clock().plus_ms(PAUSE_MS));
                self.abandoning.due.push_back((digest, work, tries + 1));
            }
            Err(error) => {
                tracing::warn!(%error, %digest, "what was made ready for an act that was cancelled is left: a person must close it");
            }
        }
    }
}
