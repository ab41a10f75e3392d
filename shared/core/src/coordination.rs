//! What is said to the coordinator and what it answers. Who speaks is not in here: it comes from the certificate.

use crate::action::Digest;
use crate::claim::{ClaimConfirmation, ClaimRequest};
use crate::facts::ClusterFacts;
use crate::foreign::ForeignEvidence;
use crate::ids::{AgentKind, ClusterName, EntryId, Principal, RequestId};
use crate::invariants::Invariant;
pub use crate::ledger_entry::LedgerEntry;
use crate::limits::Violation;
use crate::membership::MemberChange;
use crate::outcome::{Adjudication, Outcome, Report};
use crate::permit::Permit;
use crate::phase::{GateReading, JudgementDue, Phase, PhaseState};
use crate::policy::Policy;
use crate::proposal::Proposal;
use crate::restore::{JournaledAct, RestoreView};
use crate::rules::Ruled;
use crate::scope::{FencingToken, Scope};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A command with the key under which it is answered once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// A retry carries the same and gets the first answer.
    pub request_id: RequestId,
    /// What is asked.
    pub command: Command,
}

/// How a person resolves what cannot be known.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It took effect and is fine.
    Settled,
    /// It did not take effect.
    Failed,
    /// Take it back.
    Undo {
        /// The stop epoch that was shown.
        stop_epoch: u64,
    },
}

/// What a lease of other automation is for. It sets who goes before whom, and who may be preempted by whom.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeasePriority {
    /// As the SecOps agent's acts.
    Containment,
    /// As the SRE agent's acts.
    #[default]
    Repair,
    /// As the FinOps agent's acts.
    Savings,
}

/// Everything that can be asked. The comment says who may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Agent: may I?
    Propose {
        /// The wish.
        proposal: Box<Proposal>,
    },
    /// A proposal with the word of the user's rules on it, as the leader puts it into the log. No client may say this.
    ProposeRuled {
        /// The wish.
        proposal: Box<Proposal>,
        /// What was asked of the rules, and what they said.
        ruled: Box<Ruled>,
    },
    /// Agent: the evidence for this digest still stands, as of this coordinator time.
    Refresh {
        /// The approved entry.
        entry: EntryId,
        /// The same work.
        digest: Digest,
        /// Coordinator time obtained before the evidence was read again.
        evidence_echo: Timestamp,
    },
    /// Human: yes, to exactly this digest, as shown under this stop epoch. Where two people must say yes, the first is answered that it still
    /// awaits approval.
    Approve {
        /// Which.
        entry: EntryId,
        /// What was shown.
        digest: Digest,
        /// The stop epoch that was shown.
        stop_epoch: u64,
    },
    /// Human: no.
    Deny {
        /// Which.
        entry: EntryId,
        /// Why.
        why: String,
    },
    /// Observer or actuator: I take over this cluster; answers [`Answer::Epoch`].
    Register,
    /// Observer: what I see.
    PostFacts {
        /// A reading.
        facts: Box<ClusterFacts>,
    },
    /// Actuator: I am about to do it.
    Claim {
        /// Which, how, with what on record.
        claim: ClaimRequest,
    },
    /// Actuator: how it went.
    Report {
        /// The claimed entry.
        entry: EntryId,
        /// The reporter's epoch; an old one is only audited [M13].
        actuator_epoch: u64,
        /// How it went.
        report: Report,
    },
    /// Actuator: the sinks of this cluster refuse any token below [`StopView::fence_token`], as of this stop epoch.
    FenceRaised {
        /// The actuator's epoch.
        actuator_epoch: u64,
        /// The stop epoch that was raised to.
        stop_epoch: u64,
    },
    /// Observer: how it turned out.
    Grade {
        /// The entry being observed.
        entry: EntryId,
        /// The observer's epoch.
        observer_epoch: u64,
        /// The grade.
        outcome: Outcome,
    },
    /// Human: take it back, as shown under this stop epoch.
    Undo {
        /// Which.
        entry: EntryId,
        /// The stop epoch that was shown.
        stop_epoch: u64,
    },
    /// Human: what cannot be known is decided so.
    Resolve {
        /// Which.
        entry: EntryId,
        /// How.
        resolution: Resolution,
    },
    /// Human: everything stops, now.
    Stop {
        /// Undos may go on, unless a STOP that is set already withholds them.
        keep_undos: bool,
    },
    /// Human: this STOP, and no later one, is over (agents stay in Observe until promoted or granted anew).
    Resume {
        /// The stop epoch that was shown.
        stop_epoch: u64,
    },
    /// Human: to this phase. Upwards only when earned, or by fiat under the demonstration CA, and as shown under this stop epoch.
    SetPhase {
        /// Whose.
        agent: AgentKind,
        /// To what.
        phase: Phase,
        /// The stop epoch that was shown; a demotion holds under any.
        stop_epoch: u64,
        /// Why, on record.
        why: String,
    },
    /// Human (or the demonstration's judge): right or wrong.
    Adjudicate {
        /// The judgement; `by` and `at` are filled in by the coordinator.
        adjudication: Adjudication,
    },
    /// Observer: people did something themselves about what an entry is for, and picket has not.
    ForeignEvidence {
        /// The entry; nothing of it was claimed.
        entry: EntryId,
        /// The observer's epoch.
        observer_epoch: u64,
        /// What they did; `at` is filled in by the coordinator.
        evidence: Box<ForeignEvidence>,
    },
    /// Anyone: I saw an invariant broken. Demotes the agent to Observe.
    ReportViolation {
        /// Which.
        invariant: Invariant,
        /// Whose doing, when known.
        agent: Option<AgentKind>,
        /// In words.
        detail: String,
    },
    /// Anyone but agents: lease these scopes now or not at all (other automation; the ledger takes its leases by itself).
    AcquireLease {
        /// Sorted, each once, at most 16.
        scopes: Vec<Scope>,
        /// 1 s to 1 h.
        ttl_ms: i64,
    },
    /// Anyone but agents: lease these scopes when it is my turn. While others hold them the answer is [`Answer::Waiting`]: the same
    /// request (same id) keeps the place, and takes the lease once it is granted. Not asked again in time, the place lapses.
    QueueLease {
        /// Sorted, each once, at most 16.
        scopes: Vec<Scope>,
        /// 1 s to 1 h.
        ttl_ms: i64,
        /// What for.
        #[serde(default)]
        priority: LeasePriority,
    },
    /// The holder: longer, with all scopes that were taken together.
    RenewLease {
        /// Any one of its scopes.
        scope: Scope,
        /// The token it was granted with.
        token: FencingToken,
        /// From now.
        ttl_ms: i64,
    },
    /// The holder: done, with all scopes that were taken together.
    ReleaseLease {
        /// Any one of its scopes.
        scope: Scope,
        /// The token it was granted with.
        token: FencingToken,
    },
    /// Anyone: I have the answers to these requests and will not ask again. They need not be kept any longer.
    ForgetAnswers {
        /// At most 1024.
        requests: Vec<RequestId>,
    },
    /// Human: from now on these limits hold; also for what was permitted before, because a claim looks at them again.
    SetPolicy {
        /// Its version is the present one's successor.
        policy: Box<Policy>,
    },
    /// Human, or the agent itself: its model, catalogue or calibration has changed, so what was earned counts no longer.
    RestartEvidence {
        /// Whose.
        agent: AgentKind,
        /// What changed.
        why: String,
    },
    /// Actuator, after a restore from backup: what my journal says of my claims [M13].
    UploadJournal {
        /// The actuator's epoch.
        actuator_epoch: u64,
        /// At most 256 at once.
        acts: Vec<JournaledAct>,
        /// Nothing follows: a claim that no page has named is not in the journal.
        last: bool,
    },
    /// Human, after a restore from backup: this cluster's journal is lost; go on without it [M13].
    WaiveJournal {
        /// Whose.
        cluster: ClusterName,
        /// Why, on record.
        why: String,
    },
    /// Human: a backup of the ledger up to this revision is durable. Journals need not keep what it covers.
    BackupTaken {
        /// The last revision that is in it.
        revision: u64,
    },
    /// Human: this cluster is no more. Refused while one of its entries is open.
    RetireCluster {
        /// Which.
        cluster: ClusterName,
        /// Why, on record.
        why: String,
    },
    /// Human: I have looked at what went wrong in this cluster; picket may act there again.
    ResetBreaker {
        /// Which.
        cluster: ClusterName,
        /// Why, on record.
        why: String,
    },
    /// Human: the coordinator's own nodes are to change. The leader puts it on record, and carries it out when the answer is Done.
    ChangeMembers {
        /// How.
        change: MemberChange,
    },
    /// Node: time has passed. Drives every expiry; proposed by the leader only.
    Tick,
}

/// What the coordinator answers to a proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// No, and why.
    Denied {
        /// Every broken limit.
        violations: Vec<Violation>,
    },
    /// Recorded; the agent only observes.
    Shadowed,
    /// A person is asked.
    AwaitingApproval,
    /// Another act holds the scope.
    Queued {
        /// Entries before it.
        position: u32,
    },
    /// Yes.
    Permitted {
        /// The leave.
        permit: Box<Permit>,
    },
}

impl Decision {
    /// Its name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::Shadowed => "shadowed",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued { .. } => "queued",
            Self::Permitted { .. } => "permitted",
        }
    }
}

/// The coordinator's answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To Propose and Refresh.
    Decided {
        /// The entry that was made.
        entry: EntryId,
        /// What was decided.
        decision: Decision,
    },
    /// To Register.
    Epoch {
        /// The caller's epoch from now on.
        epoch: u64,
    },
    /// To Claim.
    Claimed {
        /// Signed.
        confirmation: ClaimConfirmation,
    },
    /// To AcquireLease, QueueLease and RenewLease.
    Leased {
        /// One token per scope.
        tokens: BTreeMap<Scope, FencingToken>,
        /// Coordinator time.
        expires_at: Timestamp,
        /// Somebody with precedence waits: the lease ends then, and no renewal makes it longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preempt_at: Option<Timestamp>,
    },
    /// To QueueLease: others come first.
    Waiting {
        /// Waiters before this one that want one of its scopes (1000 stands for that many or more).
        position: u32,
        /// Coordinator time: ask again before then, or lose the place.
        lapses_at: Timestamp,
    },
    /// Done; nothing more to say.
    Done,
    /// No.
    Refused {
        /// Every reason.
        violations: Vec<Violation>,
    },
}

/// A change of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerChange {
    /// Rises by one with every change, without gaps.
    pub revision: u64,
    /// The entry after it.
    pub entry: LedgerEntry,
    /// The signed permit, when the entry is Permitted.
    pub permit: Option<Permit>,
}

/// An answer to a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchPage {
    /// Changes after the revision asked for, in order, gapless.
    pub changes: Vec<LedgerChange>,
    /// Ask for what comes after this.
    pub revision: u64,
    /// True when changes after the revision asked for are no longer kept: read the whole ledger, then go on from `revision`.
    pub compacted: bool,
}

/// A lease, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseView {
    /// What it covers.
    pub scope: Scope,
    /// Who holds it: an entry's id, or a principal.
    pub holder: String,
    /// Its token.
    pub token: FencingToken,
    /// Coordinator time.
    pub expires_at: Timestamp,
    /// Who waits, in order; the first hundred.
    pub waiting: Vec<String>,
    /// Somebody with precedence waits: the lease ends then, unless its act is claimed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preempt_at: Option<Timestamp>,
}

/// Whether everything is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopView {
    /// The latch.
    pub set: bool,
    /// Rises with every STOP.
    pub epoch: u64,
    /// Undos may go on while it is set.
    #[serde(default)]
    pub keep_undos: bool,
    /// Who pressed it.
    pub by: String,
    /// Claims whose writes may still be on their way: shown as "stopping" until there are none.
    pub open_claims: u32,
    /// STOP is set, and a write may still be on its way or a fence is not confirmed yet.
    #[serde(default)]
    pub stopping: bool,
    /// What sinks must refuse everything below: issued by the last STOP, above every token before it.
    #[serde(default)]
    pub fence_token: FencingToken,
    /// Clusters whose sinks' fences are confirmed for this stop epoch.
    #[serde(default)]
    pub fences_confirmed: Vec<ClusterName>,
    /// Clusters whose actuator must raise the fence to `fence_token` and say so ([`Command::FenceRaised`]).
    #[serde(default)]
    pub fences_missing: Vec<ClusterName>,
    /// Who released the last STOP.
    #[serde(default)]
    pub released_by: String,
}

/// One agent's phase, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseView {
    /// Phase and counts.
    pub state: PhaseState,
    /// What the gate says.
    pub gate: GateReading,
    /// Diagnoses that a person must judge, the most urgent first; at most a hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements_due: Vec<JudgementDue>,
}

/// Nothing is done in a cluster until a person says so ([`Command::ResetBreaker`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakerView {
    /// Coordinator time.
    pub since: Timestamp,
    /// What opened it.
    pub why: String,
}

/// The coordinator at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoordinatorStatus {
    /// The replicated clock: what makers of facts and evidence echo.
    pub now: Timestamp,
    /// Of the ledger.
    pub revision: u64,
    /// The leader's node id, when there is one.
    pub leader: Option<u64>,
    /// Rises with every restore from backup.
    pub restore_epoch: u64,
    /// True under the demonstration CA.
    pub demonstration: bool,
    /// STOP.
    pub stop: StopView,
    /// Phases.
    pub phases: BTreeMap<AgentKind, PhaseView>,
    /// Live leases: the ledger's, and the first thousand of other automation.
    pub leases: Vec<LeaseView>,
    /// Live leases, all of them.
    #[serde(default)]
    pub leases_total: u64,
    /// Violations since the start of the evidence, every invariant listed.
    pub violations: BTreeMap<Invariant, u64>,
    /// Age of the newest facts by cluster, in milliseconds.
    pub facts_age_ms: BTreeMap<ClusterName, i64>,
    /// Clusters whose breaker is open.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breakers: BTreeMap<ClusterName, BreakerView>,
    /// Rises with every [`Command::SetPolicy`].
    #[serde(default)]
    pub policy_version: u64,
    /// The ledger is backed up as far as this revision ([`Command::BackupTaken`]).
    #[serde(default)]
    pub backup_revision: u64,
    /// After a restore from backup: what must still happen before anything is claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreView>,
}

/// Which leader put a command into the log.
///
/// A command of a deposed one has no effect: not its tick's time, and nothing that it passed on. (The other half of a lease's name, its
/// generation, is the fencing token: every grant has a new one, and renewals and releases name it.)
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposer {
    /// Node id.
    pub node: u64,
    /// The Raft term in which it led when it wrote the command down.
    pub term: u64,
}

/// Who said what, for the log of commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributed {
    /// From the certificate.
    pub principal: Principal,
    /// What was said.
    pub request: Request,
    /// Who put it into the log; `None` where there is one node and no Raft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer: Option<Proposer>,
}

impl Attributed {
    /// As said, by nobody's proposal.
    #[must_use]
    pub const fn new(principal: Principal, request: Request) -> Self {
        Self { principal, request, proposer: None }
    }

    /// As a leader puts it into the log.
    #[must_use]
    pub fn proposed_by(self, proposer: Proposer) -> Self {
        Self { proposer: Some(proposer), ..self }
    }
}
