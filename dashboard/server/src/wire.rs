//! What the page is told. The server and the page compile this one file, so that they cannot drift apart.
//!
//! Plain data in a reader's words: points in time are milliseconds since the Unix epoch (run clock), `_ms`.

use serde::{Deserialize, Serialize};

/// Everything at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// What time it is there.
    pub clock: Clock,
    /// One sentence that says where things stand.
    pub headline: Headline,
    /// The safety strip.
    pub safety: Safety,
    /// How fresh what is known is.
    pub freshness: Freshness,
    /// Live leases.
    pub leases: Vec<Lease>,
    /// Incidents, newest first.
    pub incidents: Vec<Incident>,
    /// Ledger entries, newest first.
    pub entries: Vec<Entry>,
}

/// What changed. Sections come whole; incidents and entries by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// The clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// The sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// The strip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// Freshness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// All leases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<Vec<Lease>>,
    /// New or changed incidents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// Ids of incidents that are no longer kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents_gone: Vec<String>,
    /// New or changed entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
    /// Ids of entries that are no longer kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries_gone: Vec<String>,
}

/// What colour and shape a state has. Colour carries state alone.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing to say.
    #[default]
    Quiet,
    /// Picket's own act is under way.
    Acting,
    /// A person is asked.
    Asks,
    /// Wrong: a violation, a regression, a failure.
    Bad,
    /// Recovered.
    Good,
}

/// The coordinator's clock and how well it is heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// Now.
    pub now_ms: i64,
    /// Leader's node id.
    pub leader: Option<u64>,
    /// Of the ledger.
    pub revision: u64,
    /// Rises with every restore from backup.
    pub restore_epoch: u64,
    /// True under the demonstration CA.
    pub demonstration: bool,
    /// In whose name the buttons act.
    pub person: String,
    /// Why the figures are old, when they are; empty when they are not.
    pub fault: String,
}

/// One plain sentence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Headline {
    /// The sentence.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
}

/// The first line of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Safety {
    /// All twelve invariants with their counts.
    pub violations: Vec<InvariantCount>,
    /// STOP.
    pub stop: Stop,
    /// Each agent.
    pub agents: Vec<Agent>,
}

/// How fresh what is known is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Freshness {
    /// Each cluster.
    pub clusters: Vec<ClusterFreshness>,
    /// Telemetry older than this is late.
    pub fresh_within_ms: i64,
}

/// One invariant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvariantCount {
    /// `I1` … `I12`.
    pub id: String,
    /// What is always true.
    pub says: String,
    /// How often it was not.
    pub count: u64,
}

/// The latch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stop {
    /// Set or not.
    pub set: bool,
    /// Rises with every STOP; approvals name it.
    pub epoch: u64,
    /// Who pressed it.
    pub by: String,
    /// Set, and a write may still land or a fence is not confirmed.
    pub stopping: bool,
    /// Claims whose writes may still land.
    pub open_claims: u32,
    /// Clusters whose fences are not confirmed.
    pub fences_missing: Vec<String>,
}

/// One agent's phase and gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// `sre`, `finops`, `secops`.
    pub id: String,
    /// `SRE`, `FinOps`, `SecOps`.
    pub title: String,
    /// `observe`, `assist`, `autonomous`.
    pub phase: String,
    /// Since when.
    pub since_ms: i64,
    /// Who or what put it there.
    pub because: String,
    /// Granted under the demonstration CA, not earned.
    pub by_fiat: bool,
    /// The gate.
    pub gate: Gate,
}

/// What the gate knows and asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// Adjudicated episodes.
    pub episodes: u32,
    /// Of those, right.
    pub correct: u32,
    /// Adjudicated incidents without a diagnosis.
    pub abstained: u32,
    /// Violations since the evidence started.
    pub violations: u32,
    /// Share of right episodes.
    pub accuracy: Option<f64>,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Asked of the lower end.
    pub threshold: f64,
    /// Share of incidents with a diagnosis.
    pub coverage: f64,
    /// Asked of it.
    pub coverage_min: f64,
    /// Episodes asked for.
    pub episodes_min: u32,
    /// What is missing, in words.
    pub missing: Vec<String>,
}

/// How fresh what is known of a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterFreshness {
    /// Which.
    pub cluster: String,
    /// Newest signal.
    pub telemetry_at_ms: Option<i64>,
    /// Newest facts of its observer.
    pub facts_at_ms: Option<i64>,
}

/// A lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// What it covers.
    pub scope: String,
    /// An entry's id or a principal.
    pub holder: String,
    /// Fencing token.
    pub token: u64,
    /// When it ends.
    pub expires_at_ms: i64,
    /// Who waits, in order.
    pub waiting: Vec<String>,
}

/// A state in words, with its tone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// In JSON: `awaiting_approval`.
    pub id: String,
    /// For people: `waits for you`.
    pub words: String,
    /// Its tone.
    pub tone: Tone,
    /// Nothing more will happen.
    pub over: bool,
}

/// An incident with its diagnosis and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// Who tends it.
    pub agent: String,
    /// Where it shows.
    pub service: String,
    /// Every service that shows it.
    pub services: Vec<String>,
    /// 1-4, 1 is worst.
    pub severity: u8,
    /// Anomalies are still seen.
    pub open: bool,
    /// Where it stands.
    pub state: State,
    /// When it was opened.
    pub opened_at_ms: i64,
    /// When it began.
    pub onset_ms: i64,
    /// Last change.
    pub updated_at_ms: i64,
    /// Symptoms of the service, in words.
    pub symptoms: Vec<String>,
    /// Anomalies, first onset first; at most twelve.
    pub anomalies: Vec<Anomaly>,
    /// How many more there are.
    pub anomalies_more: usize,
    /// The plain sentence.
    pub sentence: String,
    /// What was decided, and why, in one sentence.
    pub decision: String,
    /// Its ledger entry.
    pub entry: Option<String>,
    /// The diagnosis.
    pub diagnosis: Option<Diagnosis>,
}

/// A deviation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Anomaly {
    /// Where.
    pub service: String,
    /// What, in words.
    pub symptom: String,
    /// The series.
    pub series: String,
    /// Seen.
    pub value: f64,
    /// Usual.
    pub expected: f64,
    /// Standard deviations.
    pub score: f64,
    /// First seen.
    pub onset_ms: i64,
}

/// A diagnosis or an abstention.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diagnosis {
    /// When it was made.
    pub at_ms: i64,
    /// The cause in words; none when it abstained.
    pub cause: Option<String>,
    /// Where the cause lies.
    pub service: String,
    /// What is proposed, in words.
    pub action: Option<String>,
    /// Why it abstained.
    pub abstained: Option<String>,
    /// 0..1.
    pub confidence: f64,
    /// For and against.
    pub evidence: Vec<Evidence>,
    /// Best candidates first.
    pub ranking: Vec<Candidate>,
    /// Runbooks and post-mortems.
    pub documents: Vec<String>,
    /// Who reasoned.
    pub reasoner: String,
    /// How long it took (real time).
    pub latency_ms: f64,
    /// US dollars.
    pub cost_usd: f64,
}

/// One piece of evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// `e1`, `e2`, …
    pub id: String,
    /// Where it comes from.
    pub source: String,
    /// One sentence.
    pub text: String,
    /// Log-odds; negative speaks against.
    pub weight: f64,
    /// When.
    pub at_ms: i64,
}

/// A candidate cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Candidate {
    /// In words.
    pub cause: String,
    /// Where.
    pub service: String,
    /// 0..1.
    pub probability: f64,
}

/// A ledger entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Who proposed it.
    pub agent: String,
    /// For which incident.
    pub incident: String,
    /// On which service.
    pub service: String,
    /// What, in words.
    pub action: String,
    /// `rollout_restart`, ….
    pub kind: String,
    /// `exact`, `compensating`, `none`.
    pub reversibility: String,
    /// For an undo: what it takes back.
    pub parent: Option<String>,
    /// The undo of it.
    pub child: Option<String>,
    /// What an approval names.
    pub digest: String,
    /// The graver of two.
    pub severity: u8,
    /// The agent's own.
    pub severity_proposed: u8,
    /// Pods reserved.
    pub cost_pods: u32,
    /// 0..1.
    pub confidence: f64,
    /// Because of what, in words.
    pub cause: String,
    /// The agent's sentence.
    pub sentence: String,
    /// Why a person is asked; empty when none is.
    pub asked_because: String,
    /// Rule by rule.
    pub rules: Vec<Rule>,
    /// Who approved.
    pub approved_by: Option<String>,
    /// Tokens by scope.
    pub tokens: Vec<(String, u64)>,
    /// Of the actuator that claimed it.
    pub actuator_epoch: Option<u64>,
    /// How it went, in words.
    pub report: String,
    /// How it turned out, in words.
    pub outcome: String,
    /// Fields that were changed.
    pub changes: Vec<Change>,
    /// A person is asked to look.
    pub paging: bool,
    /// Every state it was in.
    pub history: Vec<(i64, State)>,
    /// When its present state runs out.
    pub deadline_ms: Option<i64>,
    /// US dollars a month.
    pub saving_usd: Option<f64>,
    /// Acts that a person has on it: `approve`, `deny`, `undo`.
    pub can: Vec<String>,
}

/// A limit and what it said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// In words.
    pub rule: String,
    /// It holds, or is broken.
    pub holds: bool,
    /// With the figures.
    pub reason: String,
    /// The invariant that it protects.
    pub invariant: String,
}

/// A field before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Which.
    pub field: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// What a button sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Act {
    /// The key under which it is answered once: a retry carries the same.
    pub request_id: String,
    /// What was shown (approve, deny, undo).
    pub digest: String,
    /// The stop epoch that was shown (approve, undo, resume).
    pub stop_epoch: u64,
    /// Why (deny).
    pub why: String,
    /// Undos may go on (stop).
    pub keep_undos: bool,
}

/// What a button is answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActAnswer {
    /// It was done.
    pub done: bool,
    /// Otherwise: why not, and what to do.
    pub message: String,
}
