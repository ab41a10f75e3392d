//! The ledger as last heard: the newest word on every entry, of those that are over the latest alone.

use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{PoisonError, RwLock};

/// Entries that are over and still known: what a late press is explained by.
const OVER_MAX: usize = 2048;
/// Entries in all; the coordinator keeps far fewer open.
const ENTRIES_MAX: usize = 8192;

/// Shared by the bridge, which writes, and the presses, which read.
#[derive(Debug, Default)]
pub struct Board(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    known: BTreeMap<EntryId, LedgerEntry>,
    over: VecDeque<EntryId>,
}

impl Board {
    /// Takes an entry in; false when a later word on it is known already. An entry only ever gains states, so the longer history is the later.
    pub fn note(&self, entry: &LedgerEntry) -> bool {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = entries.known.get(&entry.id).map(|known| (known.history.len(), known.state.is_terminal()));
        if before.is_some_and(|(states, _)| states > entry.history.len()) {
            return false;
        }
        if entry.state.is_terminal() && !before.is_some_and(|(_, over)| over) {
            entries.over.push_back(entry.id.clone());
        }
        entries.known.insert(entry.id.clone(), entry.clone());
        while entries.over.len() > OVER_MAX || (entries.known.len() > ENTRIES_MAX && !entries.over.is_empty()) {
            if let Some(oldest) = entries.over.pop_front() {
                entries.known.remove(&oldest);
            }
        }
        true
    }

    /// The newest word on an entry.
    #[must_use]
    pub fn get(&self, id: &EntryId) -> Option<LedgerEntry> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.get(id).cloned()
    }
}
