//! The Raft log on disk.
//!
//! One thread writes; a record is acknowledged only after `fdatasync`. Vote, purge mark and snapshot are replaced by rename.
//! At open, a torn tail is cut off and anything worse refuses to start, naming file and offset.

mod catalog;
pub mod disk;
pub mod durable;
mod memory;
pub mod record;
pub mod segment;
mod writer;

pub use disk::DiskLog;
pub use writer::SEGMENT_BYTES;

use std::path::PathBuf;

/// Why the log could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// What was once durable is not readable any more.
    #[error(
        "{} is damaged at byte {offset}: {why}; this node will not start on it: restore the file, or, only while every other node is up and holds the whole log, empty the data folder to let it catch up",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        why: String,
    },
    /// Another process has it open.
    #[error("{} is in use by another node; one data folder serves one node", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
}

impl LogError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

impl From<LogError> for std::io::Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Damaged { .. } => Self::new(std::io::ErrorKind::InvalidData, error.to_string()),
            _ => Self::other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod flips;
#[cfg(test)]
mod tests;
