//! Every collection has an end, and says so.

use super::world::*;
use crate::{InMemoryCoordinator, Settings, State, apply};
use ed25519_dalek::SigningKey;
use picket_core::coordination::{Attributed, Command, Request};
use picket_core::ids::{AgentKind, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::phase::Phase;
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;
use std::sync::Arc;

#[test]
fn answers_are_kept_within_a_bound_per_principal_and_forgotten_by_age() {
    let mut w = World::with(Settings { requests_max: 4, ..settings() }, Phase::Observe);
    w.after_ms(5 * 60_000 + 1);
    for _ in 0..4 {
        w.resume();
    }
    assert_eq!(rules(w.resume()), [L::Capacity]);
    assert_eq!(w.state.answers_kept(), 4);
    w.read();
    w.after_ms(5 * 60_000 + 1);
    w.resume();
    assert_eq!(w.state.answers_kept(), 1);
}

#[test]
fn too_many_open_entries_deny() {
    let mut w = World::with(Settings { entries_open_max: 2, ..settings() }, Phase::Assist);
    w.propose(limit(service("shop", 1)));
    w.propose(limit(service("shop", 2)));
    assert_eq!(w.denied(limit(service("shop", 3))), [L::Capacity]);
}

#[test]
fn one_agent_asks_once_about_a_service() {
    let mut w = World::with(settings(), Phase::Assist);
    w.propose(limit(service("shop", 1)));
    assert_eq!(w.denied(limit(service("shop", 1))), [L::TargetBusy]);
}

#[test]
fn ended_entries_and_old_changes_are_forgotten() {
    let mut w = World::with(Settings { entries_ended_max: 3, changes_max: 5, ..settings() }, Phase::Observe);
    for n in 0..10 {
        w.propose(limit(service("shop", n)));
    }
    assert_eq!(w.state.entries(100).len(), 3);
    assert_eq!(w.state.revision(), 10);
    let (changes, compacted) = w.state.changes_after(5, 3);
    assert_eq!((changes.iter().map(|(r, _)| *r).collect::<Vec<_>>(), compacted), (vec![6, 7, 8], false));
    assert_eq!(w.state.changes_after(4, 3), (vec![], true));
    assert_eq!(w.state.changes_after(10, 3), (vec![], false));
    assert_eq!(w.state.changes_after(11, 3), (vec![], true), "of another ledger");
}

#[test]
fn entries_are_the_open_ones_and_the_newest_ended() {
    let mut w = World::new();
    let open = w.done(limit(service("shop", 1)));
    let ended: Vec<_> = (2..5).map(|n| w.propose(Proposal { confidence: 0.1, ..limit(service("shop", n)) }).0).collect();
    let ids: Vec<_> = w.state.entries(2).into_iter().map(|e| e.id).collect();
    assert_eq!(ids, [open, ended[1].clone(), ended[2].clone()]);
}

#[test]
fn nonsense_is_refused_before_it_is_kept() {
    let mut w = World::new();
    let bad = [
        Proposal { confidence: f64::NAN, ..limit(service("shop", 1)) },
        Proposal { sentence: "x".repeat(5_000), ..limit(service("shop", 1)) },
        Proposal { id: "".into(), ..limit(service("shop", 1)) },
        limit(service("a/b", 1)),
    ];
    for proposal in bad {
        let before = w.state.revision();
        assert_eq!(rules(w.say(&Principal::Agent(AgentKind::Sre), Command::Propose { proposal: Box::new(proposal) })), [L::Malformed]);
        assert_eq!(w.state.revision(), before);
    }
    w.facts.services.get_mut(&service("shop", 1)).unwrap().error_budget_burn = f64::INFINITY;
    w.facts.seq += 1;
    let facts = Box::new(w.facts.clone());
    assert_eq!(rules(w.say(&observer(), Command::PostFacts { facts })), [L::Malformed]);
}

#[test]
fn a_snapshot_is_the_state() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    let json = serde_json::to_vec(&w.state).unwrap();
    let mut restored: State = serde_json::from_slice(&json).unwrap();
    assert_eq!(restored, w.state);
    let said = Attributed::new(Principal::Node(1), Request { request_id: "t".into(), command: Command::Tick });
    let at = w.now.plus_ms(60_000);
    assert_eq!(apply(&mut restored, &said, at), apply(&mut w.state, &said, at));
    assert_eq!(restored, w.state);
}

#[test]
fn settings_that_contradict_an_invariant_are_refused() {
    assert!(Settings::default().validate().is_ok());
    for bad in [
        Settings { permit_ttl_ms: 0, ..Settings::default() },
        Settings { lease_ttl_ms: 20_000, ..Settings::default() },
        Settings { request_retention_ms: 40_000, ..Settings::default() },
        Settings { limits: picket_core::limits::LimitRules { max_fleet_restart_ratio: 0.3, ..Default::default() }, ..Settings::default() },
    ] {
        assert!(bad.validate().is_err());
    }
}

#[test]
fn the_port_in_memory_answers_signs_and_watches() {
    use picket_core::coordination::Answer;
    use picket_core::ports::Coordinator as _;
    let clock: crate::RunClock = Arc::new(|| Timestamp(5_000_000));
    let coordinator = InMemoryCoordinator::new(settings(), SigningKey::from_bytes(&[3; 32]), clock);
    let now = |future| block_on(future);
    let observer = coordinator.handle(observer());
    let Ok(Answer::Epoch { epoch }) = now(observer.submit("1".into(), Command::Register)) else { panic!() };
    let seen = picket_core::facts::ClusterFacts { observer_epoch: epoch, seq: 1, echo: Timestamp(5_000_000), ..facts() };
    assert_eq!(now(observer.submit("2".into(), Command::PostFacts { facts: Box::new(seen) })), Ok(Answer::Done));
    let person = coordinator.handle(human());
    let autonomous = Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 0, why: "demo".into() };
    assert_eq!(now(person.submit("1".into(), autonomous)), Ok(Answer::Done));
    let proposal = Proposal { evidence_echo: Timestamp(5_000_000), ..limit(service("shop", 1)) };
    let sre = coordinator.handle(Principal::Agent(AgentKind::Sre));
    let answer = now(sre.submit("1".into(), Command::Propose { proposal: Box::new(proposal) }));
    assert!(matches!(answer, Ok(Answer::Decided { .. })), "{answer:?}");
    let page = block_on(sre.watch(0, 1_000)).unwrap();
    assert_eq!((page.revision, page.compacted, page.changes.len()), (1, false, 1));
    assert_eq!(page.changes[0].entry.state, S::Permitted);
    page.changes[0].permit.as_ref().unwrap().verify(&coordinator.verifying_key()).unwrap();
    assert_eq!(block_on(sre.status()).unwrap().leader, Some(0));
}

/// The in-memory port never waits: one poll is enough.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
