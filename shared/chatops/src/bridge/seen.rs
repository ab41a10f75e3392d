//! What was told to whom: kept in one small file, so that a restart neither repeats nor misses anything.
//!
//! Something is noted after it was sent. A crash between the two says it once more: a question must rather come twice than not at all. To
//! PagerDuty a repeat is the same alert, by its `dedup_key`.

use super::decide::{Channel, Outgoing, Say};
use crate::slack::client::PostRef;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a chat was told last of an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// That a person is asked.
    Asked,
    /// That a person must look.
    Paged,
    /// That it goes its way.
    Answered,
}

/// What a chat was told last of an entry, and where that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What.
    pub stage: Stage,
    /// How many states the entry had been in.
    pub step: usize,
    /// The message, where it can be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostRef>,
}

/// An alert that is open.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// A person must look; else it is open for its severity alone.
    pub looks: bool,
    /// How many states the entry had been in.
    pub step: usize,
}

/// What was told of one entry. Empty parts: nothing is open there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntrySeen {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    chats: BTreeMap<Channel, Told>,
    /// The open alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<Alarm>,
    /// Rises with every note: the lowest goes first.
    noted: u64,
}

impl EntrySeen {
    /// What a chat was told.
    #[must_use]
    pub fn told(&self, channel: Channel) -> Option<&Told> {
        self.chats.get(&channel)
    }

    fn is_empty(&self) -> bool {
        self.chats.is_empty() && self.alarm.is_none()
    }
}

/// What was told to whom, of everything that is open somewhere. What is over everywhere is forgotten: nothing is said of an entry that is over
/// and of which nobody was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seen {
    entries: BTreeMap<EntryId, EntrySeen>,
    noted: u64,
}

/// The coordinator keeps far fewer entries open at once.
pub const ENTRIES_MAX: usize = 4096;

impl Seen {
    /// What was told of an entry.
    #[must_use]
    pub fn of(&self, id: &EntryId) -> Option<&EntrySeen> {
        self.entries.get(id)
    }

    /// Entries of which something is open somewhere.
    pub fn ids(&self) -> impl Iterator<Item = &EntryId> {
        self.entries.keys()
    }

    /// Notes that something was said. `looks`: the entry pages. `post`: the message, where it can be changed. Returns an entry that had to be
    /// forgotten to make room.
    pub fn note(&mut self, said: &Outgoing, looks: bool, post: Option<PostRef>) -> Option<EntryId> {
        self.noted += 1;
        let noted = self.noted;
        let seen = self.entries.entry(said.entry.clone()).or_default();
        seen.noted = noted;
        let step = said.step;
        let stage = match said.say {
            Say::Ask => Some(Stage::Asked),
            Say::Page => Some(Stage::Paged),
            Say::Answered | Say::AskedAgain => Some(Stage::Answered),
            Say::Over | Say::Gone | Say::Raise | Say::Resolve => None,
        };
        match (stage, said.say) {
            (Some(stage), _) => drop(seen.chats.insert(said.channel, Told { stage, step, post })),
            (None, Say::Raise) => seen.alarm = Some(Alarm { looks, step }),
            (None, Say::Resolve) => seen.alarm = None,
            (None, _) => drop(seen.chats.remove(&said.channel)),
        }
        if seen.is_empty() {
            self.entries.remove(&said.entry);
        }
        if self.entries.len() <= ENTRIES_MAX {
            return None;
        }
        let oldest = self.entries.iter().min_by_key(|(_, seen)| seen.noted).map(|(id, _)| id.clone())?;
        self.entries.remove(&oldest);
        Some(oldest)
    }

    /// Forgets channels that are not there any more.
    pub fn keep(&mut self, channels: &[Channel]) {
        for seen in self.entries.values_mut() {
            seen.chats.retain(|channel, _| channels.contains(channel));
            seen.alarm = seen.alarm.filter(|_| channels.contains(&Channel::PagerDuty));
        }
        self.entries.retain(|_, seen| !seen.is_empty());
    }
}

/// The file with it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    seen: Mutex<Seen>,
}

/// Far more than [`ENTRIES_MAX`] entries need.
const FILE_BYTES_MAX: u64 = 16 << 20;

impl Store {
    /// Opens the file, or begins with nothing when there is none.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read, `Damaged` when it is not what this wrote: moved away, what is open is said once more.
    pub fn open(path: impl Into<PathBuf>) -> PortResult<Self> {
        let path = path.into();
        let damaged = |why: String| PortError::Damaged {
            what: path.display().to_string(),
            why: format!("{why}; move it away, and everything that is open is told to the channels once more"),
        };
        let seen = match File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| unavailable(&path, &e))?;
                if bytes.len() as u64 > FILE_BYTES_MAX {
                    return Err(damaged("it is larger than 16 MiB".to_owned()));
                }
                serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::default(),
            Err(error) => return Err(unavailable(&path, &error)),
        };
        Ok(Self { path, seen: Mutex::new(seen) })
    }

    /// Looks at it.
    pub fn look<R>(&self, at: impl FnOnce(&Seen) -> R) -> R {
        at(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes it, and writes it down. It stays changed in memory when the disk does not take it.
    ///
    /// # Errors
    /// `Unavailable` when it could not be written: after a restart what was said since is said once more.
    pub fn change<R>(&self, edit: impl FnOnce(&mut Seen) -> R) -> PortResult<R> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let result = edit(&mut seen);
        // Written under the lock: two writers would overtake each other.
        let bytes =
            serde_json::to_vec(&*seen).map_err(|e| PortError::Damaged { what: self.path.display().to_string(), why: e.to_string() })?;
        replace(&self.path, &bytes).map_err(|e| unavailable(&self.path, &e))?;
        Ok(result)
    }

    /// Notes what was said of an entry.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub fn note(&self, said: &Outgoing, entry: Option<&LedgerEntry>, post: Option<PostRef>) -> PortResult<()> {
        let looks = entry.is_some_and(|e| super::decide::is_question(e) && e.state != picket_core::ledger::EntryState::AwaitingApproval);
        if let Some(forgotten) = self.change(|seen| seen.note(said, looks, post))? {
            tracing::error!(entry = %forgotten, "too much is open at once: what was told of this entry is forgotten");
            metrics::counter!("picket_chatops_forgotten_total").increment(1);
        }
        Ok(())
    }
}

fn unavailable(path: &Path, why: &std::io::Error) -> PortError {
    PortError::Unavailable { what: path.display().to_string(), why: why.to_string() }
}

/// After a crash it is either the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}
