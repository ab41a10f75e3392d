//! What was claimed stays in the journal until a backup of the ledger covers it: after a restore it is all that is known of the time since
//! (docs/decisions/0009).

use super::Actuator;
use picket_core::coordination::{Answer, Command, CoordinatorStatus};
use picket_core::ids::EntryId;
use picket_core::ports::{AuditLog, Coordinator, Journal, JournalEntry, OuterLock, PortError, PortResult, RemediationExecutor};
use picket_core::restore::JournaledAct;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// Acts in one page of an upload, and their JSON together: below what the coordinator takes in one request.
const PAGE_ACTS_MAX: usize = 64;
const PAGE_BYTES_MAX: usize = 512 << 10;

/// What is over, oldest first.
#[derive(Debug)]
pub(super) struct Kept {
    entries: BTreeMap<EntryId, KeptEntry>,
    /// Uploads that were begun: each page is a request of its own.
    uploads: u64,
}

#[derive(Debug)]
struct KeptEntry {
    at: Timestamp,
    /// The ledger holds its end up to this revision; `None` until the ledger was looked at again after it.
    revision: Option<u64>,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), uploads: 0 }
    }

    pub(super) fn add(&mut self, journal: &JournalEntry) {
        self.entries.insert(journal.entry().clone(), KeptEntry { at: journal.at, revision: None });
    }

    pub(super) fn contains(&self, entry: &EntryId) -> bool {
        self.entries.contains_key(entry)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// What need not be kept: a backup covers it, it is too old, or there is too much of it.
    fn take_covered(&mut self, status: &CoordinatorStatus, age_ms: i64, entries_max: usize) -> Vec<EntryId> {
        for kept in self.entries.values_mut() {
            kept.revision.get_or_insert(status.revision);
        }
        let is_done = |kept: &KeptEntry| {
            kept.revision.is_some_and(|revision| revision <= status.backup_revision) || status.now.since_ms(kept.at) > age_ms
        };
        let mut done: Vec<EntryId> = self.entries.iter().filter(|(_, kept)| is_done(kept)).map(|(id, _)| id.clone()).collect();
        let too_many = (self.entries.len() - done.len()).saturating_sub(entries_max);
        let mut left: Vec<_> = self.entries.iter().filter(|(_, kept)| !is_done(kept)).map(|(id, kept)| (kept.at, id.clone())).collect();
        left.sort();
        done.extend(left.into_iter().take(too_many).map(|(_, id)| id));
        for id in &done {
            self.entries.remove(id);
        }
        done
    }
}

/// At least one page: an empty journal says so.
fn pages(acts: impl Iterator<Item = JournaledAct>) -> Vec<Vec<JournaledAct>> {
    let mut pages = vec![Vec::new()];
    let mut bytes = 0;
    for act in acts {
        let size = serde_json::to_vec(&act).map_or(0, |json| json.len());
        let page = pages.last().map_or(0, Vec::len);
        if page > 0 && (page >= PAGE_ACTS_MAX || bytes + size > PAGE_BYTES_MAX) {
            pages.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(page) = pages.last_mut() {
            page.push(act);
        }
    }
    pages
}

impl<C: Coordinator, X: RemediationExecutor, A: AuditLog, J: Journal, L: OuterLock> Actuator<C, X, A, J, L> {
    pub(super) async fn forget_covered(&mut self, status: &CoordinatorStatus) -> PortResult<()> {
        // A restored coordinator has not heard of what is kept here.
        if status.restore.is_some() {
            return Ok(());
        }
        for entry in self.kept.take_covered(status, self.settings.journal_age_ms, self.settings.journal_entries_max) {
            self.ports.journal.forget(&entry).await?;
        }
        Ok(())
    }

    /// After a restore: everything that the journal holds, once all of it is proven [M13].
    pub(super) async fn upload_when_asked(&mut self, status: &CoordinatorStatus, epoch: u64) -> PortResult<()> {
        let asked = status.restore.as_ref().is_some_and(|restore| restore.journals_missing.contains(&self.settings.cluster));
        if !asked {
            return Ok(());
        }
        let pages = pages(self.ports.journal.open_entries().await?.into_iter().map(JournaledAct::from));
        self.kept.uploads += 1;
        let last = pages.len().saturating_sub(1);
        for (page, acts) in pages.into_iter().enumerate() {
            let id = format!("journal-{}-{epoch}-{}-{page}", self.settings.cluster, self.kept.uploads);
            let command = Command::UploadJournal { actuator_epoch: epoch, acts, last: page == last };
            if let Answer::Refused { violations } = self.ports.coordinator.submit(id.into(), command).await? {
                return Err(PortError::Refused { what: "journal".into(), why: format!("{violations:?}") });
            }
        }
        Ok(())
    }
}
