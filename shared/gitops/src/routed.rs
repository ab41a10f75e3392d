//! One executor in front of two: by configuration an act goes to the cluster's API or to git.

use crate::delivery::managed_by;
use crate::settings::{GitOpsSettings, Route};
use picket_core::claim::ClaimedAction;
use picket_core::ids::{ClusterName, EntryId};
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// Which way each namespace of one cluster goes; those that are not named go directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    by_namespace: BTreeMap<String, Route>,
}

impl Routes {
    /// As the settings say for the cluster.
    #[must_use]
    pub fn of(settings: &GitOpsSettings, cluster: &ClusterName) -> Self {
        let entries = settings.entries.iter().filter(|entry| entry.cluster == cluster.as_str());
        let routes = entries.flat_map(|entry| entry.namespaces.iter().map(|namespace| (namespace.clone(), entry.route)));
        Self { by_namespace: routes.collect() }
    }

    fn of_work(&self, work: &Work) -> Option<Route> {
        self.by_namespace.get(&work.action().service.namespace).copied()
    }
}

/// Whether the direct executor was refused for want of rights: by its own question beforehand, or by the API server (403).
#[must_use]
pub fn is_want_of_rights(error: &PortError) -> bool {
    let PortError::Refused { why, .. } = error else { return false };
    let refusals = ["credentials do not allow", "is forbidden:", "cannot get", "cannot list", "cannot patch", "cannot create"];
    refusals.iter().any(|words| why.contains(words))
}

/// Carries an act out directly or in git. The way is chosen once, in `prepare`, and stands in what that gives back.
#[derive(Debug)]
pub struct Routed<D, G> {
    direct: D,
    git: G,
    routes: Routes,
    wants_rights: fn(&PortError) -> bool,
}

impl<D: RemediationExecutor, G: RemediationExecutor> Routed<D, G> {
    /// `wants_rights` tells a refusal for want of rights from any other; [`is_want_of_rights`] knows the direct executor's.
    pub const fn new(direct: D, git: G, routes: Routes, wants_rights: fn(&PortError) -> bool) -> Self {
        Self { direct, git, routes, wants_rights }
    }

    /// The executor of the cluster's API.
    pub const fn direct(&self) -> &D {
        &self.direct
    }

    /// The executor of git.
    pub const fn git(&self) -> &G {
        &self.git
    }

    /// Directly, unless that is not allowed, or a controller would take it back.
    async fn fall_back(&self, work: &Work) -> PortResult<Before> {
        let why = match self.direct.prepare(work).await {
            Err(error) if (self.wants_rights)(&error) => error.to_string(),
            Ok(before) => match before.content.get("target").and_then(managed_by) {
                Some(controller) => format!("{controller} would take a direct write back"),
                None => return Ok(before),
            },
            Err(error) => return Err(error),
        };
        tracing::info!(%why, "the act goes to git");
        self.git.prepare(work).await.map_err(|error| match error {
            PortError::Refused { what, why: no } => PortError::Refused { what, why: format!("{no} (and not directly: {why})") },
            other => other,
        })
    }
}

/// Whether this was read, or written, in git.
fn is_in_git(object: &ObjectRef) -> bool {
    object.delivered().is_some()
}

impl<D: RemediationExecutor, G: RemediationExecutor> RemediationExecutor for Routed<D, G> {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        match (work, self.routes.of_work(work)) {
            // What was done one way is taken back the same way.
            (Work::Undo { receipt, .. }, _) if is_in_git(&receipt.object) => self.git.prepare(work).await,
            (Work::Undo { .. }, _) | (_, None) => self.direct.prepare(work).await,
            (Work::Do { .. }, Some(Route::Git)) => self.git.prepare(work).await,
            (Work::Do { .. }, Some(Route::Fallback)) => self.fall_back(work).await,
        }
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        if is_in_git(&before.object) {
            self.git.execute(claimed, before, now).await
        } else {
            self.direct.execute(claimed, before, now).await
        }
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        if is_in_git(&before.object) {
            self.git.prove(entry, token, work, before, now).await
        } else {
            self.direct.prove(entry, token, work, before, now).await
        }
    }

    /// Which way it was prepared is not known here, so every way that it may have gone is fenced. Where the credentials do not allow the
    /// direct write, none was let through.
    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        match (work, self.routes.of_work(work)) {
            (Work::Undo { receipt, .. }, _) if is_in_git(&receipt.object) => self.git.fence(work, token).await,
            (Work::Undo { .. }, _) | (_, None) => self.direct.fence(work, token).await,
            (Work::Do { .. }, Some(_)) => {
                self.git.fence(work, token).await?;
                match self.direct.fence(work, token).await {
                    Err(error) if (self.wants_rights)(&error) => Ok(()),
                    done => done,
                }
            }
        }
    }

    /// Only git leaves something to take back. Which way it was prepared is not known here.
    async fn abandon(&self, work: &Work) -> PortResult<()> {
        match self.routes.of_work(work) {
            Some(_) => self.git.abandon(work).await,
            None => Ok(()),
        }
    }

    /// Both: acts of either way may be under way.
    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        self.git.fence_all(token).await?;
        self.direct.fence_all(token).await
    }
}
