//! The one write: a branch is moved from exactly the commit that was read.

use super::failure::is_not_allowed;
use super::{Failure, Mirror, Run};
use picket_core::ports::{PortError, PortResult};

/// What the branch must be for the push to land: the compare of the compare-and-set, which the server makes under its lock.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Lease<'a> {
    /// At this commit.
    At(&'a str),
    /// Not there.
    Absent,
}

/// Reasons of a refused push (git's own words, in the C locale) that mean: the branch is not where it was read.
const MOVED: [&str; 8] = [
    "stale info",
    "fetch first",
    "non-fast-forward",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value",
    "reference already exists",
    "needs force",
];
/// Words that mean: nothing was sent.
const NOT_SENT: [&str; 6] = [
    "could not resolve host",
    "failed to connect",
    "connection refused",
    "connection timed out",
    "no route to host",
    "does not appear to be a git repository",
];

impl Mirror {
    /// Moves the branch `reference` to `commit` (deletes it without one), only from where the lease says. A repeat of a push that has landed
    /// is no error.
    ///
    /// # Errors
    /// `Conflict` when the branch stands elsewhere, `Refused` when the server forbids it, `Timeout` when nobody can say.
    pub(crate) async fn push(&self, reference: &str, commit: Option<&str>, lease: Lease<'_>) -> PortResult<()> {
        let expected = match lease {
            Lease::At(commit) => commit,
            Lease::Absent => "",
        };
        let lease = format!("--force-with-lease={reference}:{expected}");
        let what = format!("{}:{reference}", commit.unwrap_or_default());
        let run = Run::of(&["push", "--porcelain", "--no-verify", "--no-signed", &lease, "--", self.url(), &what]);
        let ended = self.git().ended(run).await.map_err(|failure| unanswered(&self.name(), failure))?;
        outcome(&self.name(), reference, ended.code, &String::from_utf8_lossy(&ended.stdout), &ended.stderr)
    }

    /// Whether the credentials are let in for writing. What the server's rules say of the branch shows only in a push that counts.
    ///
    /// # Errors
    /// `Refused` when they are not.
    pub(crate) async fn may_push(&self, head: &str) -> PortResult<()> {
        let what = format!("{head}:{}", self.reference());
        let run = Run::of(&["push", "--dry-run", "--porcelain", "--no-verify", "--no-signed", "--", self.url(), &what]);
        match self.git().ended(run).await {
            // That it has moved meanwhile is for the write to find out.
            Ok(ended) if ended.code == 0 || ended.stdout.contains(&b'!') => Ok(()),
            Ok(ended) => Err(self.failed(Failure::Ended { code: ended.code, stderr: ended.stderr })),
            Err(failure) => Err(self.failed(failure)),
        }
    }
}

fn unanswered(what: &str, failure: Failure) -> PortError {
    match failure {
        Failure::NotStarted(why) => PortError::Unavailable { what: "the git program".to_owned(), why },
        _ => PortError::Timeout { what: format!("the push to {what}") },
    }
}

/// What the run says of the branch. A line of `--porcelain` is `<flag>\t<from>:<to>\t<summary> (<reason>)`.
fn outcome(what: &str, reference: &str, code: i32, said: &str, stderr: &str) -> PortResult<()> {
    let ours = |line: &&str| line.split('\t').nth(1).is_some_and(|refs| refs.rsplit(':').next() == Some(reference));
    let line = said.lines().find(ours);
    match line.map(|line| (line.chars().next(), line.splitn(3, '\t').nth(2).unwrap_or_default())) {
        Some((Some('!'), reason)) if MOVED.iter().any(|words| reason.contains(words)) => Err(PortError::Conflict { what: what.to_owned() }),
        Some((Some('!'), reason)) => Err(PortError::Refused { what: what.to_owned(), why: format!("{reason}; {stderr}") }),
        Some(_) if code == 0 => Ok(()),
        _ => Err(unsent(what, stderr)),
    }
}

fn unsent(what: &str, stderr: &str) -> PortError {
    let lower = stderr.to_lowercase();
    if is_not_allowed(stderr) {
        PortError::Refused { what: what.to_owned(), why: stderr.to_owned() }
    } else if NOT_SENT.iter().any(|words| lower.contains(words)) {
        PortError::Unavailable { what: what.to_owned(), why: stderr.to_owned() }
    } else {
        PortError::Timeout { what: format!("the push to {what}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_push_is_told_apart() {
        let of = |line: &str| outcome("b", "refs/heads/main", i32::from(line.starts_with('!')), line, "");
        assert_eq!(of("To file:///r\n \tabc:refs/heads/main\t1..2\nDone\n"), Ok(()));
        assert_eq!(of("=\tabc:refs/heads/main\t[up to date]"), Ok(()));
        let refused = |reason: &str| of(&format!("!\tabc:refs/heads/main\t[remote rejected] ({reason})"));
        assert!(matches!(refused("failed to update ref"), Err(PortError::Conflict { .. })));
        assert!(matches!(of("!\tabc:refs/heads/main\t[rejected] (stale info)"), Err(PortError::Conflict { .. })));
        assert!(matches!(refused("protected branch hook declined"), Err(PortError::Refused { .. })));
        assert!(matches!(refused("pre-receive hook declined"), Err(PortError::Refused { .. })));
        let broken = |stderr: &str| outcome("b", "refs/heads/main", 128, "", stderr);
        assert!(matches!(broken("fatal: the remote end hung up unexpectedly"), Err(PortError::Timeout { .. })));
        assert!(matches!(broken("ssh: connect to host h port 22: Connection refused"), Err(PortError::Unavailable { .. })));
        assert!(matches!(broken("Permission denied (publickey)"), Err(PortError::Refused { .. })));
        assert!(matches!(outcome("b", "refs/heads/main", 1, " \tabc:refs/heads/main\t1..2", ""), Err(PortError::Timeout { .. })));
    }
}
