//! Carries acts out by commits (PROTOCOL.md: Act, Proof, Undo, GitOps).

use crate::delivery::{DeliveryController as _, DeliveryWatch};
use crate::git::Author;
use crate::place::{Place, TRIES};
use crate::plan::{self, Planned, Reading, STAMP};
use crate::reading::refused;
use crate::settings::{GitOpsEntry, GitOpsProblem, GitOpsSettings};
use crate::{proof, reading, request, trailer};
use picket_core::claim::ClaimedAction;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The coordinator's time, as the actuator knows it: the dates of fences and requests.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long an act that has landed waits for its controller to be asked.
const SYNC_WAIT: Duration = Duration::from_secs(3);

/// Why an executor could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GitOpsError {
    /// The configuration is wrong.
    #[error("{0}")]
    Settings(GitOpsProblem),
    /// A file or folder cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Another process works in the state folder.
    #[error("{0}: another process works in it")]
    Taken(String),
}

/// Carries acts out in the branches of one cluster's namespaces.
pub struct GitOpsExecutor {
    places: Vec<Place>,
    clock: Clock,
    /// Held as long as it lives: two processes in one folder would take each other's locks away.
    _hold: Hold,
}

/// The lock of the state folder.
struct Hold(std::fs::File);

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing alone would leave it with a process that is being started at this moment and has the file open still.
        drop(self.0.unlock());
    }
}

impl fmt::Debug for GitOpsExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitOpsExecutor").field("places", &self.places).finish_non_exhaustive()
    }
}

impl GitOpsExecutor {
    /// For the entries of one cluster. `state` is a folder of its own; what lies in it may be lost at any time between two acts.
    ///
    /// # Errors
    /// When the settings are wrong, a file cannot be used, or another process has the folder.
    pub fn open(settings: &GitOpsSettings, cluster: &ClusterName, state: &Path, clock: Clock) -> Result<Self, GitOpsError> {
        if let Some(problem) = settings.problems().into_iter().next() {
            return Err(GitOpsError::Settings(problem));
        }
        let unusable = |e: std::io::Error| GitOpsError::Unusable(format!("{}: {e}", state.display()));
        std::fs::create_dir_all(state).map_err(unusable)?;
        let lock = std::fs::File::create(state.join("lock")).map_err(unusable)?;
        lock.try_lock().map_err(|_| GitOpsError::Taken(state.display().to_string()))?;
        let file = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let author = Arc::new(Author {
            name: settings.author_name.clone(),
            email: settings.author_email.clone(),
            signing_key_file: file(&settings.signing_key_file),
            allowed_signers_file: file(&settings.allowed_signers_file),
        });
        let (git, http) = (Duration::from_secs(settings.git_timeout_s), Duration::from_secs(settings.http_timeout_s));
        let entries = settings.entries.iter().filter(|entry| entry.cluster == cluster.as_str());
        let place = |entry: &GitOpsEntry| Place::new(entry.clone(), author.clone(), state, git, http);
        let places = entries.map(place).collect::<Result<_, _>>().map_err(GitOpsError::Unusable)?;
        Ok(Self { places, clock, _hold: Hold(lock) })
    }

    /// Whether the service's namespace stands in an entry.
    #[must_use]
    pub fn serves(&self, service: &ServiceId) -> bool {
        self.place(service).is_some()
    }

    /// A watch over what delivers its branches.
    #[must_use]
    pub fn deliveries(&self) -> DeliveryWatch {
        let delivered = self.places.iter().filter_map(|place| Some((place.mirror.name(), place.controller.clone()?)));
        DeliveryWatch::new(delivered)
    }

    fn place(&self, service: &ServiceId) -> Option<&Place> {
        let is_of = |place: &&Place| place.entry.cluster == service.cluster.as_str() && place.entry.namespaces.contains(&service.namespace);
        self.places.iter().find(is_of)
    }

    fn place_of(&self, service: &ServiceId) -> PortResult<&Place> {
        self.place(service).ok_or_else(|| PortError::Refused {
            what: format!("a change of {service} in git"),
            why: format!("no entry of the GitOps settings has the namespace {} of {}", service.namespace, service.cluster),
        })
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

impl RemediationExecutor for GitOpsExecutor {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        let (action, at) = (work.action(), plan::target(work.action()));
        if !crate::settings::is_label(&at.name) || !crate::settings::is_label(&at.namespace) {
            return Err(refused(&at, "this is no name of Kubernetes"));
        }
        let place = self.place_of(&action.service)?;
        let _turn = place.mirror.turn().await;
        let head = place.head().await?;
        let token = place.fences(&head).await?.get(&Scope::of(&action.service)).copied();
        let mut reading = reading::read(place, work, &head).await?;
        plan::plan(work, &reading, Timestamp(0)).map_err(|why| refused(&at, &why))?;
        match &place.forge {
            Some(forge) => reading.request = Some(request::green(place, forge, work, &head, &reading, self.now()).await?),
            None => place.mirror.may_push(&head).await?,
        }
        let content = serde_json::to_value(&reading).map_err(|e| refused(&at, &e.to_string()))?;
        Ok(Before { object: at, resource_version: head, token, content })
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        let (work, at) = (claimed.work(), &before.object);
        let place = self.place_of(&work.action().service)?;
        let reading = reading_of(place, work, before)?;
        // Whoever reads the branch later sees this token; asking the server would cost a push that must not succeed (I3).
        if before.token.is_some_and(|standing| standing > claimed.token()) {
            return Err(refused(at, "it has accepted a higher fencing token"));
        }
        let told = |why: String| refused(at, &why);
        let planned = plan::plan(work, &reading, now).map_err(told)?;
        let scope = Scope::of(&work.action().service);
        let message = trailer::act(work, claimed.entry(), at, &scope, claimed.token()).map_err(told)?;
        let _turn = place.mirror.turn().await;
        bring_back(place, before, &reading).await?;
        let merged = reading.request.as_ref().map(|request| request.commit.as_str());
        let commit = place.add(&before.resource_version, merged, &planned.changes, &message, now).await?;
        ask_to_sync(place, &commit, now).await;
        Ok(receipt(before, claimed.entry(), planned, commit, now))
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        let place = self.place_of(&work.action().service)?;
        let reading = reading_of(place, work, before)?;
        let _turn = place.mirror.turn().await;
        let claim = proof::Claim { entry, token, work, before, reading: &reading };
        for _ in 0..TRIES {
            let raised = match proof::look(place, &claim).await.map_err(later)? {
                proof::Seen::Landed { commit, planned } => {
                    return Ok(Proof::Effect(receipt(before, entry, planned, commit, now)));
                }
                proof::Seen::CannotTell(why) => return Ok(Proof::Neither(why)),
                proof::Seen::NeverWill => return Ok(Proof::Absence),
                proof::Seen::Unmoved => proof::fence(place, &claim, self.now()).await,
            };
            match raised {
                Ok(()) => return Ok(Proof::Absence),
                // It moved between the look and the fence.
                Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(later(error)),
            }
        }
        Err(PortError::Unavailable { what: format!("the fence of {}", place.mirror.name()), why: "it moves all the time".to_owned() })
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        let service = &work.action().service;
        let place = self.place_of(service)?;
        let _turn = place.mirror.turn().await;
        place.raise(&[(Scope::of(service), token)], self.now()).await.map_err(later)
    }

    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        for place in &self.places {
            let _turn = place.mirror.turn().await;
            let wanted: Vec<_> = place.scopes().map(|scope| (scope, token)).collect();
            place.raise(&wanted, self.now()).await.map_err(later)?;
        }
        Ok(())
    }

    /// Closes the work's request, and removes its branch.
    async fn abandon(&self, work: &Work) -> PortResult<()> {
        let place = self.place_of(&work.action().service)?;
        let _turn = place.mirror.turn().await;
        match &place.forge {
            Some(forge) => request::abandon(place, forge, work).await,
            None => Ok(()),
        }
    }
}

/// Asks the controller once. The merge is the effect: what fails here is found by the controller itself, later, so it holds up no report.
async fn ask_to_sync(place: &Place, commit: &str, now: Timestamp) {
    let Some(controller) = &place.controller else { return };
    let mark = format!("{}/{commit}", now.0);
    match tokio::time::timeout(SYNC_WAIT, controller.request_sync(commit, &mark)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, %commit, "the change has landed, and its controller could not be asked to sync at once"),
        Err(_) => tracing::warn!(%commit, "the change has landed, and its controller did not answer in time"),
    }
}

/// A proof or fence that credentials stand in the way of is tried again: giving up would leave open what may still land.
fn later(error: PortError) -> PortError {
    match error {
        PortError::Refused { what, why } => PortError::Unavailable { what, why },
        other => other,
    }
}

/// The copy may have been lost since the claim was made ready. Commits are named by their content: fetching them reads nothing anew [M3].
async fn bring_back(place: &Place, before: &Before, reading: &Reading) -> PortResult<()> {
    let commits = || [Some(before.resource_version.as_str()), reading.request.as_ref().map(|r| r.commit.as_str())].into_iter().flatten();
    for fetched in [false, true] {
        let mut all = true;
        for commit in commits() {
            all &= place.mirror.holds(commit).await?;
        }
        match (all, fetched) {
            (true, _) => return Ok(()),
            (false, false) => drop(place.head().await?),
            (false, true) => {}
        }
    }
    Err(PortError::Conflict { what: place.mirror.name() })
}

fn receipt(before: &Before, entry: &EntryId, planned: Planned, commit: String, now: Timestamp) -> Receipt {
    let Planned { before: mut fields_before, after: mut fields_after, .. } = planned;
    fields_before.insert(STAMP.to_owned(), Value::Null);
    fields_after.insert(STAMP.to_owned(), json!(entry.as_str()));
    Receipt {
        object: before.object.clone(),
        before: fields_before,
        after: fields_after,
        resource_version_before: before.resource_version.clone(),
        resource_version_after: commit,
        applied_at: now,
    }
}

fn reading_of(place: &Place, work: &Work, before: &Before) -> PortResult<Reading> {
    let at: &ObjectRef = &before.object;
    if *at != plan::target(work.action()) {
        return Err(refused(at, "this is not the object of the work"));
    }
    let damaged = |why: String| PortError::Damaged { what: format!("what was read of {}/{}", at.namespace, at.name), why };
    let reading: Reading = serde_json::from_value(before.content.clone()).map_err(|e| damaged(e.to_string()))?;
    if reading.branch != place.mirror.name() {
        return Err(damaged(format!("it was read on {}, and the configuration now says {}", reading.branch, place.mirror.name())));
    }
    if !crate::git::is_object_id(&before.resource_version) {
        return Err(damaged("its version is no commit".to_owned()));
    }
    Ok(reading)
}
