//! A new group of one node, from a backup.

use super::{Backup, BackupError};
use crate::disk::Files;
use crate::log::LogError;
use crate::pki::{self, PkiError};
use crate::raft::addresses::Address;
use crate::raft::founding;
use futures::executor::block_on;
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use picket_state_machine::{RestoreError, RestoreOrder, Settings, State};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

/// What the new group is to be.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its first node.
    pub id: u64,
    /// `host:port` where others will reach that node.
    pub address: String,
    /// That node's folder: empty, or not there yet.
    pub data_dir: PathBuf,
    /// Certificates. When the permit-signing key in it is that of the lost group, it is replaced.
    pub pki_dir: PathBuf,
    /// Of the configuration: what nodes that join must have, too. The limits in force are the backup's.
    pub settings: Settings,
    /// The person who answers for it.
    pub by: Principal,
    /// The life's number; one above the backup's when nothing is said. It must be above that of every life of this coordinator.
    pub restore_epoch: Option<u64>,
    /// The cluster that the backup is of, said by name because its CA is another than the one in `pki_dir`.
    pub from_cluster: Option<String>,
    /// The time now.
    pub at: Timestamp,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Founded {
    /// The first node.
    pub node: u64,
    /// The new life.
    pub restore_epoch: u64,
    /// Everything up to here was in the backup.
    pub backup_revision: u64,
    /// Nodes of the lost group: their ids are not used again.
    pub lost_nodes: Vec<u64>,
    /// A new permit-signing key was made: `permit-verify.pub` must go to every actuator before it starts again.
    pub is_permit_key_new: bool,
}

/// Why no group was founded. Nothing is left behind then, a new permit key apart.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The state machine.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The new node's files.
    #[error(transparent)]
    Files(#[from] LogError),
    /// The order contradicts the backup or what is there already.
    #[error("{0}")]
    Order(String),
}

/// Founds it: afterwards the node is started as any other.
///
/// # Errors
/// [`FoundError`] says why not, and what to do.
pub fn found(backup: Backup, group: &NewGroup) -> Result<Founded, FoundError> {
    let wrong = |why: String| Err(FoundError::Order(why));
    let Backup { head, state } = backup;
    group.address.parse::<Address>().map_err(|why| FoundError::Order(format!("node {}: {why}", group.id)))?;
    if holds_something(&group.data_dir)? {
        let dir = group.data_dir.display();
        return wrong(format!("{dir} is not empty: a node's data is never overwritten; name an empty folder, or move it away"));
    }
    let ca = read_ca(group)?;
    let cluster_id = pki::cluster_id(&ca)?;
    let is_same_ca = cluster_id == head.cluster_id;
    if !is_same_ca && group.from_cluster.as_deref() != Some(&head.cluster_id) {
        return wrong(format!(
            "the backup is of cluster {}, and the CA in {} makes this cluster {cluster_id}: if you mean to restore it here, name the backup's cluster",
            head.cluster_id,
            group.pki_dir.display()
        ));
    }
    let state: State = serde_json::from_slice(&state).map_err(|e| {
        let why = format!("its state is of another version of picket ({e}): use the picket that wrote it");
        BackupError::Foreign { path: PathBuf::from("the backup"), why }
    })?;
    if state.settings().demonstration != pki::is_demonstration(&ca)? {
        return wrong("one of backup and CA is for demonstrations and the other is not: they do not go together".to_owned());
    }
    let lost_nodes = state.ever_members();
    if is_same_ca && lost_nodes.contains(&group.id) {
        let highest = lost_nodes.last().copied().unwrap_or_default();
        return wrong(format!(
            "node {} was of the lost group and may come back with its old log: take an id that was never used (above {highest}; `picket pki issue`), or make a new CA",
            group.id
        ));
    }
    let restore_epoch = group.restore_epoch.unwrap_or(head.restore_epoch + 1);
    let mut state = state.restore(&RestoreOrder { by: group.by.clone(), restore_epoch, at: group.at })?;
    state.set_members(BTreeMap::from([(group.id, group.address.clone())]));
    let is_permit_key_new = hex::encode(pki::verifying_key(&group.pki_dir)?.to_bytes()) == head.permit_key;
    if is_permit_key_new {
        // A permit of the lost life, also one that the backup does not know, must not pass for one of the new.
        pki::replace_signing_key(&group.pki_dir, &format!("of-epoch-{}", head.restore_epoch))?;
    }
    write(group, &state)?;
    Ok(Founded { node: group.id, restore_epoch, backup_revision: head.revision, lost_nodes, is_permit_key_new })
}

fn read_ca(group: &NewGroup) -> Result<String, PkiError> {
    let path = group.pki_dir.join("ca.pem");
    fs::read_to_string(&path).map_err(|error| PkiError::Io { path, error })
}

fn holds_something(dir: &std::path::Path) -> Result<bool, LogError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(LogError::Io { path: dir.to_owned(), error }),
    }
}

/// Beside the node's folder first, and moved there whole: a node never starts on half of it.
fn write(group: &NewGroup, state: &State) -> Result<(), LogError> {
    let dir = &group.data_dir;
    let mut aside = dir.as_os_str().to_owned();
    aside.push(".restoring");
    let aside = PathBuf::from(aside);
    let failed = |error| LogError::Io { path: aside.clone(), error };
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::create_dir_all(&aside).map_err(failed)?;
    block_on(founding::write(&Files, &aside, &group.settings, state, group.id, &group.address))?;
    fs::rename(&aside, dir).map_err(LogError::io(dir))?;
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| std::path::Path::new("."));
    block_on(crate::log::durable::sync_dir(&Files, parent))
}
