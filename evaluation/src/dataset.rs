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
    #[error("{path} cannot be unpacked by `tar`: {why} (Debian, Ubuntu: `apt-get install tar xz-utils`)")]
    Unpack {
        /// Which archive.
        path: PathBuf,
        /// What `tar` said.
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
            let out = Command::new("tar").arg("-xf").arg(file).arg("-C").arg(unpacked.path()).output();
            let out = out.map_err(|e| DatasetError::Unpack { path: file.clone(), why: e.to_string() })?;
            if !out.status.success() {
                let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                return Err(DatasetError::Unpack { path: file.clone(), why });
            }
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
