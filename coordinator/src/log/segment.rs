//! Segment files: named by the first index in them, read whole at open.

use super::LogError;
use super::durable;
use super::record::{self, Record};
use crate::disk::{Disk, Durable, Open, OpenFile as _};
use crate::planted::{Fault, is_planted};
use std::path::{Path, PathBuf};

/// Where one record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the record.
    pub index: u64,
    /// First byte of it in its file.
    pub offset: u64,
}

/// One file of records.
#[derive(Debug)]
pub struct Segment {
    /// Its file.
    pub path: PathBuf,
    /// Its records, in order.
    pub places: Vec<Place>,
    /// Bytes in it, all durable.
    pub len_bytes: u64,
    /// Bytes of a torn write that were cut off at open.
    pub torn_bytes: u64,
}

/// The file that begins with `index`.
#[must_use]
pub fn path_of(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{index:020}.log"))
}

/// Segment files of a folder, in order.
///
/// # Errors
/// What the file system says.
pub fn list(disk: &impl Disk, dir: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = disk.list(dir).map_err(LogError::io(dir))?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "log"));
    paths.sort();
    Ok(paths)
}

/// Reads a file, gives each record to `take`, and cuts off a torn tail when it is the `last` file.
///
/// # Errors
/// `Damaged` when a record that was durable cannot be read, or `take` refuses it.
pub async fn open(
    disk: &impl Disk,
    path: &Path,
    last: bool,
    mut take: impl FnMut(&Record<'_>) -> Result<(), String>,
) -> Result<Segment, LogError> {
    let bytes = disk.read(path).map_err(LogError::io(path))?;
    let damaged = |offset: usize, why: &str| LogError::Damaged { path: path.to_owned(), offset: offset as u64, why: why.to_owned() };
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match record::decode(&bytes[at..]) {
            Ok(found) => {
                take(&found).map_err(|why| damaged(at, &why))?;
                places.push(Place { index: found.index, offset: at as u64 });
                at += found.len_bytes();
            }
            // Written ahead of the records, so that a sync changes no file's length. Whether a record is missing here, the next one's index tells.
            Err(_) if is_prepared(&bytes[at..]) => break,
            Err(why) if !last || record::durable_follower(&bytes, at) => return Err(damaged(at, why)),
            Err(_) => break,
        }
    }
    let torn_bytes = if is_prepared(&bytes[at..]) { 0 } else { (bytes.len() - at) as u64 };
    if torn_bytes > 0 {
        tracing::warn!(file = %path.display(), offset = at, torn_bytes, "cut off a write that a crash had torn");
    }
    if last && is_planted(Fault::LastFileTrusted) {
        disk.open(path, Open::Existing).and_then(|mut file| file.set_len(at as u64)).map_err(LogError::io(path))?;
    } else if last {
        rewrite(disk, path, &bytes[..at]).await?;
    }
    Ok(Segment { path: path.to_owned(), places, len_bytes: at as u64, torn_bytes })
}

/// Zeros that no record has been written over yet.
fn is_prepared(tail: &[u8]) -> bool {
    tail.iter().all(|byte| *byte == 0)
}

/// What was read may be in the page cache alone: its process was killed before the sync, or the sync failed and the system took the pages
/// for written all the same. A sync now would not tell. Written anew, it is on disk.
async fn rewrite(disk: &impl Disk, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let aside = path.with_extension("tmp");
    let mut file = disk.open(&aside, Open::Empty).map_err(LogError::io(&aside))?;
    file.append(bytes).map_err(LogError::io(&aside))?;
    file.sync(Durable::All).await.map_err(LogError::io(&aside))?;
    drop(file);
    disk.rename(&aside, path).map_err(LogError::io(path))?;
    durable::sync_dir(disk, path.parent().unwrap_or_else(|| Path::new("."))).await
}
