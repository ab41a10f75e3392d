//! An actuator that dies between any two calls, or whose call is lost, doubled or late: at most one effect, and no proof that is not so.

use crate::gate::Fault;
use crate::world::{Cloud, KINDS, Kind, World};
use picket_clouds::CloudExecutor;
use picket_core::ports::{Before, PortError, Proof, RemediationExecutor as _};
use picket_core::scope::FencingToken;
use picket_executor_conformance::{NOW, Sink as _, claimed};

const CALLS_MAX: usize = 12;

async fn prove(executor: &CloudExecutor, world: &World<'_>, before: &Before) -> Result<Proof, PortError> {
    executor.prove(&"act-1".into(), FencingToken(7), &world.act(), before, NOW).await
}

/// Runs the act until its call number `at` meets the fault, and drops it there. `false` when it has no such call.
async fn crash(world: &World<'_>, before: &Before, at: usize, fault: Fault) -> bool {
    let gate = &world.cloud.front.gate;
    gate.arm(at, fault);
    let (executor, work) = (world.executor(), world.act());
    let ended = gate.met_or(async { executor.execute(&claimed("act-1", &work, 7), before, NOW).await }).await;
    gate.disarm();
    match ended {
        None => true,
        Some(done) => {
            done.expect("nothing stood in its way");
            false
        }
    }
}

fn is_true(proof: &Proof, effects: u64) -> bool {
    match proof {
        Proof::Effect(_) => effects == 1,
        Proof::Absence => effects == 0,
        Proof::Neither(_) => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_any_two_calls_is_told_truly() {
    let cloud = Cloud::start().await;
    let mut told = std::collections::BTreeMap::<String, usize>::new();
    for kind in KINDS {
        for fault in [Fault::Lose, Fault::LoseAnswer] {
            let mut crashes = 0;
            for at in 0..CALLS_MAX {
                let world = cloud.world(kind).await;
                let before = world.executor().prepare(&world.act()).await.unwrap();
                if !crash(&world, &before, at, fault).await {
                    break;
                }
                crashes += 1;
                let effects = world.changes().await;
                assert!(effects <= 1);
                // At once, somebody new can tell an effect, and else nothing.
                match prove(&world.hasty(), &world, &before).await {
                    Ok(Proof::Effect(_)) => assert_eq!(effects, 1, "{kind:?} {fault:?} at {at}"),
                    Err(PortError::Refused { why, .. }) => assert!(why.contains("cannot be told yet"), "{why}"),
                    other => panic!("{kind:?} {fault:?} at {at}: {other:?}"),
                }
                for _ in 0..2 {
                    let proof = prove(&world.executor(), &world, &before).await.unwrap();
                    assert!(is_true(&proof, effects), "{kind:?} {fault:?} at {at}: {proof:?}, {effects} effects");
                    let name = format!("{kind:?} {}", format!("{proof:?}").split('(').next().unwrap());
                    *told.entry(name).or_default() += 1;
                }
                assert_eq!(world.changes().await, effects, "a proof changes nothing");
                // Nothing is left behind that would be in the way of the next act.
                let next = world.work(picket_core::action::Remediation::Scale { replicas: 6, from: 3 });
                let before = world.executor().prepare(&next).await.unwrap();
                world.executor().execute(&claimed("act-2", &next, 9), &before, NOW).await.unwrap();
            }
            // Compare, stamp, compare, change; a group is read by two calls.
            let calls = if matches!(kind, Kind::EcsScale | Kind::EcsRestart) { 4 } else { 6 };
            assert_eq!(crashes, calls, "{kind:?}");
        }
    }
    // What docs/decisions/0025 promises, kind by kind.
    for kind in KINDS {
        assert!(told.contains_key(&format!("{kind:?} Effect")) && told.contains_key(&format!("{kind:?} Absence")), "{told:?}");
        assert_eq!(told.contains_key(&format!("{kind:?} Neither")), kind != Kind::AsgRestart, "the list of refreshes tells: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_its_way_does_not_land_after_the_proof() {
    let cloud = Cloud::start().await;
    for kind in KINDS {
        for at in 0..CALLS_MAX {
            let world = cloud.world(kind).await;
            let before = world.executor().prepare(&world.act()).await.unwrap();
            if !crash(&world, &before, at, Fault::Hold).await {
                break;
            }
            assert!(matches!(prove(&world.hasty(), &world, &before).await, Err(PortError::Refused { .. })), "{kind:?} at {at}");
            let proof = prove(&world.executor(), &world, &before).await.unwrap();
            assert!(!matches!(proof, Proof::Effect(_)), "{kind:?} at {at}: nothing has landed");
            let stands = (world.stands().await, world.changes().await);
            assert_eq!(stands.1, 0);
            cloud.front.gate.release().await;
            assert_eq!(
                (world.stands().await, world.changes().await),
                stands,
                "{kind:?} at {at}: it came after the proof, which said {proof:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_lands_before_the_proof_is_seen_by_it() {
    let cloud = Cloud::start().await;
    for kind in KINDS {
        let last = if matches!(kind, Kind::EcsScale | Kind::EcsRestart) { 3 } else { 5 };
        let world = cloud.world(kind).await;
        let before = world.executor().prepare(&world.act()).await.unwrap();
        assert!(crash(&world, &before, last, Fault::Hold).await);
        assert!(prove(&world.hasty(), &world, &before).await.is_err(), "it may still land");
        cloud.front.gate.release().await;
        assert_eq!(world.changes().await, 1, "it was still good");
        let proof = prove(&world.hasty(), &world, &before).await.unwrap();
        assert!(matches!(proof, Proof::Effect(_)), "{kind:?}: {proof:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_and_a_broken_server_are_told_truly() {
    let cloud = Cloud::start().await;
    for kind in KINDS {
        let last = if matches!(kind, Kind::EcsScale | Kind::EcsRestart) { 3 } else { 5 };
        for fault in [Fault::LoseAnswer, Fault::Lose, Fault::Answer(500, "InternalFailure")] {
            let world = cloud.world(kind).await;
            let before = world.executor().prepare(&world.act()).await.unwrap();
            cloud.front.gate.arm(last, fault);
            let executor = world.impatient();
            let done = executor.execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
            assert!(matches!(done, Err(PortError::Timeout { .. })), "{kind:?} {fault:?}: {done:?}: nobody knows");
            let effects = world.changes().await;
            let proof = prove(&executor, &world, &before).await.unwrap();
            assert!(is_true(&proof, effects), "{kind:?} {fault:?}: {proof:?}");
            assert_eq!(matches!(proof, Proof::Effect(_)), effects == 1, "{kind:?} {fault:?}: what shows is told");
            let again = executor.execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
            assert!(matches!(again, Err(PortError::Refused { .. })), "a claim is tried once: {again:?}");
            assert_eq!(world.changes().await, effects);
        }
    }
}
