//! The ports: what picket needs of the world, without naming any part of it.
//!
//! Each has one conformance suite, run on its in-memory implementation and on every real adapter. No SDK type appears here.

use crate::action::Digest;
use crate::audit::{AuditEntry, AuditRecord};
use crate::claim::{ClaimRequest, ClaimedAction};
use crate::coordination::{Answer, Command, CoordinatorStatus, LedgerEntry, WatchPage};
use crate::diagnosis::Diagnosis;
use crate::facts::ClusterFacts;
use crate::graph::ServiceGraph;
use crate::ids::{EntryId, RequestId, ServiceId};
use crate::incident::{ChangeEvent, Incident};
use crate::knowledge::{Document, Passage};
use crate::limits::Violation;
use crate::opinion::{ModelReply, ModelRequest};
use crate::outcome::{Receipt, Report};
use crate::proposal::{Proposal, Work};
use crate::restore::JournaledAct;
use crate::scope::{FencingToken, Scope};
use crate::signal::SignalBatch;
use crate::time::Timestamp;
use crate::token_vectors::TokenVectors;
use serde::{Deserialize, Serialize};
use std::future::Future;

/// Why a port could not do what was asked. Every variant is something a caller acts on differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Try again later, with the same idempotency key.
    #[error("{what} is unavailable: {why}")]
    Unavailable {
        /// Which outside system.
        what: String,
        /// What it said.
        why: String,
    },
    /// Full: back off, drop nothing.
    #[error("{what} is full; retry in {retry_after_ms} ms")]
    Full {
        /// Which queue.
        what: String,
        /// When to try again.
        retry_after_ms: u64,
    },
    /// The deadline passed; whether it happened is not known.
    #[error("{what} did not answer within its deadline")]
    Timeout {
        /// Which call.
        what: String,
    },
    /// The request is wrong; trying again will not help.
    #[error("{what} refused: {why}")]
    Refused {
        /// Which call.
        what: String,
        /// Why.
        why: String,
    },
    /// The version that the write was conditioned on is not there any more.
    #[error("{what} has changed since it was read")]
    Conflict {
        /// Which object.
        what: String,
    },
    /// It does not exist.
    #[error("{what} does not exist")]
    NotFound {
        /// Which object.
        what: String,
    },
    /// The data at rest is damaged.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// Which file or record.
        what: String,
        /// How.
        why: String,
    },
}

/// Result of a port.
pub type PortResult<T> = Result<T, PortError>;

/// Takes telemetry in and puts it on the bus.
pub trait TelemetryIngestor: Send + Sync {
    /// Accepts batches. `Ok` MUST mean that all of it is durable on the bus; `Full` that none of it need be.
    fn ingest(&self, batches: Vec<SignalBatch>) -> impl Future<Output = PortResult<()>> + Send;
}

/// A batch from the bus, and the handle by which it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What came; shared, for a bus within one process hands the same to many. `Err` text when it could not be read: acknowledge it, count
    /// it, go on.
    pub batch: Result<std::sync::Arc<SignalBatch>, String>,
    /// Place in the stream; what `acknowledge` takes.
    pub sequence: u64,
}

/// What a bus consumer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Durable name: a restart goes on where it was.
    pub durable: String,
    /// Subject filter, such as `telemetry.east.>`.
    pub filter: String,
}

/// Durable, ordered delivery of telemetry, and the latest word on named topics.
pub trait Bus: Send + Sync {
    /// Publishes a batch once per `dedupe` key (within the bus's window). `Ok` MUST mean durable.
    fn publish(&self, batch: &SignalBatch, dedupe: &Digest) -> impl Future<Output = PortResult<()>> + Send;
    /// Up to `max` batches after what this durable consumer has acknowledged, in order; empty after `wait_ms` without any.
    fn pull(&self, from: &Subscription, max: usize, wait_ms: u64) -> impl Future<Output = PortResult<Vec<Delivery>>> + Send;
    /// Everything up to and including `sequence` is done with; it MUST NOT be delivered to this consumer again.
    fn acknowledge(&self, from: &Subscription, sequence: u64) -> impl Future<Output = PortResult<()>> + Send;
    /// Sets the latest word on a topic (`graph.east`, `incident.inc-1`); readers see the latest only.
    fn put(&self, topic: &str, value: Vec<u8>) -> impl Future<Output = PortResult<()>> + Send;
    /// The latest words on topics that begin with `prefix`, with a revision that rises with every put; only those after `since`.
    fn latest(&self, prefix: &str, since: u64) -> impl Future<Output = PortResult<Vec<TopicValue>>> + Send;
}

/// The latest word on a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicValue {
    /// The topic.
    pub topic: String,
    /// What was said last.
    pub value: Vec<u8>,
    /// Rises with every put on the bus.
    pub revision: u64,
}

/// What diagnosis may look at beside the incident.
#[derive(Clone, Debug)]
pub struct DiagnosisContext {
    /// The service graph.
    pub graph: std::sync::Arc<ServiceGraph>,
    /// The observer's facts about the incident's cluster.
    pub facts: Option<std::sync::Arc<ClusterFacts>>,
    /// Recent changes, newest last.
    pub changes: Vec<ChangeEvent>,
    /// Per service: the figures that remedies are computed from.
    pub readings: std::collections::BTreeMap<ServiceId, Readings>,
    /// As of when the incident is judged (event time): now, or where metrics come late, the time up to which they speak.
    pub now: Timestamp,
    /// What became of the probabilities that were given before: what confidences are calibrated by.
    pub reliability: crate::calibration::Reliability,
    /// What became of earlier acts.
    pub post_mortems: std::sync::Arc<Vec<crate::post_mortem::PostMortem>>,
}

/// The latest figures of one service: what remedies are sized by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// Memory limit of its container.
    pub memory_limit_bytes: Option<f64>,
    /// Highest working set seen in the window.
    pub memory_working_set_max_bytes: Option<f64>,
    /// CPU request, in cores.
    pub cpu_request_cores: Option<f64>,
    /// 95th percentile of CPU use in the window, in cores.
    pub cpu_p95_cores: Option<f64>,
    /// CPU use now over its limit, 0..1.
    pub cpu_utilization: Option<f64>,
    /// Memory request.
    pub memory_request_bytes: Option<f64>,
    /// Replicas wanted.
    pub replicas_desired: Option<u32>,
    /// Replicas that it had before picket scaled it to zero, while it stands at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas_before_zero: Option<u32>,
    /// Requests per second now.
    pub request_rate: Option<f64>,
    /// Requests per second, usually.
    pub request_rate_usual: Option<f64>,
    /// Volume claims: (name, capacity bytes, available bytes, growth bytes/s).
    pub volumes: Vec<(String, f64, f64, f64)>,
    /// Certificates: (secret, seconds left).
    pub certificates: Vec<(String, f64)>,
    /// `deployment.kubernetes.io/revision` in force, and the one before.
    pub revision: Option<(i64, i64)>,
    /// The main container's name.
    pub container: Option<String>,
    /// What sets its replicas, when something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<Autoscaler>,
    /// Who wrote it last.
    #[serde(default)]
    pub last_writes: crate::foreign::LastWrites,
    /// How its figures stand to the highest of the last minute.
    #[serde(default)]
    pub receding: Receding,
    /// Pods whose connection pool is used up, all pods with a pool, and the node when the former all run on one.
    #[serde(default)]
    pub pools_full: Option<(u32, u32, Option<String>)>,
}

/// A HorizontalPodAutoscaler and the bounds within which it chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The fewest replicas.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// Figures now as a share of the highest of the last minute: below 1 they fall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receding {
    /// Share of requests that fail.
    pub errors: Option<f64>,
    /// 95th percentile of latency.
    pub latency: Option<f64>,
    /// Requests per second.
    pub request_rate: Option<f64>,
}

/// Finds the cause of an incident.
pub trait DiagnosticEngine: Send + Sync {
    /// Diagnoses. MUST abstain rather than guess, and cite evidence for what it claims (I12).
    fn diagnose(&self, incident: &Incident, context: &DiagnosisContext) -> impl Future<Output = PortResult<Diagnosis>> + Send;
}

/// An early, explained answer to a proposal. It can only tighten: the coordinator decides.
pub trait SafetyPolicyEngine: Send + Sync {
    /// Broken rules; empty means "ask the coordinator".
    fn check(&self, proposal: &Proposal, facts: &ClusterFacts, now: Timestamp) -> Vec<Violation>;
}

/// The target as it was read before the claim: the write's precondition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Which object.
    pub object: crate::outcome::ObjectRef,
    /// Its version: the write is conditioned on exactly this [M3].
    pub resource_version: String,
    /// The highest fencing token on it; `None` when it has none yet.
    pub token: Option<FencingToken>,
    /// The object, whole.
    pub content: serde_json::Value,
}

impl Before {
    /// What the claim anchors.
    ///
    /// # Panics
    /// Never: plain data.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&(&self.object, &self.resource_version, &self.content)).expect("plain data"))
    }
}

/// What could be proven about a claim whose actuator died or whose write went unanswered.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// The stamp is there.
    Effect(Receipt),
    /// The fence was raised on exactly the version before: it never happened and never will.
    Absence,
    /// Neither: the version before is gone, so nothing of it can land any more; whether it had landed, nobody can say.
    Neither(String),
}

/// Carries acts out. It holds write credentials, and nothing else does.
pub trait RemediationExecutor: Send + Sync {
    /// Reads the target and checks that the work can be done: access, preconditions, a dry run. Changes nothing.
    fn prepare(&self, work: &Work) -> impl Future<Output = PortResult<Before>> + Send;
    /// Does it, conditioned on `before`, stamped with action id and token. MUST NOT read the target again [M3].
    /// `Err(Conflict)` or `Timeout` proves nothing: `prove` does.
    fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> impl Future<Output = PortResult<Receipt>> + Send;
    /// Proves effect by the stamp or absence by raising the fence on `before` [M1, M2, M4]. Writes nothing but the fence.
    fn prove(
        &self,
        entry: &EntryId,
        token: FencingToken,
        work: &Work,
        before: &Before,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<Proof>> + Send;
    /// Raises the fence of the work's target to `token` or above, on whatever version stands, so that no write that was sent under a lower
    /// one can land any more. `Ok` MUST mean that a read has confirmed it, or that the target is gone for good. The same again is no error.
    fn fence(&self, work: &Work, token: FencingToken) -> impl Future<Output = PortResult<()>> + Send;
    /// Raises the fence of everything that acts could write to in the cluster to `token` or above; confirmed as [`Self::fence`].
    fn fence_all(&self, token: FencingToken) -> impl Future<Output = PortResult<()>> + Send;
    /// Takes back what `prepare` has left where others see it (a request for review), for work that will not be done. Nothing to take back is
    /// no error; most executors leave nothing.
    fn abandon(&self, _work: &Work) -> impl Future<Output = PortResult<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Reads the cluster for the observer. Read-only credentials.
pub trait ClusterReader: Send + Sync {
    /// Counts pods and labels per service; `dependants` and `namespaces_touched` are left to the graph's owner. `reserved` are the entries
    /// that hold a reservation, obtained before the call, with the pods that each may keep from being ready: pods that are wanted and not
    /// ready are disrupted by others, but for those that the rollout of such an entry explains.
    fn read(
        &self,
        reserved: &std::collections::BTreeMap<EntryId, u32>,
    ) -> impl Future<Output = PortResult<Vec<(ServiceId, crate::facts::ServiceFacts, Readings)>>> + Send;
    /// Whether what a receipt says was changed is seen in the cluster. True at once for what was written to it directly; what was committed to a
    /// repository arrives when it is delivered. True as well for what the credentials cannot look at: nobody would wait for it in vain.
    fn shows(&self, receipt: &crate::outcome::Receipt) -> impl Future<Output = PortResult<bool>> + Send;
}

/// The coordinator, seen from outside. The principal is the connection's.
pub trait Coordinator: Send + Sync {
    /// Submits a command. The same `request_id` MUST get the first answer again.
    fn submit(&self, request_id: RequestId, command: Command) -> impl Future<Output = PortResult<Answer>> + Send;
    /// The state at a glance, linearizable.
    fn status(&self) -> impl Future<Output = PortResult<CoordinatorStatus>> + Send;
    /// Ledger entries that are not over (terminal, and fenced when claimed), and the newest of those that are up to `settled_max`.
    fn entries(&self, settled_max: usize) -> impl Future<Output = PortResult<Vec<LedgerEntry>>> + Send;
    /// Changes after `revision`; waits up to `wait_ms` for the first.
    fn watch(&self, revision: u64, wait_ms: u64) -> impl Future<Output = PortResult<WatchPage>> + Send;
}

/// Runbooks and post-mortems, searchable.
pub trait KnowledgeBase: Send + Sync {
    /// The `top_k` nearest passages, best first.
    fn search(&self, query: &str, top_k: usize) -> impl Future<Output = PortResult<Vec<Passage>>> + Send;
    /// One document.
    fn document(&self, id: &crate::ids::DocumentId) -> impl Future<Output = PortResult<Option<Document>>> + Send;
}

/// Turns texts into vectors.
pub trait Embedder: Send + Sync {
    /// One [`Embedding`] per text, in order. Deterministic. One pass over the model MUST make both of its parts: a query waits for it. What
    /// stands for nothing by itself (punctuation, the model's own marks) MUST NOT be among the tokens.
    fn embed_tokens(&self, texts: &[String]) -> PortResult<Vec<Embedding>>;
    /// The vectors of whole texts alone: unit vectors of [`Embedder::dimension`] entries, one per text, in order.
    fn embed(&self, texts: &[String]) -> PortResult<Vec<Vec<f32>>> {
        Ok(self.embed_tokens(texts)?.into_iter().map(|embedding| embedding.whole).collect())
    }
    /// Length of a vector.
    fn dimension(&self) -> usize;
}

/// What an [`Embedder`] makes of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Unit vector of the whole text.
    pub whole: Vec<f32>,
    /// Of its tokens, of the same dimension; none for an empty text.
    pub tokens: TokenVectors,
}

/// Says how well passages answer a query, reading each together with it.
pub trait PairScorer: Send + Sync {
    /// One finite score per passage, in order: the higher, the better, on a scale of the scorer's own. Deterministic.
    fn score(&self, query: &str, passages: &[&str]) -> PortResult<Vec<f32>>;
}

/// A language model. Its calls run by themselves: whoever asks goes on with its work and collects the answer.
///
/// One key is one call, whatever is begun under it again; every begun call MUST come to an end within the implementation's deadline.
pub trait ModelClient: Send + Sync {
    /// The model's name, as configured.
    fn model(&self) -> &str;
    /// Begins a call at once, without waiting for anything; nothing when there is one of that key already.
    fn begin(&self, key: &Digest, request: ModelRequest);
    /// The call's reply; `None` when it has not come within `wait_ms`. A reply MUST be there once the deadline has passed since the call was
    /// begun (`TimedOut`, when the server has said nothing), and stay the same. A key that was never begun, or is forgotten, is `Unavailable`.
    fn collect(&self, key: &Digest, wait_ms: u64) -> impl Future<Output = Option<ModelReply>> + Send;
}

/// Append-only, hash-chained record.
pub trait AuditLog: Send + Sync {
    /// Appends. `Ok` MUST mean durable (I8).
    fn append(&self, entry: AuditEntry) -> impl Future<Output = PortResult<AuditRecord>> + Send;
    /// Records from `seq` on, at most `max`.
    fn read(&self, from_seq: u64, max: usize) -> impl Future<Output = PortResult<Vec<AuditRecord>>> + Send;
}

/// Tells people.
pub trait Notifier: Send + Sync {
    /// Sends once per `key`.
    fn notify(&self, key: &str, text: &str) -> impl Future<Output = PortResult<()>> + Send;
}

/// An outer lock that was taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuterGrant {
    /// Rises with every change of holder; `None` where the server has no such number.
    pub fence: Option<u64>,
}

/// A lock that a site's other automation respects too (etcd, Redis). It adds to the ledger's leases and never replaces them.
///
/// A holder is one request for the lock by one life of one process, and its name is used for nothing else. An `Err` from any call leaves open
/// whether it took effect: the same call again finds out, and [`OuterLock::remaining_ms`] never counts on it.
pub trait OuterLock: Send + Sync {
    /// Takes the scope for `ttl_ms`; `Ok(None)`, at once, while another holds it. The same holder again MUST get the same grant, prolonged.
    fn acquire(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> impl Future<Output = PortResult<Option<OuterGrant>>> + Send;
    /// Prolongs by `ttl_ms` from now; `Ok(false)` when it is lost, and then it MUST NOT be taken anew.
    fn renew(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> impl Future<Output = PortResult<bool>> + Send;
    /// Gives it back. MUST NOT touch what another holds; not holding it is no error.
    fn release(&self, scope: &Scope, holder: &str) -> impl Future<Output = PortResult<()>> + Send;
    /// For how long `holder` may still count on it, real time: the TTL from when the last confirmed request was *sent*, less the drift of two
    /// clocks. Asks no server. 0 when it is not held through this object, was found to be lost, or its time is up.
    fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64;
}

/// What an actuator's journal keeps across a crash, by entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The claim as it is sent: the entry, and which reading of the target it stands on.
    pub claim: ClaimRequest,
    /// Its work.
    pub work: Work,
    /// Who wished it, and why.
    pub proposal: Box<Proposal>,
    /// Pods that are reserved for it.
    pub cost_pods: u32,
    /// The token of its permit.
    pub token: FencingToken,
    /// The target as it was before the claim; its content goes once nothing is left to be proven.
    pub before: Before,
    /// What was to be reported, once known.
    pub report: Option<Report>,
    /// Coordinator time when it was made ready.
    pub at: Timestamp,
}

impl JournalEntry {
    /// The ledger entry.
    #[must_use]
    pub const fn entry(&self) -> &EntryId {
        &self.claim.entry
    }
}

impl From<JournalEntry> for JournaledAct {
    fn from(entry: JournalEntry) -> Self {
        let JournalEntry { claim, work, proposal, cost_pods, token, report, .. } = entry;
        Self { claim, work, proposal, cost_pods, token, report }
    }
}

/// Keeps, across a crash of the actuator, what was about to be done and the highest tokens seen; and what was done, until a backup of the
/// ledger covers it.
pub trait Journal: Send + Sync {
    /// Records an entry. `Ok` MUST mean durable.
    fn write(&self, entry: &JournalEntry) -> impl Future<Output = PortResult<()>> + Send;
    /// Every entry that was not forgotten.
    fn open_entries(&self) -> impl Future<Output = PortResult<Vec<JournalEntry>>> + Send;
    /// The entry is over; one that is not there is no error.
    fn forget(&self, entry: &EntryId) -> impl Future<Output = PortResult<()>> + Send;
    /// Raises the high-water mark of a scope, durably. `Ok(false)` when a higher token was seen before: the permit is old.
    fn raise(&self, scope: &Scope, token: FencingToken) -> impl Future<Output = PortResult<bool>> + Send;
}
