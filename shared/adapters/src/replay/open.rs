//! Finds the recordings under a path.

use super::recording::Recording;
use super::{ReplayError, nab, petshop, read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders deeper than this are not looked into.
const DEPTH_MAX: usize = 8;

/// The recordings of a directory, a file, or an archive (which is unpacked under `scratch`): all series of NAB side by side as
/// one; PetShop's tables one by one, those without an issue first.
///
/// # Errors
/// [`ReplayError`] when nothing is understood, or a file is damaged: then its path and line.
pub fn open(path: &Path, scratch: &Path) -> Result<Vec<Recording>, ReplayError> {
    let root = if is_archive(path) { unpack(path, scratch)? } else { path.to_owned() };
    let mut files = Vec::new();
    if root.is_file() {
        files.push(root.clone());
    } else {
        find_tables(&root, 0, &mut files)?;
    }
    files.sort();
    let (mut series, mut tables) = (Vec::new(), Vec::new());
    for file in files {
        let text = read(&file)?;
        if petshop::is_table(&text) {
            tables.push(Recording::new(name_of(&file, &root), petshop::points(&file)?));
        } else if text.starts_with(nab::HEADER) {
            series.extend(nab::points(&file)?);
        }
    }
    tables.sort_by_key(|table| !table.name.contains("noissue"));
    if !series.is_empty() {
        tables.insert(0, Recording::new("nab".to_owned(), series));
    }
    if tables.is_empty() { Err(ReplayError::Unknown { path: path.to_owned() }) } else { Ok(tables) }
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file() && [".tar.xz", ".tar.gz", ".tgz", ".tar"].iter().any(|end| name.ends_with(end))
}

/// By the system's `tar`, which refuses names that lead out of the folder.
fn unpack(path: &Path, scratch: &Path) -> Result<PathBuf, ReplayError> {
    std::fs::create_dir_all(scratch).map_err(|error| ReplayError::Io { path: scratch.to_owned(), error })?;
    let failed = |why: String| ReplayError::Unpack { path: path.to_owned(), why };
    let output = Command::new("tar")
        .arg("-xf")
        .arg(path)
        .arg("-C")
        .arg(scratch)
        .arg("--no-same-owner")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(scratch.to_owned()) } else { Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())) }
}

fn find_tables(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ReplayError> {
    let io = |error| ReplayError::Io { path: dir.to_owned(), error };
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let kind = entry.file_type().map_err(io)?;
        let path = entry.path();
        if kind.is_dir() && depth < DEPTH_MAX {
            find_tables(&path, depth + 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    Ok(())
}

/// `low_traffic/test/issue_9` of `…/dataset/low_traffic/test/issue_9/metrics.csv`.
fn name_of(file: &Path, root: &Path) -> String {
    let folder = if file.file_name().is_some_and(|name| name == petshop::FILE) { file.parent().unwrap_or(file) } else { file };
    let inside = folder.strip_prefix(root).unwrap_or(folder);
    if inside.as_os_str().is_empty() { folder.to_string_lossy().into_owned() } else { inside.to_string_lossy().into_owned() }
}
