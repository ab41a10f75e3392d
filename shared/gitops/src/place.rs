//! One folder of one branch: what stands on it, and the one way to add to it.

use crate::delivery::Controller;
use crate::forge::Forge;
use crate::git::{Access, Author, Change, Commit, Git, Lease, Mirror, NewCommit, Query};
use crate::settings::{GitOpsEntry, Transport};
use crate::trailer::{self, Trailers};
use picket_core::action::Digest;
use picket_core::ports::{PortError, PortResult};
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What request branches begin with.
pub(crate) const REQUESTS: &str = "picket/";
/// Times that a fence is tried on a branch that moves under it, before it is left for later.
pub(crate) const TRIES: usize = 5;
/// Commits with fences that are read at once; a branch with more is asked for by people first.
const FENCES_MAX: usize = 100_000;

/// Fences by scope, and the commit up to which they were read.
#[derive(Clone, Debug, Default)]
struct Fences {
    head: String,
    tokens: BTreeMap<Scope, FencingToken>,
}

/// One entry of the configuration, at work.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its settings.
    pub entry: GitOpsEntry,
    /// Its branch.
    pub mirror: Mirror,
    /// Where requests are opened.
    pub forge: Option<Forge>,
    /// What delivers it.
    pub controller: Option<Controller>,
    /// In whose name it commits.
    pub author: Arc<Author>,
    fences: Mutex<Fences>,
}

impl Place {
    /// From checked settings. Makes a folder of its own below `state`.
    ///
    /// # Errors
    /// In words, when a file or folder cannot be used.
    pub(crate) fn new(entry: GitOpsEntry, author: Arc<Author>, state: &Path, git: Duration, http: Duration) -> Result<Self, String> {
        let key = Digest::of(format!("{}\n{}\n{}", entry.repository, entry.branch, entry.path).as_bytes());
        let folder = state.join(&key.0[..16]);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: cannot be made: {e}", folder.display()))?;
        let transport = entry.transport().unwrap_or(Transport::File);
        let access = Access::of(&entry, transport, state).map_err(|e| format!("{}: {e}", state.display()))?;
        let mirror = Mirror::new(Git::new(folder, access, git), entry.repository.clone(), entry.branch.clone());
        let forge = Forge::of(&entry.forge, http)?;
        let controller = Controller::of(&entry.controller, http)?;
        Ok(Self { entry, mirror, forge, controller, author, fences: Mutex::default() })
    }

    /// Brings the copy up to date; the branch's head.
    pub(crate) async fn head(&self) -> PortResult<String> {
        self.mirror.fetch(if self.forge.is_some() { REQUESTS } else { "" }).await
    }

    /// The file of allowed signers, when there is one.
    pub(crate) fn allowed_signers(&self) -> Option<&str> {
        self.author.allowed_signers_file.as_deref()
    }

    /// Whether a commit is believed to be picket's: by its signature where that is asked for, else by the address, which anybody who may push
    /// can write (docs/gitops.md, "Who is trusted").
    pub(crate) fn is_ours(&self, commit: &Commit) -> bool {
        let signed = commit.is_signed || self.author.allowed_signers_file.is_none();
        signed && commit.author == self.author.email && commit.committer == self.author.email
    }

    /// The fences that stand on the branch at `head`.
    pub(crate) async fn fences(&self, head: &str) -> PortResult<BTreeMap<Scope, FencingToken>> {
        let known = self.fences.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A history that was rewritten is read anew.
        let known = if self.mirror.is_ancestor(&known.head, head).await? { known } else { Fences::default() };
        let query = Query {
            until: head,
            since: Some(known.head.as_str()).filter(|since| !since.is_empty()),
            holding: Some(trailer::FENCING_TOKEN),
            path: None,
            max: FENCES_MAX,
            allowed_signers: self.allowed_signers(),
        };
        let mut tokens = known.tokens;
        for commit in self.mirror.commits(query).await?.iter().filter(|commit| self.is_ours(commit)) {
            for (scope, token) in trailer::read(&commit.message).tokens {
                let standing = tokens.entry(scope).or_default();
                *standing = token.max(*standing);
            }
        }
        *self.fences.lock().unwrap_or_else(PoisonError::into_inner) = Fences { head: head.to_owned(), tokens: tokens.clone() };
        Ok(tokens)
    }

    /// Makes a commit on `head` (merging `merged`) and moves the branch there, from exactly `head`. Its id.
    pub(crate) async fn add(
        &self,
        head: &str,
        merged: Option<&str>,
        changes: &[Change],
        message: &str,
        at: Timestamp,
    ) -> PortResult<String> {
        let commit = self.mirror.make(&NewCommit { base: head, merged, changes, message, at }, &self.author).await?;
        self.mirror.push(&self.mirror.reference(), Some(&commit), Lease::At(head)).await?;
        Ok(commit)
    }

    /// Raises fences on whatever stands until a read shows them.
    pub(crate) async fn raise(&self, wanted: &[(Scope, FencingToken)], at: Timestamp) -> PortResult<()> {
        for _ in 0..TRIES {
            let head = self.head().await?;
            let standing = self.fences(&head).await?;
            let missing: Vec<_> = wanted.iter().filter(|(scope, token)| standing.get(scope) < Some(token)).cloned().collect();
            if missing.is_empty() {
                return Ok(());
            }
            match self.add(&head, None, &[], &trailer::fence(&missing), at).await {
                // The next turn reads it back.
                Ok(_) | Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(PortError::Unavailable { what: format!("the fence of {}", self.mirror.name()), why: "it moves all the time".to_owned() })
    }

    /// The scopes of its namespaces.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.entry.namespaces.iter().map(|namespace| Scope::Namespace(self.entry.cluster.as_str().into(), namespace.clone()))
    }

    /// The trailers of commits of picket's between two, newest first.
    pub(crate) async fn acts_between(&self, since: &str, until: &str, path: &str) -> PortResult<Vec<Trailers>> {
        let query =
            Query { until, since: Some(since), holding: None, path: Some(path), max: FENCES_MAX, allowed_signers: self.allowed_signers() };
        let commits = self.mirror.commits(query).await?;
        Ok(commits.iter().filter(|commit| self.is_ours(commit)).map(|commit| trailer::read(&commit.message)).collect())
    }
}
