//! AKS agent pools and VM scale sets, on a local resource manager made from Azure's public documents.

#![cfg(feature = "azure")]

mod arm;
#[path = "../gate/mod.rs"]
mod gate;
mod world;

use gate::Fault;
use picket_clouds::{AzureCredentialsFrom, CloudExecutor};
use picket_core::action::Remediation;
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_executor_conformance::{NOW, Sink as _, claimed};
use serde_json::json;
use world::{KINDS, Kind, World};

const CALLS_MAX: usize = 6;

async fn prove(executor: &CloudExecutor, world: &World, before: &Before) -> PortResult<Proof> {
    executor.prove(&"act-1".into(), FencingToken(7), &world.act(), before, NOW).await
}

#[tokio::test]
async fn conforms() {
    for kind in KINDS {
        picket_executor_conformance::all(|| World::new(kind)).await;
    }
}

#[tokio::test]
async fn a_crash_between_any_two_calls_is_told_truly() {
    for kind in KINDS {
        for fault in [Fault::Lose, Fault::LoseAnswer, Fault::Hold] {
            let mut crashes = 0;
            for at in 0..CALLS_MAX {
                let world = World::new(kind).await;
                let before = world.executor().prepare(&world.act()).await.unwrap();
                world.arm.gate.arm(at, fault);
                let (executor, work) = (world.executor(), world.act());
                let ended = world.arm.gate.met_or(async { executor.execute(&claimed("act-1", &work, 7), &before, NOW).await }).await;
                world.arm.gate.disarm();
                if let Some(done) = ended {
                    done.unwrap();
                    break;
                }
                crashes += 1;
                let effects = world.changes().await;
                for _ in 0..2 {
                    let proof = prove(&world.executor(), &world, &before).await.unwrap();
                    let expected = if effects == 1 { matches!(proof, Proof::Effect(_)) } else { proof == Proof::Absence };
                    assert!(expected, "{kind:?} {fault:?} at {at}: {effects} effects, {proof:?}");
                }
                if fault == Fault::Hold {
                    world.arm.gate.release().await;
                }
                assert_eq!(world.changes().await, effects, "{kind:?} {fault:?} at {at}: what was proven stays so");
            }
            assert_eq!(crashes, 2, "the write, and one look at its operation");
        }
    }
}

#[tokio::test]
async fn an_old_actuator_that_wakes_up_finds_another_version() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let (old, act) = (world.executor(), world.act());
        let before = old.prepare(&act).await.unwrap();
        world.arm.gate.arm(0, Fault::Hold);
        let claim = claimed("act-1", &act, 7);
        let waking = tokio::spawn(async move { old.execute(&claim, &before, NOW).await });
        assert!(world.arm.gate.met_or(std::future::pending::<()>()).await.is_none());
        world.executor().fence(&world.act(), FencingToken(8)).await.unwrap();
        let second = world.work(Remediation::Scale { replicas: 7, from: 3 });
        let before = world.executor().prepare(&second).await.unwrap();
        world.executor().execute(&claimed("act-2", &second, 9), &before, NOW).await.unwrap();
        world.arm.gate.release().await;
        let woken = waking.await.unwrap();
        assert!(matches!(woken, Err(PortError::Conflict { .. })), "{woken:?}");
        assert_eq!((world.stands().await, world.changes().await), (json!(7), 1));
        assert_eq!(world.tags()["picket.dev.action-id"], "act-2");
        assert_eq!(world.tags()["owner"], "shop", "other tags stay");
    }
}

#[tokio::test]
async fn a_fence_tells_absence_to_a_later_proof() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let before = world.executor().prepare(&world.act()).await.unwrap();
        world.executor().fence(&world.act(), FencingToken(9)).await.unwrap();
        assert_eq!(prove(&world.executor(), &world, &before).await.unwrap(), Proof::Absence);
        // A change of theirs on another version: whether ours came before it, nobody can say.
        let before = world.executor().prepare(&world.act()).await.unwrap();
        world.resize(4);
        let proof = prove(&world.executor(), &world, &before).await.unwrap();
        assert!(matches!(proof, Proof::Neither(_)), "{proof:?}");
        world.arm.remove(&world.path());
        assert!(matches!(prove(&world.executor(), &world, &before).await, Ok(Proof::Neither(_))));
        world.executor().fence_all(FencingToken(20)).await.expect("what is gone needs no fence");
    }
}

#[tokio::test]
async fn an_operation_under_way_is_waited_for_and_respected() {
    for kind in KINDS {
        let world = World::new(kind).await;
        world.arm.operations_take(1000, false);
        let mut settings = world.settings();
        (settings.timeout_ms, settings.write_timeout_ms) = (1000, 1500);
        let hasty = world.executor_with(&settings);
        let before = hasty.prepare(&world.act()).await.unwrap();
        let receipt = hasty.execute(&claimed("act-1", &world.act(), 7), &before, NOW).await.expect("accepted, and not over yet");
        let answer = hasty.prepare(&world.work(Remediation::Scale { replicas: 9, from: 5 })).await;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("in progress")), "{answer:?}");
        let fence = hasty.fence(&world.act(), FencingToken(9)).await;
        assert!(matches!(fence, Err(PortError::Unavailable { .. })), "{fence:?}: later");
        match prove(&hasty, &world, &before).await.unwrap() {
            Proof::Effect(proven) => assert_eq!((proven.before, proven.after), (receipt.before, receipt.after)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_operation_that_fails_leaves_it_open() {
    for kind in KINDS {
        let world = World::new(kind).await;
        world.arm.operations_take(2, true);
        let before = world.executor().prepare(&world.act()).await.unwrap();
        let done = world.executor().execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
        assert!(matches!(&done, Err(PortError::Refused { why, .. }) if why.contains("QuotaExceeded")), "{done:?}");
        let proof = prove(&world.executor(), &world, &before).await.unwrap();
        assert!(matches!(&proof, Proof::Neither(why) if why.contains("failed")), "{proof:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_before_the_claim() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let refused = async |remediation: Remediation, word: &str| {
            let answer = world.executor().prepare(&world.work(remediation)).await;
            assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains(word)), "{answer:?}");
        };
        refused(Remediation::Scale { replicas: 3, from: 2 }, "already").await;
        refused(Remediation::RolloutRestart, "possible is scale").await;
        refused(Remediation::Quarantine, "possible is scale").await;
        world.arm.may_write(false);
        refused(Remediation::Scale { replicas: 5, from: 3 }, "/write").await;
        world.arm.may_write(true);
        world.arm.change(&world.path(), |resource| {
            let tags = json!({"picket.dev.managed": "false"});
            if kind == Kind::AksPool { resource["properties"]["tags"] = tags } else { resource["tags"] = tags }
        });
        refused(Remediation::Scale { replicas: 5, from: 3 }, "managed").await;
    }
    let world = World::new(Kind::AksPool).await;
    world.arm.change(&world.path(), |pool| pool["properties"]["enableAutoScaling"] = json!(true));
    let answer = world.executor().prepare(&world.act()).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("autoscaler")), "{answer:?}");
}

#[tokio::test]
async fn an_undo_needs_what_the_act_had_left() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let before = world.executor().prepare(&world.act()).await.unwrap();
        let receipt = world.executor().execute(&claimed("act-1", &world.act(), 7), &before, NOW).await.unwrap();
        let undo = Work::Undo { action: world.act().action().clone(), receipt };
        let before = world.executor().prepare(&undo).await.unwrap();
        world.resize(6);
        let late = world.executor().execute(&claimed("act-2", &undo, 8), &before, NOW).await;
        assert!(matches!(late, Err(PortError::Conflict { .. })), "{late:?}");
        assert_eq!(world.stands().await, 6);
    }
}

#[tokio::test]
async fn azures_errors_are_told_apart() {
    let world = World::new(Kind::Vmss).await;
    world.arm.throttle(true);
    assert!(matches!(world.executor().prepare(&world.act()).await, Err(PortError::Full { retry_after_ms: 7000, .. })));
    world.arm.throttle(false);
    let before = world.executor().prepare(&world.act()).await.unwrap();
    for (status, code, expected) in
        [(500, "InternalServerError", "deadline"), (409, "ScopeLocked", "refused"), (403, "AuthorizationFailed", "refused")]
    {
        world.arm.gate.arm(0, Fault::Answer(status, code));
        let error = world.executor().execute(&claimed("act-1", &world.act(), 7), &before, NOW).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{status} {code}: {error:?}");
    }
    assert_eq!(world.changes().await, 0);
}

#[tokio::test]
async fn tokens_are_kept_renewed_and_not_printed() {
    let world = World::new(Kind::AksPool).await;
    let executor = world.executor();
    for _ in 0..2 {
        executor.prepare(&world.act()).await.unwrap();
    }
    assert_eq!(world.arm.logins(), 1);
    world.clock.advance(3400);
    executor.prepare(&world.act()).await.unwrap();
    assert_eq!(world.arm.logins(), 2, "before it expires");
    assert!(!format!("{executor:?} {:?}", world.settings()).contains("hush"));
    std::fs::write(world.secrets.path().join("token"), "wrong").unwrap();
    world.clock.advance(3500);
    let answer = executor.prepare(&world.act()).await;
    assert!(answer.is_ok(), "the old one is good until it expires: {answer:?}");
    world.clock.advance(3500);
    let answer = executor.prepare(&world.act()).await;
    assert!(
        matches!(&answer, Err(PortError::Unavailable { what, why }) if what.contains("credentials") && !why.contains("wrong")),
        "{answer:?}"
    );
    let mut settings = world.settings();
    let secret_file = world.secrets.path().join("secret");
    std::fs::write(&secret_file, "hush").unwrap();
    settings.azure.credentials = AzureCredentialsFrom::ClientSecret { tenant: "tenant".into(), client: "client".into(), secret_file };
    world.executor_with(&settings).prepare(&world.act()).await.unwrap();
}
