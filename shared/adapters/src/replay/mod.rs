//! Recorded telemetry (NAB, PetShop) as OTLP requests, played to a gateway at the pace of a run clock.

mod nab;
mod open;
mod petshop;
mod play;
mod recording;
#[cfg(test)]
mod tests;

pub use open::open;
pub use play::{Played, Target, play};
pub use recording::{Frame, Point, Recording};

use std::path::{Path, PathBuf};

/// Why a recording cannot be read or played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A line says no measurement.
    #[error("{path}, line {line}: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Nothing that is understood is there.
    #[error(
        "{path} holds no recording: expected NAB's folders of `timestamp,value` files or PetShop's `metrics.csv`, in a directory or packed as .tar.xz, .tar.gz or .tar"
    )]
    Unknown {
        /// What was given.
        path: PathBuf,
    },
    /// The archive cannot be unpacked.
    #[error("{path} cannot be unpacked by `tar`: {why} (Debian, Ubuntu: `apt-get install tar xz-utils`)")]
    Unpack {
        /// Which archive.
        path: PathBuf,
        /// What `tar` said.
        why: String,
    },
    /// The gateway turned it away.
    #[error("the gateway at {url} did not take the recording: {why}")]
    Gateway {
        /// Which gateway.
        url: String,
        /// What it said.
        why: String,
    },
}

fn read(path: &Path) -> Result<String, ReplayError> {
    std::fs::read_to_string(path).map_err(|error| ReplayError::Io { path: path.to_owned(), error })
}
