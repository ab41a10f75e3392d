//! Two actuators, and others who change things.

use crate::gate::Fault;
use crate::world::{Cloud, KINDS, Kind};
use picket_core::action::Remediation;
use picket_core::ports::{PortError, Proof, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_executor_conformance::{NOW, Sink as _, claimed};

#[tokio::test(flavor = "multi_thread")]
async fn an_old_actuator_that_wakes_up_finds_the_door_shut() {
    let cloud = Cloud::start().await;
    for kind in [Kind::EcsScale, Kind::AsgScale] {
        let last = if kind == Kind::EcsScale { 3 } else { 5 };
        for at in 0..=last {
            let world = cloud.world(kind).await;
            let (old, act) = (world.executor(), world.act());
            let before = old.prepare(&act).await.unwrap();
            cloud.front.gate.arm(at, Fault::Hold);
            let claim = claimed("act-1", &act, 7);
            let waking = tokio::spawn(async move { old.execute(&claim, &before, NOW).await });
            assert!(cloud.front.gate.met_or(std::future::pending::<()>()).await.is_none());
            // The fence is not confirmed while the old one's write would still be taken.
            let early = world.hasty().fence(&world.act(), FencingToken(8)).await;
            assert!(matches!(early, Err(PortError::Unavailable { .. })), "{early:?}");
            world.executor().fence(&world.act(), FencingToken(8)).await.unwrap();
            let second = world.work(Remediation::Scale { replicas: 7, from: 3 });
            let before = world.executor().prepare(&second).await.unwrap();
            world.executor().execute(&claimed("act-2", &second, 9), &before, NOW).await.unwrap();
            cloud.front.gate.release().await;
            let woken = waking.await.unwrap();
            assert!(woken.is_err(), "{kind:?} at {at}: {woken:?}");
            assert_eq!((world.stands().await, world.changes().await), (serde_json::json!(7), 1), "{kind:?} at {at}");
            assert_eq!(world.tag("picket.dev/action-id").await.as_deref(), Some("act-2"));
            assert_eq!(world.tag("picket.dev/fence").await.as_deref(), Some("8"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_fence_lowers_none_that_was_confirmed() {
    let cloud = Cloud::start().await;
    let world = cloud.world(Kind::EcsScale).await;
    let old = world.hasty();
    cloud.front.gate.arm(1, Fault::Hold);
    let act = world.act();
    let late = tokio::spawn(async move { old.fence(&act, FencingToken(8)).await });
    assert!(cloud.front.gate.met_or(std::future::pending::<()>()).await.is_none());
    world.executor().fence(&world.act(), FencingToken(9)).await.unwrap();
    cloud.front.gate.release().await;
    let _ = late.await.unwrap();
    assert_eq!(world.tag("picket.dev/fence").await.as_deref(), Some("9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_takes_back_only_what_still_stands() {
    let cloud = Cloud::start().await;
    for kind in [Kind::EcsScale, Kind::AsgScale] {
        let world = cloud.world(kind).await;
        let before = world.executor().prepare(&world.act()).await.unwrap();
        let receipt = world.executor().execute(&claimed("act-1", &world.act(), 7), &before, NOW).await.unwrap();
        let undo = Work::Undo { action: world.act().action().clone(), receipt };
        // Changed between the reading and the claim.
        let before = world.executor().prepare(&undo).await.unwrap();
        world.resize(6).await;
        let late = world.executor().execute(&claimed("act-2", &undo, 8), &before, NOW).await;
        assert!(matches!(late, Err(PortError::Conflict { .. })), "{late:?}");
        assert_eq!(world.stands().await, 6);
        // The same size again is still not what the act had left: another act's stamp is on it.
        let third = world.work(Remediation::Scale { replicas: 5, from: 6 });
        let before = world.executor().prepare(&third).await.unwrap();
        world.executor().execute(&claimed("act-3", &third, 9), &before, NOW).await.unwrap();
        let answer = world.executor().prepare(&undo).await;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("action_id")), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_process_was_told_it_knows_at_once() {
    let cloud = Cloud::start().await;
    for kind in KINDS {
        let reads = if matches!(kind, Kind::EcsScale | Kind::EcsRestart) { 1 } else { 2 };
        // The stamp is refused, or the change is.
        for at in [reads, 2 * reads + 1] {
            let world = cloud.world(kind).await;
            let executor = world.hasty();
            let before = executor.prepare(&world.act()).await.unwrap();
            cloud.front.gate.arm(at, Fault::Answer(400, "AccessDeniedException"));
            let done = executor.execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
            assert!(matches!(&done, Err(PortError::Refused { why, .. }) if why.contains("AccessDenied")), "{done:?}");
            let prove = |executor: picket_clouds::CloudExecutor| {
                let (world, before) = (&world, &before);
                async move { executor.prove(&"act-1".into(), FencingToken(7), &world.act(), before, NOW).await }
            };
            assert!(prove(world.hasty()).await.is_err(), "a stranger does not know");
            assert_eq!(prove(executor.clone()).await, Ok(Proof::Absence), "{kind:?} at {at}");
            assert_eq!(world.changes().await, 0);
            let again = executor.execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
            assert!(matches!(again, Err(PortError::Refused { .. })), "{again:?}");
            assert_eq!(world.changes().await, 0, "what was proven absent is not tried again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_act_between_leaves_it_open() {
    let cloud = Cloud::start().await;
    let world = cloud.world(Kind::EcsScale).await;
    let before = world.executor().prepare(&world.act()).await.unwrap();
    let second = world.work(Remediation::Scale { replicas: 7, from: 3 });
    let other = world.executor().prepare(&second).await.unwrap();
    world.executor().execute(&claimed("act-2", &second, 9), &other, NOW).await.unwrap();
    let proof = world.executor().prove(&"act-1".into(), FencingToken(7), &world.act(), &before, NOW).await.unwrap();
    assert!(matches!(&proof, Proof::Neither(why) if why.contains("another act")), "{proof:?}");
}
