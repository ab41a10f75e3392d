//! The actuator's journal on disk: one file per entry, and the highest token seen per scope.

use picket_core::ids::EntryId;
use picket_core::ports::{Journal, JournalEntry, PortError, PortResult};
use picket_core::scope::{FencingToken, Scope};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A folder that only one actuator uses.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    marks: Mutex<BTreeMap<Scope, FencingToken>>,
}

const MARKS: &str = "high-water-marks.json";

fn damaged(path: &Path, why: impl ToString) -> PortError {
    PortError::Damaged { what: path.display().to_string(), why: why.to_string() }
}

fn unavailable(path: &Path, why: &std::io::Error) -> PortError {
    PortError::Unavailable { what: path.display().to_string(), why: why.to_string() }
}

impl FileJournal {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// When it cannot be made or what is in it cannot be read.
    pub fn open(folder: impl Into<PathBuf>) -> PortResult<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|e| unavailable(&folder, &e))?;
        let path = folder.join(MARKS);
        let marks = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| damaged(&path, e))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(unavailable(&path, &error)),
        };
        Ok(Self { folder, marks: Mutex::new(marks) })
    }

    /// Writes a file so that after a crash it is either the old or the new one.
    fn replace(&self, name: &str, bytes: &[u8]) -> PortResult<()> {
        let (path, temporary) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|e| unavailable(&path, &e))
    }

    fn file_of(entry: &EntryId) -> String {
        format!("{}.entry.json", picket_core::signal::clean_token(entry.as_str()))
    }
}

impl Journal for FileJournal {
    async fn write(&self, entry: &JournalEntry) -> PortResult<()> {
        let bytes = serde_json::to_vec(entry).map_err(|e| damaged(&self.folder, e))?;
        self.replace(&Self::file_of(entry.entry()), &bytes)
    }

    async fn open_entries(&self) -> PortResult<Vec<JournalEntry>> {
        let listing = fs::read_dir(&self.folder).map_err(|e| unavailable(&self.folder, &e))?;
        let mut paths: Vec<_> =
            listing.filter_map(Result::ok).map(|f| f.path()).filter(|p| p.to_string_lossy().ends_with(".entry.json")).collect();
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let bytes = fs::read(&path).map_err(|e| unavailable(&path, &e))?;
                serde_json::from_slice(&bytes).map_err(|e| damaged(&path, e))
            })
            .collect()
    }

    async fn forget(&self, entry: &EntryId) -> PortResult<()> {
        let path = self.folder.join(Self::file_of(entry));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unavailable(&path, &error)),
            _ => Ok(()),
        }
    }

    async fn raise(&self, scope: &Scope, token: FencingToken) -> PortResult<bool> {
        let mut marks = self.marks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match marks.get(scope) {
            Some(seen) if *seen > token => return Ok(false),
            Some(seen) if *seen == token => return Ok(true),
            _ => {}
        }
        let mut raised = marks.clone();
        raised.insert(scope.clone(), token);
        let bytes = serde_json::to_vec(&raised).map_err(|e| damaged(&self.folder, e))?;
        self.replace(MARKS, &bytes)?;
        *marks = raised;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::action::{Action, Digest, Remediation};
    use picket_core::cause::Cause;
    use picket_core::claim::ClaimRequest;
    use picket_core::ids::{AgentKind, ServiceId};
    use picket_core::outcome::ObjectRef;
    use picket_core::ports::Before;
    use picket_core::proposal::{Proposal, Work};
    use picket_core::severity::Severity;
    use picket_core::time::Timestamp;

    fn proposal(action: Action) -> Proposal {
        Proposal {
            id: "p".into(),
            agent: AgentKind::Sre,
            incident: "i".into(),
            cause: Cause::StuckProcess,
            severity: Severity::Three,
            confidence: 0.95,
            services_degraded: 1,
            symptoms: Vec::new(),
            action,
            evidence_echo: Timestamp(0),
            replay: false,
            monthly_saving_usd: None,
            sentence: String::new(),
        }
    }

    #[tokio::test]
    async fn marks_and_entries_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope::Namespace("east".into(), "shop".into());
        let service = ServiceId::new("east", "shop", "cart");
        let before = Before { object: ObjectRef::default(), resource_version: "7".into(), token: None, content: serde_json::Value::Null };
        let work = Work::Do { action: Action { service, remediation: Remediation::RolloutRestart } };
        let entry = JournalEntry {
            claim: ClaimRequest {
                entry: "act-1".into(),
                digest: work.digest(),
                actuator_epoch: 2,
                before_digest: before.digest(),
                audit_hash: Digest::of(b"audit"),
            },
            proposal: Box::new(proposal(work.action().clone())),
            work,
            cost_pods: 1,
            token: FencingToken(3),
            before,
            report: None,
            at: Timestamp(5),
        };
        let journal = FileJournal::open(folder.path()).unwrap();
        assert!(journal.raise(&scope, FencingToken(3)).await.unwrap());
        journal.write(&entry).await.unwrap();
        let again = FileJournal::open(folder.path()).unwrap();
        assert!(!again.raise(&scope, FencingToken(2)).await.unwrap(), "a lower token is refused after a restart");
        assert!(again.raise(&scope, FencingToken(3)).await.unwrap());
        assert_eq!(again.open_entries().await.unwrap(), std::slice::from_ref(&entry));
        again.forget(entry.entry()).await.unwrap();
        again.forget(entry.entry()).await.unwrap();
        assert_eq!(again.open_entries().await.unwrap(), []);
    }
}
