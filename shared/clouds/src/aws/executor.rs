//! Carries acts out on AWS: compare, stamp, compare, change; and proves what can be proven.

use super::api::{Api, Moment};
use super::attempts::Attempts;
use super::error::Failure;
use super::fences::{STEPS_MAX, Step};
use super::horizon;
use super::reading::Reading;
use super::resource::Resource;
use super::stamp;
use crate::clock::Clock;
use crate::error::{Call, CloudError};
use crate::http::Http;
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
use std::sync::Arc;
use std::time::{Duration, Instant};

/// AWS, for all targets of a cluster.
#[derive(Clone)]
pub(crate) struct Aws {
    api: Arc<Api>,
    attempts: Arc<Attempts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) life_s: u64,
    pub(super) patience_s: u64,
    write_timeout: Duration,
    min_healthy_percentage: u8,
}

impl Aws {
    /// # Errors
    /// When the settings name credentials that are not there.
    pub(crate) fn new(http: Http, settings: &CloudSettings, clock: Arc<dyn Clock>) -> Result<Self, CloudError> {
        let api = Api::new(http, settings, clock.clone(), &|name| std::env::var(name).ok())?;
        Ok(Self {
            api: Arc::new(api),
            attempts: Arc::default(),
            clock,
            life_s: settings.aws.signature_life_s,
            patience_s: settings.aws.patience_s,
            write_timeout: Duration::from_millis(settings.write_timeout_ms),
            min_healthy_percentage: settings.aws.min_healthy_percentage,
        })
    }

    /// `None` for a target of another cloud.
    pub(crate) fn target(&self, target: &CloudTarget) -> Option<AwsTarget> {
        let resource = Resource::of(target, self.min_healthy_percentage)?;
        Some(AwsTarget { aws: self.clone(), at: object(target), target: target.clone(), resource })
    }

    /// Signed now: for reads and fences.
    pub(super) fn moment(&self) -> Moment {
        Moment { signed_s: self.clock.now_s(), until: Instant::now() + self.write_timeout }
    }
}

/// One resource on AWS.
#[derive(Clone)]
pub(crate) struct AwsTarget {
    pub(super) aws: Aws,
    pub(super) at: ObjectRef,
    target: CloudTarget,
    resource: Resource,
}

impl AwsTarget {
    /// What stands, and when by AWS's clock; `None` when it does not exist.
    pub(super) async fn read(&self, moment: Moment) -> PortResult<(Option<Reading>, i64)> {
        let reply = self.resource.read(&self.aws.api, moment).await.map_err(|e| self.error(e, Call::Read))?;
        Ok((reply.body, reply.seen_s))
    }

    pub(crate) async fn snapshot(&self) -> PortResult<Option<Snapshot>> {
        Ok(self.read(self.aws.moment()).await?.0.map(|reading| reading.snapshot))
    }

    pub(super) async fn tag(&self, id: &str, tags: &[(&'static str, String)], moment: Moment) -> Result<(), Failure> {
        self.resource.tag(&self.aws.api, id, tags, moment).await
    }

    pub(super) fn error(&self, failure: Failure, call: Call) -> PortError {
        failure.port_error(&label(&self.at), call)
    }

    fn change_of(&self, work: &Work, reading: &Reading) -> PortResult<Change> {
        plan::change(work, &self.at, &self.target, &reading.snapshot).map_err(|why| refused(&self.at, why))
    }

    fn reading_of(&self, before: &Before) -> PortResult<Reading> {
        if before.object != self.at {
            return Err(refused(&self.at, "what was read is of another object"));
        }
        serde_json::from_value(before.content.clone())
            .map_err(|e| PortError::Damaged { what: format!("what was read of {}", label(&self.at)), why: e.to_string() })
    }

    pub(crate) async fn prepare(&self, work: &Work) -> PortResult<Before> {
        let (reading, _) = self.read(self.aws.moment()).await?;
        let reading = reading.ok_or_else(|| PortError::NotFound { what: label(&self.at) })?;
        self.change_of(work, &reading)?;
        let content = serde_json::to_value(&reading).map_err(|e| refused(&self.at, e.to_string()))?;
        let (resource_version, token) = (reading.version(), stamp::highest(&reading));
        Ok(Before { object: self.at.clone(), resource_version, token, content })
    }

    pub(crate) async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        let entry = claimed.entry();
        if !self.aws.attempts.begin(entry) {
            return Err(refused(&self.at, "this claim was tried already"));
        }
        let mut effect_sent = false;
        let done = self.try_once(claimed, before, now, &mut effect_sent).await;
        if done.is_err() && !effect_sent {
            self.aws.attempts.had_no_effect(entry);
        }
        done
    }

    /// Sets `effect_sent` when the one write may have landed.
    async fn try_once(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp, effect_sent: &mut bool) -> PortResult<Receipt> {
        let (entry, token) = (claimed.entry(), claimed.token());
        let reading = self.reading_of(before)?;
        if before.token.is_some_and(|standing| standing > token) {
            return Err(refused(&self.at, "it has accepted a higher fencing token"));
        }
        if !stamp::fits(entry) {
            return Err(refused(&self.at, "the entry's id cannot be a tag"));
        }
        let change = self.change_of(claimed.work(), &reading)?;
        // Before the first comparison: all writes bear this time, and AWS takes them for so long after it and no longer.
        let moment = self.aws.moment();
        self.compare(moment, &before.resource_version).await?;
        let act = stamp::of_act(entry, token);
        self.tag(&reading.snapshot.id, &act, moment).await.map_err(|e| self.error(e, Call::Write))?;
        let mut stamped = reading.clone();
        (stamped.snapshot.action_id, stamped.snapshot.token) = (Some(entry.to_string()), Some(token));
        self.compare(moment, &stamped.version()).await?;
        *effect_sent = true;
        let rollout = match self.resource.change(&self.aws.api, change, moment).await {
            Ok(rollout) => rollout,
            Err(failure) => {
                *effect_sent = !failure.changed_nothing();
                return Err(self.error(failure, Call::Write));
            }
        };
        let mut made = stamped;
        match change {
            Change::Size(size) => made.snapshot.size = size,
            Change::Restart => made.snapshot.rollout = rollout,
        }
        Ok(self.receipt(entry, &reading, change, &made, before, now))
    }

    /// Only ever keeps a write from being sent: what it reads replaces nothing that was read before the claim [M3].
    async fn compare(&self, moment: Moment, version: &str) -> PortResult<()> {
        let (standing, theirs_s) = self.read(moment).await?;
        if !horizon::clock_agrees(moment.signed_s, theirs_s) {
            return Err(self.clock_is_off(moment, theirs_s));
        }
        match standing {
            None => Err(PortError::NotFound { what: label(&self.at) }),
            Some(standing) if standing.version() != version || standing.snapshot.busy.is_some() => {
                Err(PortError::Conflict { what: label(&self.at) })
            }
            Some(_) => Ok(()),
        }
    }

    fn receipt(&self, entry: &EntryId, read: &Reading, change: Change, made: &Reading, before: &Before, now: Timestamp) -> Receipt {
        plan::receipt(Made {
            at: &self.at,
            entry,
            before: &read.snapshot,
            change,
            rollout: made.snapshot.rollout.as_deref(),
            versions: (before.resource_version.clone(), made.version()),
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
        let read = self.reading_of(before)?;
        let change = self.change_of(work, &read)?;
        let known_absent = self.aws.attempts.is_without_effect(entry);
        let needed = above(token, None);
        let mut patience_s = self.aws.patience_s;
        for _ in 0..STEPS_MAX {
            let moment = self.aws.moment();
            let (standing, theirs_s) = self.read(moment).await?;
            let Some(standing) = standing else {
                return Ok(Proof::Neither(format!("{} does not exist any more", label(&self.at))));
            };
            let bears_stamp = standing.snapshot.action_id.as_deref() == Some(entry.as_str());
            if !known_absent && bears_stamp && plan::stands(change, &read.snapshot, &standing.snapshot) {
                return Ok(Proof::Effect(self.receipt(entry, &read, change, &standing, before, now)));
            }
            if known_absent && standing.fence >= Some(needed) {
                return Ok(Proof::Absence);
            }
            match self.step(needed, &standing, theirs_s, moment, &mut patience_s).await? {
                Step::Again => {}
                Step::Passed => return Ok(self.conclude(entry, change, &read, &standing)),
                // Not `Unavailable`: whoever asks would ask again at once, and hold up everything else meanwhile.
                Step::NotYet(left_s) => {
                    let why = format!("it cannot be told yet: a write that was signed before the fence may still land for {left_s} s");
                    return Err(refused(&self.at, why));
                }
            }
        }
        Err(self.restless())
    }

    /// Nothing of the claim can land any more: what follows from what stands.
    fn conclude(&self, entry: &EntryId, change: Change, read: &Reading, standing: &Reading) -> Proof {
        let (was, is) = (&read.snapshot, &standing.snapshot);
        if is.action_id.as_deref() == Some(entry.as_str()) {
            // The stamp came first, and the change may or may not have followed.
            return if change == Change::Restart && self.resource.keeps_rollouts() && is.rollout == was.rollout {
                Proof::Absence
            } else {
                Proof::Neither(format!("{} bears the stamp, and does not show what was to be done", label(&self.at)))
            };
        }
        if (&is.action_id, is.token) != (&was.action_id, was.token) {
            return Proof::Neither(format!("{} bears another act's stamp", label(&self.at)));
        }
        // The stamp before stands, so this one's never came, and no change is sent without it. Where there was none before, somebody may have
        // removed this one's: that all else is as it was must bear it out.
        let as_it_was = (is.size, &is.rollout, &is.template) == (was.size, &was.rollout, &was.template);
        if was.action_id.is_some() || as_it_was {
            Proof::Absence
        } else {
            Proof::Neither(format!("{} was changed by somebody else since, and bears no stamp", label(&self.at)))
        }
    }

    pub(super) fn clock_is_off(&self, moment: Moment, theirs_s: i64) -> PortError {
        refused(&self.at, format!("this machine's clock differs from AWS's by {} s", moment.signed_s.abs_diff(theirs_s)))
    }
}
