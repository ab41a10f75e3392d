//! Any sequence of commands by anybody: nothing panics, no invariant breaks, no budget is exceeded, and every node reaches the same state.

use super::world::*;
use crate::{Reply, State, apply};
use picket_core::coordination::{Attributed, Command, Request, Resolution};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::limits::budget_pods;
use picket_core::outcome::{Outcome, Report};
use picket_core::phase::Phase;
use picket_core::scope::{FencingToken, Scope};
use picket_core::severity::Severity;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What somebody does; entries are named by their place, so that sequences hit something.
#[derive(Clone, Debug)]
enum Act {
    Propose { kind: u8, namespace: bool, service: u8, severity: u8 },
    Claim { entry: u8, old_epoch: bool },
    Report { entry: u8, how: u8 },
    Grade { entry: u8, how: u8 },
    Approve { entry: u8 },
    Refresh { entry: u8 },
    Deny { entry: u8 },
    Undo { entry: u8 },
    Resolve { entry: u8, how: u8 },
    Stop { keep_undos: bool },
    Resume,
    Phase { agent: u8, phase: u8 },
    Violation,
    Lease { namespace: bool },
    Read { others: u8, tier: u8 },
    Pass { ms: i64 },
    Takeover { observer: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let entry = any::<u8>();
    prop_oneof![
        8 => (0u8..3, any::<bool>(), 0u8..5, 1u8..5)
            .prop_map(|(kind, namespace, service, severity)| Act::Propose { kind, namespace, service, severity }),
        8 => (entry, prop::bool::weighted(0.1)).prop_map(|(entry, old_epoch)| Act::Claim { entry, old_epoch }),
        6 => (entry, 0u8..4).prop_map(|(entry, how)| Act::Report { entry, how }),
        6 => (entry, 0u8..4).prop_map(|(entry, how)| Act::Grade { entry, how }),
        3 => entry.prop_map(|entry| Act::Approve { entry }),
        3 => entry.prop_map(|entry| Act::Refresh { entry }),
        1 => entry.prop_map(|entry| Act::Deny { entry }),
        2 => entry.prop_map(|entry| Act::Undo { entry }),
        3 => (entry, 0u8..3).prop_map(|(entry, how)| Act::Resolve { entry, how }),
        1 => any::<bool>().prop_map(|keep_undos| Act::Stop { keep_undos }),
        1 => Just(Act::Resume),
        3 => (0u8..3, 0u8..3).prop_map(|(agent, phase)| Act::Phase { agent, phase }),
        1 => Just(Act::Violation),
        1 => any::<bool>().prop_map(|namespace| Act::Lease { namespace }),
        8 => (0u8..18, 1u8..4).prop_map(|(others, tier)| Act::Read { others, tier }),
        4 => prop_oneof![0i64..2_000, 5_000i64..40_000, 100_000i64..900_000].prop_map(|ms| Act::Pass { ms }),
        1 => any::<bool>().prop_map(|observer| Act::Takeover { observer }),
    ]
}

fn pick(w: &World, entry: u8) -> EntryId {
    let entries = w.state.entries(4);
    if entries.is_empty() { "act-none".into() } else { entries[entry as usize % entries.len()].id.clone() }
}

/// Mostly an entry that is in that state: deep sequences are rare otherwise.
fn pick_at(w: &World, entry: u8, state: EntryState) -> EntryId {
    let there: Vec<_> = w.state.entries(0).into_iter().filter(|e| e.state == state).collect();
    if entry.is_multiple_of(5) || there.is_empty() { pick(w, entry) } else { there[entry as usize % there.len()].id.clone() }
}

/// Every command goes through [`World::say`], which checks the invariants after it.
fn play(w: &mut World, act: &Act) {
    let namespace = |shop: bool| if shop { "shop" } else { "pay" };
    match act {
        Act::Propose { kind, namespace: ns, service: n, severity } => {
            let target = service(namespace(*ns), *n as usize);
            let mut proposal = match kind {
                0 => limit(target),
                1 => restart(target),
                _ => resize(target),
            };
            proposal.severity = Severity::try_from(*severity).unwrap();
            w.propose(proposal);
        }
        Act::Claim { entry, old_epoch } => {
            let id = pick_at(w, *entry, EntryState::Permitted);
            if w.state.entry(&id).is_some() {
                let mut claim = w.claim_of(&id);
                claim.actuator_epoch -= u64::from(*old_epoch);
                let _ = w.try_claim(claim);
            }
        }
        Act::Report { entry, how } => {
            let id = pick_at(w, *entry, EntryState::Claimed);
            let Report::Applied { receipt } = applied() else { return };
            let why = String::new();
            let report = match how {
                0 => Report::NoEffect { why },
                1 => Report::CannotTell { why, landed: None },
                2 => Report::CannotTell { why, landed: Some(receipt) },
                _ => applied(),
            };
            w.report(&id, report);
        }
        Act::Grade { entry, how } => {
            let id = pick_at(w, *entry, EntryState::Observing);
            let outcome = match how {
                0 => Outcome::NoEffect { why: String::new() },
                1 => Outcome::Inconclusive { why: String::new() },
                2 => recovered(),
                _ => regressed(),
            };
            w.grade(&id, outcome);
        }
        Act::Approve { entry } => {
            let id = pick_at(w, *entry, EntryState::AwaitingApproval);
            if let Some(digest) = w.state.entry(&id).map(|e| e.digest.clone()) {
                let stop_epoch = w.state.status().stop.epoch;
                w.say(&human(), Command::Approve { entry: id, digest, stop_epoch });
            }
        }
        Act::Refresh { entry } => {
            let id = pick_at(w, *entry, EntryState::Approved);
            if let Some((digest, agent)) = w.state.entry(&id).map(|e| (e.digest.clone(), e.proposal.agent)) {
                let evidence_echo = w.now;
                w.say(&Principal::Agent(agent), Command::Refresh { entry: id, digest, evidence_echo });
            }
        }
        Act::Deny { entry } => {
            let entry = pick(w, *entry);
            w.say(&human(), Command::Deny { entry, why: String::new() });
        }
        Act::Undo { entry } => {
            let entry = pick(w, *entry);
            w.say(&human(), Command::Undo { entry });
        }
        Act::Resolve { entry, how } => {
            let entry = pick(w, *entry);
            let resolution = [Resolution::Settled, Resolution::Failed, Resolution::Undo][*how as usize];
            w.say(&human(), Command::Resolve { entry, resolution });
        }
        Act::Stop { keep_undos } => drop(w.say(&human(), Command::Stop { keep_undos: *keep_undos })),
        Act::Resume => drop(w.say(&human(), Command::Resume)),
        Act::Phase { agent, phase } => {
            let (agent, phase) = (AgentKind::ALL[*agent as usize], [Phase::Observe, Phase::Assist, Phase::Autonomous][*phase as usize]);
            w.say(&human(), Command::SetPhase { agent, phase, why: String::new() });
        }
        Act::Violation => {
            drop(w.say(
                &actuator(),
                Command::ReportViolation { invariant: Invariant::I3, agent: Some(AgentKind::FinOps), detail: String::new() },
            ));
        }
        Act::Lease { namespace: ns } => {
            let scope = Scope::Namespace(CLUSTER.into(), namespace(*ns).into());
            w.say(&human(), Command::AcquireLease { scopes: vec![scope], ttl_ms: 10_000 });
        }
        Act::Read { others, tier } => {
            w.facts.services.get_mut(&service("pay", 19)).unwrap().disrupted_by_others = u32::from(*others);
            w.facts.services.get_mut(&service("shop", 0)).unwrap().tier = *tier;
            w.post();
        }
        Act::Pass { ms } => w.after_ms(*ms),
        Act::Takeover { observer: true } => w.observer = w.register(&observer()),
        Act::Takeover { observer: false } => w.actuator = w.register(&actuator()),
    }
}

/// I4, by sums of its own over what everybody can see: whatever was newly reserved or claimed fits the facts of that moment.
fn budget_holds(w: &World, before: &BTreeMap<EntryId, EntryState>) {
    let entries = w.state.entries(0);
    let holds = |s: EntryState| s.holds_budget();
    let by_id: BTreeMap<_, _> = entries.iter().map(|e| (e.id.clone(), e)).collect();
    let counted = entries.iter().filter(|e| holds(e.state) && e.parent.as_ref().and_then(|p| by_id.get(p)).is_none_or(|p| !holds(p.state)));
    let sum: u32 = counted.map(|e| e.cost_pods).sum();
    let asks_anew = entries.iter().any(|e| {
        e.parent.is_none()
            && e.cost_pods > 0
            && holds(e.state)
            && (!before.get(&e.id).copied().is_some_and(holds)
                || (e.state == EntryState::Claimed && before.get(&e.id) == Some(&EntryState::Permitted)))
    });
    let allowed = budget_pods(0.1, w.facts.fleet_ready()).saturating_sub(w.facts.disrupted_by_others());
    assert!(!asks_anew || sum <= allowed, "{sum} pods are reserved, {allowed} are allowed");
}

/// I2, from outside: a scope's token never falls.
fn tokens_rise(w: &World, highest: &mut BTreeMap<Scope, FencingToken>) {
    for lease in w.state.status().leases {
        let last = highest.entry(lease.scope).or_insert(lease.token);
        assert!(lease.token >= *last);
        *last = lease.token;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks(acts in prop::collection::vec(act(), 1..120), held in any::<bool>()) {
        let mut w = World::with(crate::Settings { lease_through_observing: held, ..settings() }, Phase::Autonomous);
        let mut highest = BTreeMap::new();
        // A reading comes a moment later: what that moment grants is held against the reading before.
        let steps = acts.into_iter().flat_map(|act| match act {
            Act::Read { .. } => vec![Act::Pass { ms: 100 }, act],
            _ => vec![act],
        });
        for act in &steps.collect::<Vec<_>>() {
            let before = w.state.entries(0).into_iter().map(|e| (e.id, e.state)).collect();
            play(&mut w, act);
            budget_holds(&w, &before);
            tokens_rise(&w, &mut highest);
        }
        let json = serde_json::to_vec(&w.state).unwrap();
        prop_assert_eq!(serde_json::from_slice::<State>(&json).unwrap(), w.state);
    }

    /// Commands from anybody, at any time, in any state: never a panic, and the same on every node.
    #[test]
    fn two_nodes_agree(acts in prop::collection::vec((any::<u8>(), -1_000i64..30_000), 1..80)) {
        let (mut one, mut other) = (State::new(settings()), State::new(settings()));
        let mut at = picket_core::time::Timestamp(0);
        for (n, (which, ms)) in acts.into_iter().enumerate() {
            at = at.plus_ms(ms);
            let who = [human(), observer(), actuator(), Principal::Node(1), Principal::Agent(AgentKind::Sre)][which as usize % 5].clone();
            let entry: EntryId = format!("act-0-{:08}", which % 8).into();
            let command = match which % 11 {
                0 => Command::Register,
                1 => Command::PostFacts { facts: Box::new(picket_core::facts::ClusterFacts { observer_epoch: u64::from(which % 4), seq: n as u64, ..facts() }) },
                2 => Command::Propose { proposal: Box::new(limit(service("shop", which as usize % 20))) },
                3 => Command::Stop { keep_undos: false },
                4 => Command::Resume,
                5 => Command::Undo { entry },
                6 => Command::Grade { entry, observer_epoch: 1, outcome: regressed() },
                7 => Command::Report { entry, actuator_epoch: 2, report: applied() },
                8 => Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, why: String::new() },
                9 => Command::AcquireLease { scopes: vec![Scope::Cluster("c".into())], ttl_ms: 5_000 },
                _ => Command::Tick,
            };
            let said = Attributed::new(who, Request { request_id: format!("r{}", n % 40).into(), command });
            let answers = (apply(&mut one, &said, at), apply(&mut other, &said, at));
            prop_assert_eq!(&answers.0, &answers.1);
            let claimed = matches!(answers.0.answer, Reply::Claimed { .. });
            prop_assert!(!claimed);
        }
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(crate::check(&one), vec![]);
    }
}

/// The sequences above would prove little if they never got anywhere.
#[test]
fn random_sequences_reach_every_state() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..150 {
        let acts = prop::collection::vec(act(), 120).new_tree(&mut runner).unwrap().current();
        let mut w = World::new();
        for act in &acts {
            if matches!(act, Act::Read { .. }) {
                w.after_ms(100);
            }
            play(&mut w, act);
        }
        reached.extend(w.state.entries(1000).into_iter().flat_map(|e| e.history.into_iter().map(|(_, s)| s)));
    }
    let missing: Vec<_> = EntryState::ALL.into_iter().filter(|s| !reached.contains(s)).collect();
    assert_eq!(missing, vec![]);
}
