use super::world::{START, World};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::AgentKind;
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::time::Timestamp;
use picket_loadtest::disturbance::Disturbance;
use picket_loadtest::scenario::Scenario;

/// The whole pipeline, an hour of event time: about three minutes of one core.
#[tokio::test]
async fn every_agent_earns_its_way_up_and_acts_only_as_far_as_it_has_come() {
    let retriever = tokio::task::spawn_blocking(crate::roles::agent::retriever).await.unwrap().unwrap();
    let scenario = Scenario::Earn;
    let duration_s = i64::try_from(scenario.run_s()).unwrap();
    let mut world = World::new(scenario, 1, duration_s, &Disturbance::default(), &retriever).await.unwrap();
    world.run(duration_s).await.unwrap();
    let earned = world.judge.earned(1, START).await.unwrap();
    let (_, seen, _) = world.finish().await.unwrap();
    assert!(seen.violations.values().all(|n| *n == 0), "{:?}", seen.violations);
    assert_eq!(earned.len(), AgentKind::ALL.len());
    for one in &earned {
        let steps: Vec<_> = one.steps.iter().map(|s| s.to).collect();
        assert_eq!(steps, [Phase::Assist, Phase::Autonomous], "{one}");
        assert!(one.episodes >= 100 && one.steps.iter().all(|s| s.because.contains("earned")), "{one:?}");
        let [assist, autonomous] = [0, 1].map(|n| START.plus_ms((one.steps[n].at_s * 1000.0) as i64));
        let applied = |e: &&LedgerEntry| e.proposal.agent == one.agent && at(e, EntryState::Claimed).is_some();
        let acts: Vec<_> = seen.ledger.iter().filter(applied).collect();
        // FinOps waits while a cluster has trouble, and here it nearly always has.
        assert!(!acts.is_empty() || one.agent == AgentKind::FinOps, "{} has acted", one.agent);
        for act in acts {
            let claimed = at(act, EntryState::Claimed).unwrap();
            assert!(claimed >= assist, "{} acted in Observe: {act:?}", one.agent);
            assert!(claimed >= autonomous || at(act, EntryState::Approved).is_some(), "{} acted in Assist unasked: {act:?}", one.agent);
        }
    }
}

fn at(entry: &LedgerEntry, state: EntryState) -> Option<Timestamp> {
    entry.history.iter().find(|(_, s)| *s == state).map(|(at, _)| *at)
}
