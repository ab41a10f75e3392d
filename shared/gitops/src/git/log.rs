//! Commits as they are read.

use super::{Failure, Mirror, Run};
use picket_core::ports::{PortError, PortResult};

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its id.
    pub id: String,
    /// Its parents' ids, the first first.
    pub parents: Vec<String>,
    /// Its tree's id.
    pub tree: String,
    /// The author's address.
    pub author: String,
    /// The committer's address.
    pub committer: String,
    /// When it was committed, seconds since the Unix epoch.
    pub at_s: i64,
    /// Whether its signature was checked against the allowed signers and is good.
    pub is_signed: bool,
    /// The whole message.
    pub message: String,
}

/// Which commits are asked for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Query<'a> {
    /// Reachable from here…
    pub until: &'a str,
    /// …and not from here.
    pub since: Option<&'a str>,
    /// Only those whose message holds this text.
    pub holding: Option<&'a str>,
    /// Only those that changed this file, along first parents.
    pub path: Option<&'a str>,
    /// The newest so many.
    pub max: usize,
    /// The file of allowed signers; without it nothing counts as signed.
    pub allowed_signers: Option<&'a str>,
}

impl Mirror {
    /// The commits, newest first.
    pub(crate) async fn commits(&self, query: Query<'_>) -> PortResult<Vec<Commit>> {
        let range = query.since.map_or_else(|| query.until.to_owned(), |since| format!("{since}..{}", query.until));
        let max = format!("--max-count={}", query.max);
        let holding = query.holding.map(|text| format!("--grep={text}"));
        let signature = if query.allowed_signers.is_some() { "%G?" } else { "-" };
        let format = format!("--format=tformat:%H%n%P%n%T%n%ae%n%ce%n%ct%n{signature}%n%B");
        let mut args = vec!["log", "-z", "--no-color", "--no-show-signature", "--encoding=UTF-8", "--fixed-strings", &format, &max];
        args.extend(holding.as_deref());
        if query.path.is_some() {
            args.push("--first-parent");
        }
        args.extend(["--end-of-options", &range, "--"]);
        args.extend(query.path);
        let settings = query.allowed_signers.map(|file| vec![format!("gpg.ssh.allowedSignersFile={file}")]).unwrap_or_default();
        let said = self.git().said(Run { settings, ..Run::of(&args) }).await.map_err(|failure| self.failed(failure))?;
        let text = String::from_utf8_lossy(&said);
        text.split('\0').filter(|record| !record.trim().is_empty()).map(|record| self.read(record)).collect()
    }

    /// One commit.
    pub(crate) async fn commit_of(&self, id: &str, allowed_signers: Option<&str>) -> PortResult<Commit> {
        let query = Query { until: id, since: None, holding: None, path: None, max: 1, allowed_signers };
        self.commits(query).await?.into_iter().next().ok_or_else(|| PortError::NotFound { what: format!("commit {id}") })
    }

    fn read(&self, record: &str) -> PortResult<Commit> {
        let mut lines = record.splitn(8, '\n');
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (id, parents, tree, author, committer, at, signature) = (next(), next(), next(), next(), next(), next(), next());
        let at_s =
            at.parse().map_err(|_| self.failed(Failure::Ended { code: 0, stderr: "what `git log` said cannot be read".to_owned() }))?;
        let parents = parents.split_whitespace().map(ToOwned::to_owned).collect();
        Ok(Commit { id, parents, tree, author, committer, at_s, is_signed: signature == "G", message: next().trim_end().to_owned() })
    }
}
