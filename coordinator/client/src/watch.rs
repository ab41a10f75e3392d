//! The ledger's changes, one after the other, across restarts and changes of leader.

use picket_core::coordination::LedgerChange;
use picket_core::ports::{Coordinator, PortError, PortResult};
use std::collections::VecDeque;
use std::time::Duration;

/// How long a node may keep a question open while nothing changes.
const WAIT_MS: u64 = 20_000;
/// After a question that failed.
const PAUSE: Duration = Duration::from_millis(250);

/// What a watcher sees next.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// The change after the one before: no revision is left out, none comes twice.
    Change(Box<LedgerChange>),
    /// Changes in between are not kept any more: read the whole ledger *now*; the changes that follow begin after this revision, so what was
    /// read may be told again.
    Compacted {
        /// The watch goes on from here.
        revision: u64,
    },
}

/// A watch of the ledger. It can be resumed from any revision, by whoever kept it.
#[derive(Debug)]
pub struct LedgerWatch<C> {
    coordinator: C,
    revision: u64,
    pending: VecDeque<LedgerChange>,
    failing: bool,
}

impl<C: Coordinator> LedgerWatch<C> {
    /// Everything after `revision`; 0 is the beginning.
    pub const fn after(coordinator: C, revision: u64) -> Self {
        Self { coordinator, revision, pending: VecDeque::new(), failing: false }
    }

    /// Everything up to here was given out: where to resume.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The next event; waits for it as long as it takes, also while nobody leads. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When trying again cannot help: the caller is refused, or an answer has a gap (`Damaged`).
    pub async fn next(&mut self) -> PortResult<WatchEvent> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                if change.revision != self.revision + 1 {
                    let why = format!("revision {} follows {}", change.revision, self.revision);
                    self.pending.clear();
                    return Err(PortError::Damaged { what: "the ledger's watch".to_owned(), why });
                }
                self.revision = change.revision;
                return Ok(WatchEvent::Change(Box::new(change)));
            }
            match self.coordinator.watch(self.revision, WAIT_MS).await {
                Ok(page) if page.compacted => {
                    self.failing = false;
                    self.revision = page.revision;
                    return Ok(WatchEvent::Compacted { revision: page.revision });
                }
                Ok(page) => {
                    self.failing = false;
                    self.pending = page.changes.into();
                }
                Err(error @ (PortError::Unavailable { .. } | PortError::Timeout { .. } | PortError::Full { .. })) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!(%error, revision = self.revision, "the ledger's watch is interrupted; it goes on where it was");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
