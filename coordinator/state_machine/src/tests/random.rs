//! Any sequence of commands by anybody: nothing panics, no invariant breaks, no promise is broken, and every node reaches the same state.

use super::acts::Watched;
use super::moves::{Act, act, with_moments};
use super::world::*;
use crate::{Reply, State, apply};
use picket_core::coordination::{Attributed, Command, LeasePriority, Request};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::scope::Scope;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("HUNT").map_or(192, |n| n.parse().unwrap()), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks(acts in prop::collection::vec(act(), 1..120), held in any::<bool>()) {
        let mut watched = Watched::new(World::with(crate::Settings { lease_through_observing: held, ..settings() }, Phase::Autonomous));
        for act in &with_moments(acts) {
            watched.step(act);
        }
        watched.step(&Act::Snapshot);
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
            let scopes = vec![Scope::Cluster("c".into())];
            let command = match which % 13 {
                0 => Command::Register,
                1 => Command::PostFacts { facts: Box::new(picket_core::facts::ClusterFacts { observer_epoch: u64::from(which % 4), seq: n as u64, ..facts() }) },
                2 => Command::Propose { proposal: Box::new(limit(service("shop", which as usize % 20))) },
                3 => Command::Stop { keep_undos: false },
                4 => Command::Resume { stop_epoch: n as u64 / 20 },
                5 => Command::Undo { entry, stop_epoch: 0 },
                6 => Command::Grade { entry, observer_epoch: 1, outcome: regressed() },
                7 => Command::Report { entry, actuator_epoch: 2, report: applied() },
                8 => Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 0, why: String::new() },
                9 => Command::AcquireLease { scopes, ttl_ms: 5_000 },
                10 => Command::QueueLease { scopes, ttl_ms: 5_000, priority: LeasePriority::default() },
                11 => Command::RetireCluster { cluster: CLUSTER.into(), why: String::new() },
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
    let (mut queued, mut restored, mut deposed) = (0, 0, 0);
    for _ in 0..600 {
        let acts = prop::collection::vec(act(), 120).new_tree(&mut runner).unwrap().current();
        let mut watched = Watched::new(World::new());
        for act in &with_moments(acts) {
            watched.step(act);
            queued += usize::from(watched.w.state.status().leases.iter().any(|l| l.waiting.iter().any(|w| w.starts_with("human:"))));
            restored += usize::from(watched.w.state.status().restore.is_some());
            deposed += usize::from(matches!(act, Act::Deposed { .. }));
        }
        reached.extend(watched.w.state.entries(1000).into_iter().flat_map(|e| e.history.into_iter().map(|(_, s)| s)));
    }
    let missing: Vec<_> = EntryState::ALL.into_iter().filter(|s| !reached.contains(s)).collect();
    assert_eq!(missing, vec![]);
    assert!(queued > 500 && restored > 100 && deposed > 100, "{queued} {restored} {deposed}");
}
