//! Commits made without a work tree: blobs, an index of its own, a tree, the commit.

use super::{Mirror, Run};
use picket_core::ports::{PortError, PortResult};
use picket_core::time::Timestamp;

/// In whose name commits are made.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    /// Author and committer.
    pub name: String,
    /// Their address.
    pub email: String,
    /// The SSH key that signs commits.
    pub signing_key_file: Option<String>,
    /// The keys whose signatures count.
    pub allowed_signers_file: Option<String>,
}

/// A file as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Where, from the root.
    pub path: String,
    /// Its mode.
    pub mode: String,
    /// What shall stand in it.
    pub text: String,
}

/// A commit to be made. The same makes the same commit, bit for bit (with a signature, when the key's kind signs the same each time).
#[derive(Clone, Debug)]
pub(crate) struct NewCommit<'a> {
    /// Whose files it has but for the changes: the first parent.
    pub base: &'a str,
    /// The second parent, of a merge.
    pub merged: Option<&'a str>,
    /// The changes.
    pub changes: &'a [Change],
    /// The message.
    pub message: &'a str,
    /// Author's and committer's date; git counts whole seconds.
    pub at: Timestamp,
}

impl Mirror {
    /// Makes the commit in the copy. Nothing is sent.
    pub(crate) async fn make(&self, new: &NewCommit<'_>, author: &Author) -> PortResult<String> {
        let tree = self.tree(new.base, new.changes).await?;
        let date = format!("@{} +0000", new.at.0.div_euclid(1000));
        let variables = vec![
            ("GIT_AUTHOR_NAME", author.name.clone()),
            ("GIT_AUTHOR_EMAIL", author.email.clone()),
            ("GIT_AUTHOR_DATE", date.clone()),
            ("GIT_COMMITTER_NAME", author.name.clone()),
            ("GIT_COMMITTER_EMAIL", author.email.clone()),
            ("GIT_COMMITTER_DATE", date),
        ];
        let mut args = vec!["commit-tree", &tree, "-p", new.base];
        if let Some(merged) = new.merged {
            args.extend(["-p", merged]);
        }
        let mut settings = Vec::new();
        if let Some(key) = &author.signing_key_file {
            args.push("-S");
            settings = vec!["gpg.format=ssh".to_owned(), format!("user.signingKey={key}")];
        }
        args.extend(["-F", "-"]);
        let run = Run { settings, args, input: Some(new.message.as_bytes()), variables };
        self.git().line(run).await.map_err(|failure| self.failed(failure))
    }

    /// The tree that `base` becomes by the changes.
    pub(crate) async fn tree(&self, base: &str, changes: &[Change]) -> PortResult<String> {
        let failed = |failure| self.failed(failure);
        let whole = format!("{base}^{{tree}}");
        if changes.is_empty() {
            return self.git().line(Run::of(&["rev-parse", "--verify", "--end-of-options", &whole])).await.map_err(failed);
        }
        let folder = tempfile::Builder::new()
            .prefix("index-")
            .tempdir_in(self.git().folder())
            .map_err(|e| PortError::Unavailable { what: format!("a folder in {}", self.git().folder().display()), why: e.to_string() })?;
        let index = folder.path().join("index").display().to_string();
        let with_index = |args: &[&'static str]| Run { variables: vec![("GIT_INDEX_FILE", index.clone())], ..Run::of(args) };
        let read = Run { args: vec!["read-tree", &whole], variables: vec![("GIT_INDEX_FILE", index.clone())], ..Run::default() };
        self.git().said(read).await.map_err(failed)?;
        let mut lines = Vec::new();
        for change in changes {
            let run = Run { input: Some(change.text.as_bytes()), ..Run::of(&["hash-object", "-w", "-t", "blob", "--stdin"]) };
            let blob = self.git().line(run).await.map_err(failed)?;
            lines.extend(format!("{} {blob}\t{}\0", change.mode, change.path).into_bytes());
        }
        let write = Run { input: Some(&lines), ..with_index(&["update-index", "-z", "--add", "--index-info"]) };
        self.git().said(write).await.map_err(failed)?;
        self.git().line(with_index(&["write-tree"])).await.map_err(failed)
    }
}
