//! A set of files, in a folder or packed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a set cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// An archive cannot be unpacked.
    #[error("{path} cannot be unpacked by `{tool}`: {why} (Debian, Ubuntu: `apt-get install tar xz-utils gzip`)")]
    Unpack {
        /// Which archive.
        path: PathBuf,
        /// With what.
        tool: &'static str,
        /// What that said.
        why: String,
    },
    /// A file is not what it should be.
    #[error("{path}, line {line}: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1; 0 where it is about the whole file.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Something that belongs to the set is not there.
    #[error("{path} holds no {what}")]
    Missing {
        /// What was given.
        path: PathBuf,
        /// What was looked for.
        what: String,
    },
}

/// An opened set. What was unpacked for it is removed when it is dropped.
pub struct Dataset {
    folder: PathBuf,
    _unpacked: Option<tempfile::TempDir>,
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".tar.xz", ".tar.gz", ".tar"].iter().any(|end| name.ends_with(end))
}

/// What a tool prints about a file.
fn output(command: &mut Command, tool: &'static str, path: &Path) -> Result<Vec<u8>, DatasetError> {
    let unpack = |why: String| DatasetError::Unpack { path: path.to_owned(), tool, why };
    let out = command.output().map_err(|e| unpack(e.to_string()))?;
    if !out.status.success() {
        return Err(unpack(String::from_utf8_lossy(&out.stderr).trim().to_owned()));
    }
    Ok(out.stdout)
}

/// The text of one file, plain or packed by xz or gzip: its first bytes tell, not its name.
///
/// # Errors
/// When it cannot be read or unpacked, or is no UTF-8.
pub fn unpacked_text(path: &Path) -> Result<String, DatasetError> {
    let mut bytes = std::fs::read(path).map_err(|error| DatasetError::Io { path: path.to_owned(), error })?;
    let packed = [("xz", &b"\xfd7zXZ\0"[..]), ("gzip", &b"\x1f\x8b"[..])];
    if let Some((tool, _)) = packed.into_iter().find(|(_, magic)| bytes.starts_with(magic)) {
        let file = std::fs::File::open(path).map_err(|error| DatasetError::Io { path: path.to_owned(), error })?;
        // Through a pipe: the tools want certain endings of names.
        bytes = output(Command::new(tool).arg("-dc").stdin(file), tool, path)?;
    }
    String::from_utf8(bytes).map_err(|e| DatasetError::Malformed { path: path.to_owned(), line: 0, why: format!("it is no UTF-8: {e}") })
}

impl Dataset {
    /// A folder, an archive, or a folder of archives: these are unpacked beside each other in a temporary folder, together with the
    /// folder's plain files.
    ///
    /// # Errors
    /// When something there cannot be read.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let io = |at: &Path| {
            let at = at.to_owned();
            move |error| DatasetError::Io { path: at, error }
        };
        let meta = std::fs::metadata(path).map_err(io(path))?;
        let beside: Vec<PathBuf> = if meta.is_dir() {
            let listed = std::fs::read_dir(path).map_err(io(path))?;
            listed.map(|entry| Ok(entry?.path())).collect::<Result<_, _>>().map_err(io(path))?
        } else {
            vec![path.to_owned()]
        };
        if !beside.iter().any(|p| is_archive(p)) {
            return Ok(Self { folder: path.to_owned(), _unpacked: None });
        }
        let unpacked = tempfile::tempdir().map_err(io(&std::env::temp_dir()))?;
        for file in beside.iter().filter(|p| p.is_file()) {
            if !is_archive(file) {
                std::fs::copy(file, unpacked.path().join(file.file_name().unwrap_or_default())).map_err(io(file))?;
                continue;
            }
            output(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(unpacked.path()), "tar", file)?;
        }
        Ok(Self { folder: unpacked.path().to_owned(), _unpacked: Some(unpacked) })
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every file below, sorted.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, DatasetError> {
        let (mut left, mut found) = (vec![self.folder().to_owned()], Vec::new());
        while let Some(folder) = left.pop() {
            let io = |error| DatasetError::Io { path: folder.clone(), error };
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let path = entry.map_err(io)?.path();
                if path.is_dir() { left.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_an_archive_and_a_folder_of_archives_show_the_same_files() {
        let home = tempfile::tempdir().unwrap();
        let plain = home.path().join("plain");
        std::fs::create_dir_all(plain.join("data/a")).unwrap();
        std::fs::write(plain.join("data/a/x.csv"), "1,2").unwrap();
        let packed = home.path().join("packed");
        std::fs::create_dir(&packed).unwrap();
        let archive = packed.join("set.tar");
        let made = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&plain).arg("data").status().unwrap();
        assert!(made.success());
        std::fs::write(packed.join("labels.json"), "{}").unwrap();
        for (path, count) in [(&plain, 1), (&archive, 1), (&packed, 2)] {
            let set = Dataset::open(path).unwrap();
            let files = set.files().unwrap();
            assert_eq!(files.len(), count, "{files:?}");
            assert!(files[0].ends_with("data/a/x.csv"), "{files:?}");
        }
        std::fs::write(packed.join("bad.tar.xz"), "no archive").unwrap();
        assert!(matches!(Dataset::open(&packed), Err(DatasetError::Unpack { .. })));
        assert!(matches!(Dataset::open(&home.path().join("absent")), Err(DatasetError::Io { .. })));
    }
}
