//! The file: a head and the state in pieces, each a record of the log's form, so that damage is named with its place.

use crate::log::record;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const FORMAT: &str = "picket-backup";
/// Rises when an older picket would misread the file.
const VERSION: u32 = 1;
const PIECE_BYTES: usize = 1 << 20;
/// Largest file that is read.
const FILE_MAX_BYTES: u64 = 1 << 30;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    format: String,
    version: u32,
    /// The trust that it comes from: the digest of the CA's certificate.
    pub cluster_id: String,
    /// The key that permits were checked with, in hexadecimal digits.
    pub permit_key: String,
    /// The replicated clock.
    pub taken_at: Timestamp,
    /// For whom.
    pub taken_by: String,
    /// By which node.
    pub node: u64,
    /// Of the ledger: everything up to it is in the backup.
    pub revision: u64,
    /// The life that it was taken in.
    pub restore_epoch: u64,
    state_bytes: u64,
    state_sha256: String,
}

/// What the head says beside what follows from the state.
#[derive(Clone, Debug)]
pub struct Taken {
    /// See [`Head`].
    pub cluster_id: String,
    /// See [`Head`].
    pub permit_key: String,
    /// See [`Head`].
    pub taken_at: Timestamp,
    /// See [`Head`].
    pub taken_by: String,
    /// See [`Head`].
    pub node: u64,
    /// See [`Head`].
    pub revision: u64,
    /// See [`Head`].
    pub restore_epoch: u64,
}

/// A backup, read and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What it is of.
    pub head: Head,
    /// The state as JSON.
    pub state: Vec<u8>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// It was a backup once.
    #[error("{} is damaged at byte {offset}: {why}; use another backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        why: String,
    },
    /// It is something else.
    #[error("{} is no backup that this picket reads: {why}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
}

impl BackupError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

impl Backup {
    /// A backup of this state.
    #[must_use]
    pub fn new(taken: Taken, state: Vec<u8>) -> Self {
        let Taken { cluster_id, permit_key, taken_at, taken_by, node, revision, restore_epoch } = taken;
        let (state_bytes, state_sha256) = (state.len() as u64, hex::encode(Sha256::digest(&state)));
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            cluster_id,
            permit_key,
            taken_at,
            taken_by,
            node,
            revision,
            restore_epoch,
            state_bytes,
            state_sha256,
        };
        Self { head, state }
    }

    /// As a file holds it.
    ///
    /// # Errors
    /// When the head does not serialise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = Vec::with_capacity(self.state.len() + self.state.len() / PIECE_BYTES * record::HEADER_BYTES + 4096);
        record::encode(&mut out, 0, 0, &serde_json::to_vec(&self.head)?);
        for (piece, index) in self.state.chunks(PIECE_BYTES).zip(1..) {
            record::encode(&mut out, 0, index, piece);
        }
        Ok(out)
    }

    /// Reads what `to_bytes` wrote; `path` is for the error's sake.
    ///
    /// # Errors
    /// `Damaged` with the place, `Foreign` when it is something else.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, BackupError> {
        let damaged = |offset: usize, why: &str| BackupError::Damaged { path: path.to_owned(), offset: offset as u64, why: why.to_owned() };
        let foreign = |why: String| BackupError::Foreign { path: path.to_owned(), why };
        if !record::begins(bytes) {
            return Err(foreign("it does not begin as one".to_owned()));
        }
        let first = record::decode(bytes).map_err(|why| damaged(0, why))?;
        let value: serde_json::Value = serde_json::from_slice(first.payload).map_err(|_| foreign("it has no head".to_owned()))?;
        if value["format"] != FORMAT {
            return Err(foreign("its head is of something else".to_owned()));
        }
        if value["version"] != VERSION {
            return Err(foreign(format!(
                "its format has version {}, and this is {VERSION}: use the picket that wrote it",
                value["version"]
            )));
        }
        let head: Head = serde_json::from_value(value).map_err(|e| damaged(0, &e.to_string()))?;
        let mut at = first.len_bytes();
        let mut state = Vec::new();
        for index in 1.. {
            if state.len() as u64 >= head.state_bytes {
                break;
            }
            let piece = record::decode(&bytes[at..]).map_err(|why| damaged(at, why))?;
            if piece.index != index {
                return Err(damaged(at, &format!("piece {} stands where {index} should", piece.index)));
            }
            state.extend_from_slice(piece.payload);
            at += piece.len_bytes();
        }
        if at != bytes.len() {
            return Err(damaged(at, "something follows its end"));
        }
        if state.len() as u64 != head.state_bytes || hex::encode(Sha256::digest(&state)) != head.state_sha256 {
            return Err(damaged(0, "the digest in its head is not that of its state"));
        }
        Ok(Self { head, state })
    }
}

/// Reads a backup.
///
/// # Errors
/// [`BackupError`] says what is wrong, where, and what to do.
pub fn read(path: &Path) -> Result<Backup, BackupError> {
    let length = fs::metadata(path).map_err(BackupError::io(path))?.len();
    if length > FILE_MAX_BYTES {
        let why = format!("it has {length} bytes, and at most {FILE_MAX_BYTES} are read");
        return Err(BackupError::Foreign { path: path.to_owned(), why });
    }
    Backup::from_bytes(path, &fs::read(path).map_err(BackupError::io(path))?)
}

/// Writes it so that after a power cut there is the old file or the new one, whole: aside, synced, renamed, and the folder synced.
///
/// # Errors
/// What the file system says.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let mut file = File::create(&aside).map_err(BackupError::io(&aside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(BackupError::io(&aside))?;
    fs::rename(&aside, path).map_err(BackupError::io(path))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(state_bytes: usize) -> Backup {
        let taken = Taken {
            cluster_id: "c".into(),
            permit_key: "k".into(),
            taken_at: Timestamp(7),
            taken_by: "human:kim".into(),
            node: 2,
            revision: 9,
            restore_epoch: 1,
        };
        Backup::new(taken, (0..state_bytes).map(|i| (i % 251) as u8).collect())
    }

    fn back(bytes: &[u8]) -> Result<Backup, BackupError> {
        Backup::from_bytes(Path::new("b"), bytes)
    }

    #[test]
    fn it_reads_back_what_was_written_whatever_its_length() {
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let whole = backup(length);
            assert_eq!(back(&whole.to_bytes().unwrap()).unwrap(), whole, "{length}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        for length in [10, 20] {
            save(&path, &backup(length).to_bytes().unwrap()).unwrap();
            assert_eq!(read(&path).unwrap(), backup(length));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn any_byte_that_is_changed_cut_off_or_added_is_noticed_and_its_place_named() {
        let bytes = backup(2 * PIECE_BYTES + 77).to_bytes().unwrap();
        let head_end = record::decode(&bytes).unwrap().len_bytes();
        let second = head_end + record::HEADER_BYTES + PIECE_BYTES;
        for at in (4..bytes.len()).step_by(9_973).chain([4, head_end, second, bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let Err(BackupError::Damaged { offset, .. }) = back(&changed) else { panic!("byte {at}") };
            assert!(offset as usize <= at && at - offset as usize <= record::HEADER_BYTES + PIECE_BYTES, "byte {at}: {offset}");
        }
        for length in [4, 50, head_end, second - 1, second, bytes.len() - 1] {
            assert!(matches!(back(&bytes[..length]), Err(BackupError::Damaged { .. })), "{length} bytes of it");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let Err(BackupError::Damaged { offset, .. }) = back(&longer) else { panic!() };
        assert_eq!(offset as usize, bytes.len());
        // Whole pieces of another backup.
        let mut mixed = bytes[..second].to_vec();
        mixed.extend_from_slice(&backup(2 * PIECE_BYTES + 78).to_bytes().unwrap()[second..]);
        assert!(matches!(back(&mixed), Err(BackupError::Damaged { .. })));
    }

    #[test]
    fn what_is_no_backup_is_told_from_a_damaged_one() {
        let foreign = |bytes: &[u8]| matches!(back(bytes), Err(BackupError::Foreign { .. }));
        assert!(foreign(b"") && foreign(b"PK") && foreign(b"{\"some\":\"json\"}"));
        let record_of = |payload: &[u8]| {
            let mut out = Vec::new();
            record::encode(&mut out, 0, 0, payload);
            out
        };
        assert!(foreign(&record_of(b"an entry of the log")) && foreign(&record_of(br#"{"format":"other"}"#)));
        let later = back(&record_of(br#"{"format":"picket-backup","version":2}"#)).unwrap_err();
        assert!(later.to_string().contains("version 2"), "{later}");
    }
}
