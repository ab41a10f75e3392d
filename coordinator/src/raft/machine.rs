//! The state machine as openraft sees it: state in memory, snapshots on disk.

use super::snapshot_file::SnapshotFile;
use super::{Effect, Entry, Host, LogId, Membership, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, Unreadable};
use crate::disk::{Disk, Files};
use crate::log::{LogError, durable};
use crate::planted::{Fault, is_planted, local_number};
use futures::executor::block_on;
use futures::{Stream, StreamExt as _};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use picket_core::scope::FencingToken;
use picket_state_machine::{Reply, Settings, State};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Entries that are applied before others may look at the state.
const ENTRIES_AT_ONCE: usize = 64;

struct Applied {
    last: Option<LogId>,
    membership: StoredMembership,
    state: State,
    /// Of the commands that were applied since the last snapshot was begun.
    bytes: u64,
}

impl Applied {
    fn apply<C: Host>(&mut self, entry: &Entry) -> io::Result<Effect> {
        let effect = match &entry.payload {
            EntryPayload::Blank => Effect::Nothing,
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                self.state.set_members(addresses_of(membership));
                Effect::Nothing
            }
            EntryPayload::Normal(proposed) => {
                self.bytes += proposed.bytes().len() as u64;
                let unreadable =
                    |e: Unreadable| io::Error::new(io::ErrorKind::InvalidData, format!("entry {} is no command: {e}", entry.log_id));
                let (said, at) = proposed.read().map_err(unreadable)?;
                let mut reply = picket_state_machine::apply(&mut self.state, &said, at).answer;
                if is_planted(Fault::TokenFromLocalCounter) {
                    spoil_tokens(&mut reply);
                }
                Effect::Replied(Box::new(reply))
            }
        };
        self.last = Some(entry.log_id);
        C::applied(entry, &effect, &self.state);
        Ok(effect)
    }
}

/// The replicated state of one node. Clones share it.
#[derive(Clone)]
pub struct Machine<C: Host = TypeConfig> {
    applied: Arc<RwLock<Applied>>,
    revision: watch::Sender<u64>,
    file: SnapshotFile<C::Disk>,
    founding: Arc<str>,
}

/// The settings that the group was founded with here, as text, so that every start reads the same.
/// Applying an old log under new settings would give another state than the other nodes have.
pub(super) async fn founding_settings(disk: &impl Disk, dir: &Path, settings: &Settings) -> Result<String, LogError> {
    let path = dir.join("settings");
    let damaged = |why: String| LogError::Damaged { path: path.clone(), offset: 0, why };
    let wanted = serde_json::to_string(settings).map_err(|e| damaged(e.to_string()))?;
    let Some(kept) = durable::read(disk, &path)? else {
        durable::replace(disk, &path, &[wanted.as_bytes()]).await?;
        return Ok(wanted);
    };
    let kept = String::from_utf8(kept).map_err(|e| damaged(e.to_string()))?;
    if kept != wanted {
        tracing::warn!(file = %path.display(), "the configuration's settings differ from those that this group was founded with, which stay in force");
    }
    Ok(kept)
}

impl Machine {
    /// The state of the newest snapshot in `dir`, or an empty one. Blocks on the disk.
    ///
    /// # Errors
    /// `Damaged` when there is a snapshot that cannot be read.
    pub fn open(dir: &Path, settings: Settings) -> Result<Self, LogError> {
        block_on(Self::open_on(Files, dir, settings))
    }
}

impl<C: Host> Machine<C> {
    /// As `open`, on another disk.
    ///
    /// # Errors
    /// As `open`.
    pub async fn open_on(disk: C::Disk, dir: &Path, settings: Settings) -> Result<Self, LogError> {
        let file = SnapshotFile::in_dir(disk.clone(), dir);
        let founding = founding_settings(&disk, dir, &settings).await?;
        let settings =
            serde_json::from_str(&founding).map_err(|e| file.damaged(0, &format!("the settings beside it do not parse: {e}")))?;
        let applied = match file.read().await? {
            None => Applied { last: None, membership: StoredMembership::default(), state: State::new(settings), bytes: 0 },
            Some((meta, json)) => {
                let state = serde_json::from_slice(&json).map_err(|e| file.damaged(0, &e.to_string()))?;
                Applied { last: meta.last_log_id, membership: meta.last_membership, state, bytes: 0 }
            }
        };
        let revision = watch::Sender::new(applied.state.revision());
        Ok(Self { applied: Arc::new(RwLock::new(applied)), revision, file, founding: founding.into() })
    }

    /// Digest of the settings in force: equal on all nodes of a group.
    #[must_use]
    pub fn settings_digest(&self) -> String {
        hex::encode(Sha256::digest(self.founding.as_bytes()))
    }

    /// Looks at the state. Keep it short: nothing is applied meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.read_at(|state, _| look(state))
    }

    /// Looks at the state, and at the last entry that made it.
    pub fn read_at<T>(&self, look: impl FnOnce(&State, Option<LogId>) -> T) -> T {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        look(&applied.state, applied.last)
    }

    /// Bytes of the commands that were applied since the last snapshot was begun: what a restart would have to apply again.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.applied.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// The ledger's revision, and a wake-up when it rises.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn announce(&self, revision: u64) {
        self.revision.send_if_modified(|now| std::mem::replace(now, revision) != revision);
    }

    async fn write_file(&self, meta: SnapshotMeta, json: Vec<u8>) -> io::Result<Vec<u8>> {
        let file = self.file.clone();
        C::Disk::aside(async move { file.write(&meta, &json).await.map(|()| json) }).await?
    }
}

impl<C: Host> RaftStateMachine<C> for Machine<C> {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        Ok((applied.last, applied.membership.clone()))
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<C>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.ready_chunks(ENTRIES_AT_ONCE);
        while let Some(chunk) = entries.next().await {
            let mut answered = Vec::with_capacity(chunk.len());
            let revision = {
                let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
                for item in chunk {
                    let (entry, responder) = item?;
                    let effect = applied.apply::<C>(&entry)?;
                    answered.extend(responder.map(|responder| (responder, effect)));
                }
                applied.state.revision()
            };
            for (responder, effect) in answered {
                responder.send(effect);
            }
            self.announce(revision);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Vec<u8>) -> Result<(), io::Error> {
        let state: State = serde_json::from_slice(&snapshot)?;
        // Durable first: what the log is purged up to must never be ahead of it.
        self.write_file(meta.clone(), snapshot).await?;
        let revision = state.revision();
        *self.applied.write().unwrap_or_else(PoisonError::into_inner) =
            Applied { last: meta.last_log_id, membership: meta.last_membership.clone(), state, bytes: 0 };
        self.announce(revision);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let file = self.file.clone();
        let found = C::Disk::aside(async move { file.read().await }).await??;
        Ok(found.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

impl<C: Host> RaftSnapshotBuilder<C> for Machine<C> {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (meta, frozen) = {
            let mut applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
            applied.bytes = 0;
            let meta = SnapshotMeta { last_log_id: applied.last, last_membership: applied.membership.clone() };
            (meta, applied.state.frozen())
        };
        // Written while commands go on being applied.
        let json = C::Disk::aside(async move { serde_json::to_vec(&frozen) }).await??;
        let json = if is_planted(Fault::SnapshotWithoutAnswers) { without_answers(&json)? } else { json };
        let snapshot = self.write_file(meta.clone(), json).await?;
        Ok(Snapshot { meta, snapshot })
    }
}

/// Members as the state records them.
pub fn addresses_of(membership: &Membership) -> BTreeMap<u64, String> {
    membership.nodes().map(|(id, node)| (*id, node.addr.clone())).collect()
}

/// What `Fault::SnapshotWithoutAnswers` puts in a snapshot's place.
fn without_answers(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut state: serde_json::Value = serde_json::from_slice(json)?;
    if let Some(answers) = state.pointer_mut("/dedupe/by_principal") {
        *answers = serde_json::json!({});
    }
    serde_json::to_vec(&state)
}

/// What `Fault::TokenFromLocalCounter` does to a reply.
fn spoil_tokens(reply: &mut Reply) {
    if let Reply::Leased { tokens, .. } = reply {
        tokens.values_mut().for_each(|token| *token = FencingToken(local_number()));
    }
}
