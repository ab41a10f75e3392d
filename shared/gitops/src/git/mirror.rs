//! A bare copy of one branch: fetched, read, never served.

use super::{Failure, Git, Run, is_object_id, port_error};
use picket_core::ports::{PortError, PortResult};
use tokio::sync::{Mutex, MutexGuard};

/// Where the branch's head lies in the copy.
const HEAD: &str = "refs/picket/head";
/// Where the heads of picket's own request branches lie.
const REQUESTS: &str = "refs/picket/requests/";
/// What is left behind when git is killed between taking a lock and giving it back. Nobody else works in the folder.
const LOCKS: [&str; 4] = ["refs/picket/head.lock", "packed-refs.lock", "shallow.lock", "config.lock"];

/// The copy of one branch of one repository.
#[derive(Debug)]
pub(crate) struct Mirror {
    git: Git,
    url: String,
    branch: String,
    busy: Mutex<()>,
}

impl Mirror {
    /// Nothing is done before the first fetch.
    pub(crate) fn new(git: Git, url: String, branch: String) -> Self {
        Self { git, url, branch, busy: Mutex::new(()) }
    }

    /// For messages: which branch of which repository.
    pub(crate) fn name(&self) -> String {
        format!("branch {} of {}", self.branch, self.url)
    }

    pub(super) const fn git(&self) -> &Git {
        &self.git
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The branch's full name on the server.
    pub(crate) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    pub(super) fn failed(&self, failure: Failure) -> PortError {
        port_error(&self.name(), failure)
    }

    /// One at a time: runs of git in one folder get in each other's way.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().await
    }

    /// Brings the copy up to date, with the branches below `requests` too when that is not empty. The branch's head.
    pub(crate) async fn fetch(&self, requests: &str) -> PortResult<String> {
        self.make_ready().await?;
        let branch = format!("+{}:{HEAD}", self.reference());
        let all_requests = format!("+refs/heads/{requests}*:{REQUESTS}*");
        let mut args = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--prune", "--", &self.url, &branch];
        if !requests.is_empty() {
            args.push(&all_requests);
        }
        self.git.said(Run::of(&args)).await.map_err(|failure| self.failed(failure))?;
        self.resolve(HEAD).await?.ok_or_else(|| PortError::NotFound { what: self.name() })
    }

    /// The head of a request branch, as of the last fetch; `name` without the part that all of them begin with.
    pub(crate) async fn request(&self, name: &str) -> PortResult<Option<String>> {
        self.resolve(&format!("{REQUESTS}{name}")).await
    }

    async fn resolve(&self, reference: &str) -> PortResult<Option<String>> {
        let run = Run::of(&["rev-parse", "--verify", "--quiet", "--end-of-options", reference]);
        let ended = self.git.ended(run).await.map_err(|failure| self.failed(failure))?;
        let id = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        Ok(is_object_id(&id).then_some(id))
    }

    /// Whether the copy holds this commit.
    pub(crate) async fn holds(&self, commit: &str) -> PortResult<bool> {
        if !is_object_id(commit) || !self.is_there() {
            return Ok(false);
        }
        let kind = format!("{commit}^{{commit}}");
        let ended = self.git.ended(Run::of(&["cat-file", "-e", &kind])).await.map_err(|failure| self.failed(failure))?;
        Ok(ended.code == 0)
    }

    /// Whether `older` is `newer` or one of its ancestors; false when the copy does not hold it.
    pub(crate) async fn is_ancestor(&self, older: &str, newer: &str) -> PortResult<bool> {
        if !is_object_id(older) || !is_object_id(newer) || !self.is_there() {
            return Ok(false);
        }
        let ended = self.git.ended(Run::of(&["merge-base", "--is-ancestor", older, newer])).await;
        match ended.map_err(|failure| self.failed(failure))? {
            ended if ended.code == 0 => Ok(true),
            ended if ended.code == 1 => Ok(false),
            ended if self.holds(older).await? && self.holds(newer).await? => {
                Err(self.failed(Failure::Ended { code: ended.code, stderr: ended.stderr }))
            }
            _ => Ok(false),
        }
    }

    /// Whether the folder is a repository yet.
    fn is_there(&self) -> bool {
        self.git.folder().join("HEAD").is_file()
    }

    /// Makes the folder a repository, and clears what a killed run left.
    async fn make_ready(&self) -> PortResult<()> {
        let folder = self.git.folder();
        let damaged = |e: std::io::Error| PortError::Unavailable { what: format!("{}", folder.display()), why: e.to_string() };
        tokio::fs::create_dir_all(folder).await.map_err(damaged)?;
        for lock in LOCKS {
            match tokio::fs::remove_file(folder.join(lock)).await {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(damaged(e)),
                _ => {}
            }
        }
        if !self.is_there() {
            let run = Run::of(&["init", "--quiet", "--bare", "--template=", "--object-format=sha1"]);
            self.git.said(run).await.map_err(|failure| self.failed(failure))?;
        }
        Ok(())
    }
}
