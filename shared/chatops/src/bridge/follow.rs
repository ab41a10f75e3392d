//! Follows the ledger and hands every lane what it may have to tell.

use super::board::Board;
use super::decide::{decide, decide_gone};
use super::lane::Lane;
use super::pending::{Item, Subject};
use super::seen::Store;
use crate::Clock;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::ports::{Coordinator, PortError, PortResult};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Ended entries that a whole reading of the ledger brings.
const SETTLED_MAX: usize = 1000;
/// Longest wait for a change, and with STOP set or after an overflow the pause between two whole readings.
const WATCH_MS: u64 = 5000;
/// Over and above the wait for a change: one call of the coordinator.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// The follower.
pub struct Follower<C> {
    coordinator: C,
    board: Arc<Board>,
    store: Arc<Store>,
    lanes: Vec<Arc<Lane>>,
    clock: Clock,
    watch_ms: u64,
    revision: u64,
    whole: bool,
}

impl<C: Coordinator> Follower<C> {
    /// Follows from the whole ledger on. `coordinator`: as whom the ledger may be read.
    #[must_use]
    pub fn new(coordinator: C, board: Arc<Board>, store: Arc<Store>, lanes: Vec<Arc<Lane>>, clock: Clock) -> Self {
        Self { coordinator, board, store, lanes, clock, watch_ms: WATCH_MS, revision: 0, whole: true }
    }

    /// Waits at most so long for a change.
    #[must_use]
    pub fn watching_ms(self, watch_ms: u64) -> Self {
        Self { watch_ms, ..self }
    }

    /// One round: hears what changed, and puts it where it must be told. Nothing is lost when it fails: the next round hears it again.
    ///
    /// # Errors
    /// When the coordinator is away.
    pub async fn step(&mut self) -> PortResult<()> {
        // At the first round nothing is waited for: what is open must be told now.
        let wait_ms = if self.revision == 0 { 0 } else { self.watch_ms };
        let page = in_time(wait_ms, "watch", self.coordinator.watch(self.revision, wait_ms)).await?;
        // Not `any`: every lane must be asked, for asking resets it.
        let overflowed = self.lanes.iter().filter(|lane| lane.wants_whole_ledger()).count() > 0;
        self.whole |= page.compacted || overflowed;
        // Of what was open before the reading begins: what is told meanwhile is of entries that are there.
        let open: BTreeSet<EntryId> = if self.whole { self.store.look(|seen| seen.ids().cloned().collect()) } else { BTreeSet::new() };
        let entries: Vec<LedgerEntry> = if self.whole {
            in_time(0, "entries", self.coordinator.entries(SETTLED_MAX)).await?
        } else {
            page.changes.into_iter().map(|change| change.entry).collect()
        };
        // Read after the entries: an entry of before a later STOP is cancelled by it, and a yes to it is void whatever epoch it names. The
        // other way round, a question of after a STOP would carry the epoch of before it, and no yes would ever count.
        let asks = entries.iter().any(|entry| entry.state == EntryState::AwaitingApproval);
        let stop = if asks { Some(in_time(0, "status", self.coordinator.status()).await?.stop) } else { None };
        let stop_epoch = stop.as_ref().map_or(0, |stop| stop.epoch);
        let is_stopped = stop.is_some_and(|stop| stop.set);
        let gone: Vec<_> = open.into_iter().filter(|id| !entries.iter().any(|entry| entry.id == *id)).collect();
        let mut held_back = false;
        for entry in entries {
            if !self.board.note(&entry) {
                continue;
            }
            // STOP cancels it in a moment; should it stand afterwards, the next whole reading brings it with the epoch that counts then.
            if is_stopped && entry.state == EntryState::AwaitingApproval {
                held_back = true;
                continue;
            }
            self.hand_out(Subject::Entry(Box::new(entry)), stop_epoch);
        }
        for id in gone {
            self.hand_out(Subject::Gone(id), stop_epoch);
        }
        (self.revision, self.whole) = (page.revision, held_back);
        Ok(())
    }

    fn hand_out(&self, subject: Subject, stop_epoch: u64) {
        for lane in &self.lanes {
            // In this order: what a worker has said is noted before its hand is empty again.
            let is_known = lane.has(subject.id());
            let needs = is_known
                || self
                    .store
                    .look(|seen| match &subject {
                        Subject::Entry(entry) => decide(seen, entry, (self.clock)()),
                        Subject::Gone(id) => decide_gone(seen, id),
                    })
                    .iter()
                    .any(|out| out.channel == lane.channel());
            if needs {
                lane.put(Item { subject: subject.clone(), stop_epoch, due: None });
            }
        }
    }
}

async fn in_time<T>(wait_ms: u64, what: &str, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    let deadline = CALL_DEADLINE + Duration::from_millis(wait_ms);
    tokio::time::timeout(deadline, call).await.unwrap_or_else(|_| Err(PortError::Timeout { what: format!("the coordinator's {what}") }))
}
