//! One cluster of forty services, an observer, an actuator, and whoever else speaks. Every command goes to two replicas, of which one
//! may come from a snapshot, and is followed by every check that needs no history.

use crate::{Reply, Response, Ruling, Settings, State, apply, check};
use picket_core::action::{Action, Digest, Remediation};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::claim::{ClaimBody, ClaimRequest};
use picket_core::coordination::{Attributed, Command, LedgerEntry, Proposer, Request, Resolution};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, EntryId, Principal, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use picket_core::outcome::{Outcome, Receipt, Report};
use picket_core::phase::Phase;
use picket_core::proposal::Proposal;
use picket_core::restore::JournaledAct;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;

pub const CLUSTER: &str = "east";

pub struct World {
    pub state: State,
    pub now: Timestamp,
    pub observer: u64,
    pub actuator: u64,
    pub facts: ClusterFacts,
    /// The Raft term of whoever leads; 0 where there is no Raft.
    pub term: u64,
    /// By how much the leader's clock is ahead.
    pub skew_ms: i64,
    /// The other replica.
    pub twin: State,
    /// Commands said: request ids are numbered by it.
    pub said: u64,
}

pub fn human() -> Principal {
    Principal::Human("kim".into())
}
pub fn observer() -> Principal {
    Principal::Observer(CLUSTER.into())
}
pub fn actuator() -> Principal {
    Principal::Actuator(CLUSTER.into())
}
pub fn service(namespace: &str, n: usize) -> ServiceId {
    ServiceId::new(CLUSTER, namespace, &format!("s{n}"))
}

/// 40 services of 4 pods, in two namespaces: budget 16 pods, 4 services.
pub fn facts() -> ClusterFacts {
    let one = |namespace: &str| ServiceFacts {
        ready: 4,
        total: 4,
        desired: 4,
        tier: 2,
        namespaces_touched: vec![namespace.to_owned()],
        ..ServiceFacts::default()
    };
    let services = ["shop", "pay"].into_iter().flat_map(|ns| (0..20).map(move |n| (service(ns, n), one(ns))));
    ClusterFacts { cluster: CLUSTER.into(), services: services.collect(), ..ClusterFacts::default() }
}

/// A wish of the SRE agent: another memory limit (it can be taken back).
pub fn limit(service: ServiceId) -> Proposal {
    let remediation = Remediation::SetMemoryLimit { container: service.name.clone(), limit_bytes: 1 << 30 };
    Proposal {
        id: "p".into(),
        agent: AgentKind::Sre,
        incident: format!("inc-{}", service.name).into(),
        cause: Cause::MemoryLimitTooLow,
        severity: Severity::Three,
        confidence: 0.95,
        services_degraded: 1,
        symptoms: vec![Symptom::OomKilled],
        action: Action { service, remediation },
        evidence_echo: Timestamp(0),
        replay: false,
        monthly_saving_usd: None,
        sentence: "more memory".into(),
    }
}

/// One that cannot be taken back.
pub fn restart(service: ServiceId) -> Proposal {
    let action = Action { service: service.clone(), remediation: Remediation::RolloutRestart };
    Proposal { cause: Cause::StuckProcess, action, ..limit(service) }
}

/// One of the SecOps agent.
pub fn quarantine(service: ServiceId) -> Proposal {
    let action = Action { service: service.clone(), remediation: Remediation::Quarantine };
    Proposal { agent: AgentKind::SecOps, cause: Cause::SuspiciousWorkload, symptoms: vec![], action, ..limit(service) }
}

/// One of the FinOps agent.
pub fn resize(service: ServiceId) -> Proposal {
    let remediation = Remediation::SetResources { container: service.name.clone(), cpu_request_millicores: 100, memory_bytes: 1 << 28 };
    let action = Action { service: service.clone(), remediation };
    Proposal { agent: AgentKind::FinOps, cause: Cause::OverRequested, severity: Severity::Four, symptoms: vec![], action, ..limit(service) }
}

pub fn applied() -> Report {
    Report::Applied { receipt: Receipt { resource_version_after: "2".into(), ..Receipt::default() } }
}

pub fn cannot_tell(fenced: bool) -> Report {
    Report::CannotTell { why: "lost".into(), landed: None, fenced }
}

pub fn regressed() -> Outcome {
    Outcome::Regressed { why: "worse".into() }
}

pub fn recovered() -> Outcome {
    Outcome::Recovered { why: "as before".into() }
}

pub fn settings() -> Settings {
    Settings { demonstration: true, ..Settings::default() }
}

impl World {
    pub fn new() -> Self {
        Self::with(settings(), Phase::Autonomous)
    }

    pub fn with(settings: Settings, phase: Phase) -> Self {
        let (state, twin) = (State::new(settings.clone()), State::new(settings));
        let now = Timestamp(1_000_000);
        let mut world = Self { state, now, observer: 0, actuator: 0, facts: facts(), term: 0, skew_ms: 0, twin, said: 0 };
        world.observer = world.register(&observer());
        world.actuator = world.register(&actuator());
        for agent in AgentKind::ALL {
            assert_eq!(world.set_phase(agent, phase), Reply::Done);
        }
        world.read();
        world
    }

    pub fn register(&mut self, who: &Principal) -> u64 {
        match self.say(who, Command::Register) {
            Reply::Epoch { epoch } => epoch,
            other => panic!("{other:?}"),
        }
    }

    pub fn say(&mut self, who: &Principal, command: Command) -> Reply {
        self.say_whole(who, command).answer
    }

    pub fn say_whole(&mut self, who: &Principal, command: Command) -> Response {
        self.said += 1;
        let request_id = format!("r{}", self.said).into();
        self.say_as(who, Request { request_id, command })
    }

    pub fn say_as(&mut self, who: &Principal, request: Request) -> Response {
        let proposer = (self.term > 0).then_some(Proposer { node: 1, term: self.term });
        let said = Attributed { proposer, ..Attributed::new(who.clone(), request) };
        let (at, before) = (self.now.plus_ms(self.skew_ms), self.state.revision());
        let response = apply(&mut self.state, &said, at);
        assert_eq!(check(&self.state), vec![], "after {said:?}");
        let other = apply(&mut self.twin, &said, at);
        assert_eq!(response, other, "two replicas answer {said:?} differently");
        let read = self.state.status().revision;
        assert_eq!(read, before + response.changed.len() as u64, "a read does not show what {said:?} did");
        response
    }

    /// The other replica starts again from its snapshot.
    pub fn snapshot(&mut self) {
        let json = serde_json::to_vec(&self.twin).unwrap();
        self.twin = serde_json::from_slice(&json).unwrap();
        assert_eq!(self.twin, self.state, "a snapshot is the whole state");
    }

    /// Puts another state in place, on both replicas.
    pub fn replace(&mut self, state: State) {
        self.twin = state.clone();
        self.state = state;
    }

    pub fn after_ms(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        self.say(&Principal::Node(1), Command::Tick);
    }

    /// What a person's page shows now.
    pub fn stop_epoch(&self) -> u64 {
        self.state.status().stop.epoch
    }

    pub fn stop(&mut self, keep_undos: bool) {
        assert_eq!(self.say(&human(), Command::Stop { keep_undos }), Reply::Done);
    }

    pub fn resume(&mut self) -> Reply {
        let stop_epoch = self.stop_epoch();
        self.say(&human(), Command::Resume { stop_epoch })
    }

    pub fn set_phase(&mut self, agent: AgentKind, phase: Phase) -> Reply {
        let stop_epoch = self.stop_epoch();
        self.say(&human(), Command::SetPhase { agent, phase, stop_epoch, why: "test".into() })
    }

    /// A person takes it back.
    pub fn undo(&mut self, entry: &EntryId) -> Reply {
        let stop_epoch = self.stop_epoch();
        self.say(&human(), Command::Undo { entry: entry.clone(), stop_epoch })
    }

    pub fn resolve(&mut self, entry: &EntryId, resolution: Resolution) -> Reply {
        self.say(&human(), Command::Resolve { entry: entry.clone(), resolution })
    }

    /// A person takes back what could not be known.
    pub fn resolve_by_undo(&mut self, entry: &EntryId) -> Reply {
        let stop_epoch = self.stop_epoch();
        self.resolve(entry, Resolution::Undo { stop_epoch })
    }

    /// The observer reads the cluster, a moment later.
    pub fn read(&mut self) {
        self.after_ms(100);
        self.post();
    }

    /// The reading arrives, as of now.
    pub fn post(&mut self) {
        self.facts.seq += 1;
        self.facts.observer_epoch = self.observer;
        self.facts.echo = self.state.now();
        let facts = Box::new(self.facts.clone());
        assert_eq!(self.say(&observer(), Command::PostFacts { facts }), Reply::Done);
    }

    /// Proposes with evidence of now and an id of its own.
    pub fn propose(&mut self, proposal: Proposal) -> (EntryId, Ruling) {
        self.said += 1;
        let proposal = Proposal { id: format!("p{}", self.said).into(), evidence_echo: self.state.now(), ..proposal };
        let who = Principal::Agent(proposal.agent);
        match self.say(&who, Command::Propose { proposal: Box::new(proposal) }) {
            Reply::Decided { entry, ruling } => (entry, ruling),
            other => panic!("{other:?}"),
        }
    }

    pub fn permitted(&mut self, proposal: Proposal) -> EntryId {
        let (entry, ruling) = self.propose(proposal);
        assert_eq!(ruling, Ruling::Permitted);
        entry
    }

    pub fn denied(&mut self, proposal: Proposal) -> Vec<LimitRule> {
        match self.propose(proposal).1 {
            Ruling::Denied { violations } => violations.into_iter().map(|v| v.rule).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub fn entry(&self, id: &EntryId) -> LedgerEntry {
        self.state.entry(id).unwrap().clone()
    }

    pub fn at(&self, id: &EntryId) -> EntryState {
        self.entry(id).state
    }

    pub fn claim_of(&self, id: &EntryId) -> ClaimRequest {
        ClaimRequest {
            entry: id.clone(),
            digest: self.entry(id).digest,
            actuator_epoch: self.actuator,
            before_digest: Digest::of(b"before"),
            audit_hash: Digest::of(b"audit"),
        }
    }

    pub fn try_claim(&mut self, claim: ClaimRequest) -> Result<ClaimBody, Vec<LimitRule>> {
        match self.say(&actuator(), Command::Claim { claim }) {
            Reply::Claimed { claim } => Ok(claim),
            Reply::Refused { violations } => Err(violations.into_iter().map(|v| v.rule).collect()),
            other => panic!("{other:?}"),
        }
    }

    pub fn claim(&mut self, id: &EntryId) -> ClaimBody {
        self.try_claim(self.claim_of(id)).unwrap()
    }

    pub fn report(&mut self, id: &EntryId, report: Report) -> Reply {
        let actuator_epoch = self.actuator;
        self.say(&actuator(), Command::Report { entry: id.clone(), actuator_epoch, report })
    }

    pub fn grade(&mut self, id: &EntryId, outcome: Outcome) -> Reply {
        let observer_epoch = self.observer;
        self.say(&observer(), Command::Grade { entry: id.clone(), observer_epoch, outcome })
    }

    /// What the actuator's journal says of a claim.
    pub fn journaled(&self, id: &EntryId, report: Option<Report>) -> JournaledAct {
        let entry = self.entry(id);
        JournaledAct {
            claim: entry.claim.unwrap(),
            work: entry.work,
            proposal: Box::new(entry.proposal),
            cost_pods: entry.cost_pods,
            token: entry.tokens.values().max().copied().unwrap(),
            report,
        }
    }

    /// Permitted, claimed and applied.
    pub fn done(&mut self, proposal: Proposal) -> EntryId {
        let id = self.permitted(proposal);
        self.claim(&id);
        assert_eq!(self.report(&id, applied()), Reply::Done);
        assert_eq!(self.at(&id), EntryState::Observing);
        id
    }

    pub fn leases(&self) -> Vec<(String, String)> {
        self.state.status().leases.into_iter().map(|l| (l.scope.to_string(), l.holder)).collect()
    }
}

pub fn rules(reply: Reply) -> Vec<LimitRule> {
    match reply {
        Reply::Refused { violations } => violations.into_iter().map(|v| v.rule).collect(),
        other => panic!("{other:?}"),
    }
}
