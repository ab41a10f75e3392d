//! Requests to merge, and their checks.

mod github;
mod gitlab;

use crate::http::{Api, Credential};
use crate::settings::{ForgeKind, ForgeSettings};
use picket_core::ports::PortResult;
use std::time::Duration;

/// How a request's checks stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// All done, all good.
    Green,
    /// Not yet; which.
    Pending(String),
    /// At least one is bad; which.
    Red(String),
}

/// A request that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its number in the project.
    pub number: u64,
    /// Where people see it.
    pub url: String,
}

/// What became of the branch's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One is open.
    Open(Request),
    /// The one of this very commit was closed without a merge: somebody said no.
    TurnedDown(Request),
    /// None was opened for it.
    None,
}

/// What a request says.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// The branch with the change.
    pub branch: &'a str,
    /// Its head.
    pub commit: &'a str,
    /// Where it shall go.
    pub base: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
}

/// One project of a forge.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    api: Api,
    kind: ForgeKind,
    project: String,
    require_checks: bool,
}

impl Forge {
    /// From checked settings; `None` when there is none.
    ///
    /// # Errors
    /// In words, when its CA or address cannot be used.
    pub(crate) fn of(settings: &ForgeSettings, timeout: Duration) -> Result<Option<Self>, String> {
        let (what, credential) = match settings.kind {
            ForgeKind::None => return Ok(None),
            ForgeKind::GitHub => ("GitHub", Credential::Bearer),
            ForgeKind::GitLab => ("GitLab", Credential::PrivateToken),
        };
        let api = Api::new(what, &settings.api_url, &settings.token_file, &settings.ca_file, credential, timeout)?;
        Ok(Some(Self { api, kind: settings.kind, project: settings.project.clone(), require_checks: settings.require_checks }))
    }

    /// The open request of the branch, opened when there is none.
    ///
    /// # Errors
    /// `Refused` when somebody closed the one of this commit.
    pub(crate) async fn request(&self, wanted: &Wanted<'_>) -> PortResult<Request> {
        match self.standing(wanted.branch, wanted.base, wanted.commit).await? {
            Standing::Open(request) => Ok(request),
            Standing::TurnedDown(request) => {
                Err(self.api.refused(&format!("somebody closed the request {} without merging it", request.url)))
            }
            Standing::None if self.kind == ForgeKind::GitLab => gitlab::ask(&self.api, &self.project, wanted).await,
            Standing::None => github::ask(&self.api, &self.project, wanted).await,
        }
    }

    /// What became of the requests of the branch.
    pub(crate) async fn standing(&self, branch: &str, base: &str, commit: &str) -> PortResult<Standing> {
        match self.kind {
            ForgeKind::GitLab => gitlab::standing(&self.api, &self.project, branch, base, commit).await,
            _ => github::standing(&self.api, &self.project, branch, base, commit).await,
        }
    }

    /// How the checks of the commit stand; green without a question where they are not required.
    pub(crate) async fn checks(&self, commit: &str) -> PortResult<Checks> {
        match self.kind {
            _ if !self.require_checks => Ok(Checks::Green),
            ForgeKind::GitLab => gitlab::checks(&self.api, &self.project, commit).await,
            _ => github::checks(&self.api, &self.project, commit).await,
        }
    }

    /// Closes a request without merging it.
    pub(crate) async fn close(&self, request: &Request) -> PortResult<()> {
        match self.kind {
            ForgeKind::GitLab => gitlab::close(&self.api, &self.project, request).await,
            _ => github::close(&self.api, &self.project, request).await,
        }
    }
}
