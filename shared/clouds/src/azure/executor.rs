//! Carries acts out on Azure: one compare-and-set, and its proof.

use super::api::{Api, Write};
use super::error::port_error;
use super::operation::{Progress, follow};
use super::permissions;
use super::resource::{Reading, Resource};
use super::stamp;
use crate::clock::Clock;
use crate::error::Call;
use crate::http::{Answer, Http};
use crate::object::{label, object, refused};
use crate::plan::{self, Change, Made, above};
use crate::settings::{CloudSettings, CloudTarget};
use crate::snapshot::Snapshot;
use picket_core::claim::ClaimedAction;
use picket_core::ids::EntryId;
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times that a fence is tried on a resource that changes under it, before it is left for later.
const TRIES: usize = 5;

/// Azure, for all targets of a cluster.
#[derive(Clone)]
pub(crate) struct Azure {
    api: Arc<Api>,
    write_timeout: Duration,
}

impl Azure {
    pub(crate) fn new(http: Http, settings: &CloudSettings, clock: Arc<dyn Clock>) -> Self {
        Self { api: Arc::new(Api::new(http, settings, clock)), write_timeout: Duration::from_millis(settings.write_timeout_ms) }
    }

    /// `None` for a target of another cloud.
    pub(crate) fn target(&self, target: &CloudTarget) -> Option<AzureTarget> {
        let resource = Resource::of(target)?;
        Some(AzureTarget { azure: self.clone(), at: object(target), target: target.clone(), resource })
    }
}

/// One resource on Azure.
#[derive(Clone)]
pub(crate) struct AzureTarget {
    azure: Azure,
    at: ObjectRef,
    target: CloudTarget,
    resource: Resource,
}

impl AzureTarget {
    fn until(&self) -> Instant {
        Instant::now() + self.azure.write_timeout
    }

    /// What stands; `None` when it does not exist.
    async fn read(&self) -> PortResult<Option<Reading>> {
        let what = label(&self.at);
        let answer = self.azure.api.get(&what, self.resource.path(), self.resource.api_version(), self.until()).await?;
        if answer.status != 200 {
            return match port_error(&what, Call::Read, &answer) {
                PortError::NotFound { .. } => Ok(None),
                error => Err(error),
            };
        }
        let damaged = |why: String| PortError::Damaged { what: format!("what Azure says of {what}"), why };
        let body: Value = serde_json::from_slice(&answer.body).map_err(|e| damaged(e.to_string()))?;
        self.resource.read(&body).map(Some).map_err(damaged)
    }

    pub(crate) async fn snapshot(&self) -> PortResult<Option<Snapshot>> {
        Ok(self.read().await?.map(|reading| reading.snapshot))
    }

    /// Whether the credentials may write; what cannot be found out is learnt from the write.
    async fn may_write(&self) -> PortResult<()> {
        let path = format!("{}/providers/Microsoft.Authorization/permissions", self.resource.path());
        let answer = self.azure.api.get(&label(&self.at), &path, permissions::VERSION, self.until()).await?;
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match permissions::allow(&list, self.resource.write_action()).filter(|_| answer.status == 200) {
            Some(false) => Err(refused(&self.at, format!("the actuator's credentials do not allow {}", self.resource.write_action()))),
            Some(true) | None => Ok(()),
        }
    }

    /// One compare-and-set on the version in `reading`.
    async fn write(&self, reading: &Reading, size: Option<u32>, tags: &Map<String, Value>, until: Instant) -> PortResult<Answer> {
        if tags.len() > stamp::TAGS_MAX {
            return Err(refused(&self.at, format!("it would have more than {} tags", stamp::TAGS_MAX)));
        }
        let (method, body) = self.resource.write(reading, size, tags);
        let what = label(&self.at);
        let write = Write { method, if_match: &reading.version, body: &body };
        let answer = self.azure.api.write(&what, self.resource.path(), self.resource.api_version(), write, until).await?;
        if matches!(answer.status, 200..=202) { Ok(answer) } else { Err(port_error(&what, Call::Write, &answer)) }
    }

    fn change_of(&self, work: &Work, reading: &Reading) -> PortResult<u32> {
        match plan::change(work, &self.at, &self.target, &reading.snapshot).map_err(|why| refused(&self.at, why))? {
            Change::Size(size) => Ok(size),
            Change::Restart => Err(refused(&self.at, "it is not restarted")),
        }
    }

    fn reading_of(&self, before: &Before) -> PortResult<Reading> {
        if before.object != self.at {
            return Err(refused(&self.at, "what was read is of another object"));
        }
        serde_json::from_value(before.content.clone())
            .map_err(|e| PortError::Damaged { what: format!("what was read of {}", label(&self.at)), why: e.to_string() })
    }

    pub(crate) async fn prepare(&self, work: &Work) -> PortResult<Before> {
        let reading = self.read().await?.ok_or_else(|| PortError::NotFound { what: label(&self.at) })?;
        self.change_of(work, &reading)?;
        self.may_write().await?;
        let content = serde_json::to_value(&reading).map_err(|e| refused(&self.at, e.to_string()))?;
        Ok(Before { object: self.at.clone(), resource_version: reading.version, token: reading.snapshot.token, content })
    }

    pub(crate) async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        let entry = claimed.entry();
        let reading = self.reading_of(before)?;
        if before.token.is_some_and(|standing| standing > claimed.token()) {
            return Err(refused(&self.at, "it has accepted a higher fencing token"));
        }
        if !stamp::fits(entry) {
            return Err(refused(&self.at, "the entry's id cannot be a tag"));
        }
        let size = self.change_of(claimed.work(), &reading)?;
        let until = self.until();
        let accepted = self.write(&reading, Some(size), &stamp::with_act(&reading.tags, entry, claimed.token()), until).await?;
        if let Progress::Failed(why) = follow(&self.azure.api, &label(&self.at), &accepted, until).await {
            return Err(refused(&self.at, format!("the operation was accepted and came to nothing: {why}")));
        }
        let body: Value = serde_json::from_slice(&accepted.body).unwrap_or_default();
        let version = self.resource.read(&body).map(|made| made.version).unwrap_or_default();
        Ok(self.receipt(entry, &reading, size, version, now))
    }

    fn receipt(&self, entry: &EntryId, reading: &Reading, size: u32, version: String, now: Timestamp) -> Receipt {
        plan::receipt(Made {
            at: &self.at,
            entry,
            before: &reading.snapshot,
            change: Change::Size(size),
            rollout: None,
            versions: (reading.version.clone(), version),
            now,
        })
    }

    pub(crate) async fn prove(
        &self,
        entry: &EntryId,
        token: FencingToken,
        work: &Work,
        before: &Before,
        now: Timestamp,
    ) -> PortResult<Proof> {
        let reading = self.reading_of(before)?;
        let size = self.change_of(work, &reading)?;
        for _ in 0..TRIES {
            let Some(current) = self.read().await? else {
                return Ok(Proof::Neither(format!("{} does not exist any more", label(&self.at))));
            };
            if current.snapshot.action_id.as_deref() == Some(entry.as_str()) {
                return Ok(if current.failed {
                    Proof::Neither(format!("the write was accepted, and an operation on {} has failed since", label(&self.at)))
                } else {
                    // What was accepted; what stands may be somebody else's by now, and an undo must notice that.
                    Proof::Effect(self.receipt(entry, &reading, size, current.version, now))
                });
            }
            if stamp::was_fenced_on(&current.tags, &reading.version) {
                return Ok(Proof::Absence); // By an earlier proof or fence.
            }
            if current.version != reading.version {
                return Ok(Proof::Neither(format!("{} was changed since it was read", label(&self.at))));
            }
            match self.raise(&current, above(token, current.snapshot.token)).await {
                Ok(()) => return Ok(Proof::Absence),
                Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.restless())
    }

    /// Raises the fence on exactly the version that was read, and changes nothing else.
    async fn raise(&self, current: &Reading, fence: FencingToken) -> PortResult<()> {
        self.write(current, None, &stamp::with_fence(&current.tags, fence, &current.version), self.until()).await.map(drop)
    }

    pub(crate) async fn fence(&self, token: FencingToken) -> PortResult<()> {
        for _ in 0..TRIES {
            let Some(current) = self.read().await? else { return Ok(()) };
            if current.snapshot.token.is_some_and(|standing| standing >= token) {
                return Ok(());
            }
            match self.raise(&current, token).await {
                // The next turn reads it back.
                Ok(()) | Err(PortError::Conflict { .. } | PortError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.restless())
    }

    fn restless(&self) -> PortError {
        PortError::Unavailable { what: format!("fence of {}", label(&self.at)), why: "it changes all the time".to_owned() }
    }
}
