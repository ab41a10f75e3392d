//! The audit log in memory: gone with the process, so good for tests and virtual time only.

use picket_core::audit::{AuditEntry, AuditRecord, genesis};
use picket_core::ports::{AuditLog, PortError, PortResult};
use std::sync::{Arc, Mutex};

/// A hash-chained audit log in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct InMemoryAuditLog {
    records: Arc<Mutex<Vec<AuditRecord>>>,
}

impl AuditLog for InMemoryAuditLog {
    async fn append(&self, entry: AuditEntry) -> PortResult<AuditRecord> {
        let mut records = self.records.lock().map_err(|_| poisoned())?;
        let prev = records.last().map_or_else(genesis, |last| last.hash.clone());
        let record = AuditRecord::link(records.len() as u64 + 1, prev, entry);
        records.push(record.clone());
        Ok(record)
    }

    async fn read(&self, from_seq: u64, max: usize) -> PortResult<Vec<AuditRecord>> {
        let records = self.records.lock().map_err(|_| poisoned())?;
        let from = usize::try_from(from_seq.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(records.iter().skip(from).take(max).cloned().collect())
    }
}

fn poisoned() -> PortError {
    PortError::Damaged { what: "the audit log in memory".to_owned(), why: "a writer panicked".to_owned() }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn conforms() {
        crate::conformance::audit_log(&super::InMemoryAuditLog::default()).await;
    }
}
