//! The newest snapshot, in one file that is replaced by rename.

use super::{LogId, SnapshotMeta};
use crate::disk::Disk;
use crate::log::{LogError, durable};
use crate::planted::{Fault, is_planted};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

#[derive(Clone)]
pub(super) struct SnapshotFile<D: Disk> {
    disk: D,
    path: PathBuf,
    /// What the file reaches to: one that is built here may finish after a newer one was installed, and must not replace it.
    newest: Arc<Mutex<Option<LogId>>>,
}

impl<D: Disk> SnapshotFile<D> {
    pub(super) fn in_dir(disk: D, dir: &Path) -> Self {
        Self { disk, path: dir.join("snapshot"), newest: Arc::default() }
    }

    /// What it covers, and the state as JSON.
    pub(super) async fn read(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, LogError> {
        let Some(mut bytes) = durable::read(&self.disk, &self.path)? else { return Ok(None) };
        let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| self.damaged(0, "its first line is missing"))?;
        let state = bytes.split_off(end + 1);
        let meta: SnapshotMeta = serde_json::from_slice(&bytes[..end]).map_err(|e| self.damaged(0, &e.to_string()))?;
        let mut newest = self.newest.lock().await;
        *newest = newest.max(meta.last_log_id);
        Ok(Some((meta, state)))
    }

    /// Replaces the file, unless it reaches further already.
    pub(super) async fn write(&self, meta: &SnapshotMeta, state: &[u8]) -> std::io::Result<()> {
        let mut newest = self.newest.lock().await;
        if *newest > meta.last_log_id {
            return Ok(());
        }
        let meta_json = serde_json::to_vec(meta)?;
        // The state is large: it is not copied.
        let parts = [&meta_json[..], b"\n", state];
        if is_planted(Fault::SnapshotNotSynced) {
            durable::replace_unsynced(&self.disk, &self.path, &parts)?;
        } else {
            durable::replace(&self.disk, &self.path, &parts).await?;
        }
        *newest = meta.last_log_id;
        Ok(())
    }

    pub(super) fn damaged(&self, offset: u64, why: &str) -> LogError {
        LogError::Damaged { path: self.path.clone(), offset, why: why.to_owned() }
    }
}
