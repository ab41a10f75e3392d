//! The files that a node begins with when its group does not begin with an empty state.

use super::machine::founding_settings;
use super::snapshot_file::SnapshotFile;
use super::{LogId, Membership, SnapshotMeta, StoredMembership};
use crate::disk::Disk;
use crate::log::LogError;
use openraft::BasicNode;
use picket_state_machine::{Settings, State};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes the settings, and a snapshot with this state and one voter. It stands where the first membership of a new group stands in its
/// log, before any election: the node elects itself, and everything that it writes comes after.
///
/// # Errors
/// What the disk says.
pub async fn write(disk: &impl Disk, dir: &Path, settings: &Settings, state: &State, id: u64, address: &str) -> Result<(), LogError> {
    founding_settings(disk, dir, settings).await?;
    let voter = BTreeMap::from([(id, BasicNode::new(address))]);
    let membership = Membership::new(vec![[id].into()], voter).map_err(|e| LogError::io(dir)(std::io::Error::other(e.to_string())))?;
    let first = LogId::new_term_index(0, 0);
    let meta = SnapshotMeta { last_log_id: Some(first), last_membership: StoredMembership::new(Some(first), membership) };
    let json = serde_json::to_vec(state).map_err(|e| LogError::io(dir)(e.into()))?;
    SnapshotFile::in_dir(disk.clone(), dir).write(&meta, &json).await.map_err(LogError::io(dir))
}
