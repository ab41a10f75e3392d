//! Files of a commit.

use super::{Failure, Mirror, Run, is_object_id};
use picket_core::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};

/// A manifest is smaller than this; what is larger is no file that picket edits.
const FILE_MAX_BYTES: u64 = 512 << 10;
/// Files that are read at once.
const FILES_MAX: usize = 2000;

/// A text file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    /// Where, from the root.
    pub path: String,
    /// `100644`, or `100755` when it is executable.
    pub mode: String,
    /// What stands in it.
    pub text: String,
}

/// A file's place in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where, from the root.
    pub path: String,
    /// Its mode.
    pub mode: String,
    /// Its blob's id.
    pub blob: String,
    /// Its length.
    pub bytes: u64,
}

impl Mirror {
    /// The plain files below a folder (of the root when it is empty), or the one of that very path.
    pub(crate) async fn entries(&self, commit: &str, folder: &str) -> PortResult<Vec<Entry>> {
        let mut args = vec!["ls-tree", "-r", "-z", "-l", "--full-tree", commit];
        if !folder.is_empty() {
            args.extend(["--", folder]);
        }
        let said = self.git().said(Run::of(&args)).await.map_err(|failure| self.failed(failure))?;
        // A path that is not UTF-8 is none that picket can write back.
        let records = said.split(|byte| *byte == 0).filter_map(|record| std::str::from_utf8(record).ok());
        Ok(records.filter_map(entry_of).collect())
    }

    /// Paths below a folder of files that hold this text.
    pub(crate) async fn holding(&self, commit: &str, folder: &str, text: &str) -> PortResult<Vec<String>> {
        let mut args = vec!["grep", "-I", "-l", "-z", "--fixed-strings", "-e", text, commit, "--"];
        if !folder.is_empty() {
            args.push(folder);
        }
        let ended = self.git().ended(Run::of(&args)).await.map_err(|failure| self.failed(failure))?;
        match ended.code {
            0 => {}
            1 => return Ok(Vec::new()),
            code => return Err(self.failed(Failure::Ended { code, stderr: ended.stderr })),
        }
        let prefix = format!("{commit}:");
        let records = ended.stdout.split(|byte| *byte == 0).filter_map(|record| std::str::from_utf8(record).ok());
        Ok(records.filter_map(|record| record.strip_prefix(&prefix)).map(ToOwned::to_owned).collect())
    }

    /// Reads them, in order.
    ///
    /// # Errors
    /// `Refused` when there are too many, or one is too large or no text.
    pub(crate) async fn files(&self, entries: &[Entry]) -> PortResult<Vec<File>> {
        let refused = |what: &str, why: &str| PortError::Refused { what: what.to_owned(), why: why.to_owned() };
        if entries.len() > FILES_MAX {
            return Err(refused(&self.name(), &format!("{} files would have to be read", entries.len())));
        }
        if let Some(large) = entries.iter().find(|entry| entry.bytes > FILE_MAX_BYTES) {
            return Err(refused(&large.path, &format!("it has {} bytes, and picket edits up to {FILE_MAX_BYTES}", large.bytes)));
        }
        let wanted: String = entries.iter().map(|entry| format!("{}\n", entry.blob)).collect();
        let run = Run { input: Some(wanted.as_bytes()), ..Run::of(&["cat-file", "--batch"]) };
        let said = self.git().said(run).await.map_err(|failure| self.failed(failure))?;
        let mut rest = said.as_slice();
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let body = next_blob(&mut rest).ok_or_else(|| PortError::Damaged {
                what: self.name(),
                why: format!("the copy's blob of {} cannot be read", entry.path),
            })?;
            let text = std::str::from_utf8(body).map_err(|_| refused(&entry.path, "it is no text in UTF-8"))?;
            files.push(File { path: entry.path.clone(), mode: entry.mode.clone(), text: text.to_owned() });
        }
        Ok(files)
    }

    /// The file of that path, when the commit has it.
    pub(crate) async fn file(&self, commit: &str, path: &str) -> PortResult<Option<File>> {
        let entries = self.entries(commit, path).await?;
        let Some(entry) = entries.into_iter().find(|entry| entry.path == path) else { return Ok(None) };
        Ok(self.files(&[entry]).await?.pop())
    }
}

/// `<mode> blob <id> <length>\t<path>`.
fn entry_of(record: &str) -> Option<Entry> {
    let (head, path) = record.split_once('\t')?;
    let mut words = head.split_whitespace();
    let (mode, kind, blob, bytes) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_plain = kind == "blob" && matches!(mode, "100644" | "100755") && is_object_id(blob) && !path.contains('\n');
    is_plain.then(|| Some(Entry { path: path.to_owned(), mode: mode.to_owned(), blob: blob.to_owned(), bytes: bytes.parse().ok()? }))?
}

/// `<id> blob <length>\n<bytes>\n`.
fn next_blob<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&rest[..end]).ok()?;
    let length: usize = head.strip_suffix(char::is_whitespace).unwrap_or(head).rsplit(' ').next()?.parse().ok()?;
    let from = end + 1;
    let body = rest.get(from..from.checked_add(length)?)?;
    *rest = rest.get(from + length + 1..)?;
    Some(body)
}
