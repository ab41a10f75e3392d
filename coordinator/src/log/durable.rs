//! Files that are replaced whole: a reader sees the old or the new, also after a power cut.

use super::LogError;
use crate::disk::{Disk, Durable, Open, OpenFile as _};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Makes names in a folder durable.
///
/// # Errors
/// What the file system says.
pub async fn sync_dir(disk: &impl Disk, dir: &Path) -> Result<(), LogError> {
    disk.sync_dir(dir).await.map_err(LogError::io(dir))
}

/// Replaces `path` by the sha256 of `parts` and these, one behind the other: written aside, synced, renamed, and the folder synced.
///
/// # Errors
/// What the file system says.
pub async fn replace(disk: &impl Disk, path: &Path, parts: &[&[u8]]) -> Result<(), LogError> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let (aside, mut file) = write_aside(disk, path, parts)?;
    file.sync(Durable::All).await.map_err(LogError::io(&aside))?;
    drop(file);
    disk.rename(&aside, path).map_err(LogError::io(path))?;
    sync_dir(disk, dir).await
}

/// As `replace`, and forgets to sync: what `planted` puts in its place.
pub(crate) fn replace_unsynced(disk: &impl Disk, path: &Path, parts: &[&[u8]]) -> Result<(), LogError> {
    let (aside, _) = write_aside(disk, path, parts)?;
    disk.rename(&aside, path).map_err(LogError::io(path))
}

fn write_aside<D: Disk>(disk: &D, path: &Path, parts: &[&[u8]]) -> Result<(PathBuf, D::File), LogError> {
    let aside = path.with_extension("tmp");
    let mut file = disk.open(&aside, Open::Empty).map_err(LogError::io(&aside))?;
    let sum = parts.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part)).finalize();
    let header = format!("{}\n", hex::encode(sum));
    for bytes in std::iter::once(header.as_bytes()).chain(parts.iter().copied()) {
        file.append(bytes).map_err(LogError::io(&aside))?;
    }
    Ok((aside, file))
}

/// Reads what `replace` wrote; `None` when there is no such file.
///
/// # Errors
/// `Damaged` when the checksum does not match.
pub fn read(disk: &impl Disk, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    let mut bytes = match disk.read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LogError::Io { path: path.to_owned(), error }),
    };
    let damaged = |offset, why: &str| LogError::Damaged { path: path.to_owned(), offset, why: why.to_owned() };
    let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| damaged(0, "its checksum line is missing"))?;
    let content = bytes.split_off(end + 1);
    if hex::encode(Sha256::digest(&content)).as_bytes() != &bytes[..end] {
        return Err(damaged(end as u64 + 1, "its checksum does not match"));
    }
    Ok(Some(content))
}
