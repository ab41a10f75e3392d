//! The newest snapshot, in one file that is replaced by rename.

use super::{LogId, SnapshotMeta};
use crate::log::{LogError, durable};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    path: PathBuf,
    /// What the file reaches to: one that is built here may finish after a newer one was installed, and must not replace it.
    newest: Arc<Mutex<Option<LogId>>>,
}

impl SnapshotFile {
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("snapshot"), newest: Arc::default() }
    }

    /// What it covers, and the state as JSON.
    pub(super) fn read(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, LogError> {
        let Some(mut bytes) = durable::read(&self.path)? else { return Ok(None) };
        let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| self.damaged(0, "its first line is missing"))?;
        let state = bytes.split_off(end + 1);
        let meta: SnapshotMeta = serde_json::from_slice(&bytes[..end]).map_err(|e| self.damaged(0, &e.to_string()))?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = newest.max(meta.last_log_id);
        Ok(Some((meta, state)))
    }

    /// Replaces the file, unless it reaches further already.
    pub(super) fn write(&self, meta: &SnapshotMeta, state: &[u8]) -> std::io::Result<()> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if *newest > meta.last_log_id {
            return Ok(());
        }
        let mut bytes = serde_json::to_vec(meta)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(state);
        durable::replace(&self.path, &bytes)?;
        *newest = meta.last_log_id;
        Ok(())
    }

    pub(super) fn damaged(&self, offset: u64, why: &str) -> LogError {
        LogError::Damaged { path: self.path.clone(), offset, why: why.to_owned() }
    }
}
