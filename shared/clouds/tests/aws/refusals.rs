//! What is refused before anything is sent, and what AWS refuses.

use crate::gate::Fault;
use crate::world::{Cloud, Kind};
use picket_core::action::Remediation;
use picket_core::ports::{PortError, RemediationExecutor as _};
use picket_executor_conformance::{NOW, Sink as _, claimed};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_before_the_claim() {
    let cloud = Cloud::start().await;
    let (ecs, group) = (cloud.world(Kind::EcsScale).await, cloud.world(Kind::AsgScale).await);
    for world in [&ecs, &group] {
        for (remediation, word) in [
            (Remediation::Scale { replicas: 3, from: 2 }, "already"),
            (Remediation::Scale { replicas: 2, from: 1 }, "not 1"),
            (Remediation::Rollback { to_revision: 1 }, "possible are scale"),
            (Remediation::Quarantine, "possible are scale"),
        ] {
            let answer = world.executor().prepare(&world.work(remediation.clone())).await;
            assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains(word)), "{remediation:?}: {answer:?}");
        }
        let mut stranger = world.act();
        if let picket_core::proposal::Work::Do { action } = &mut stranger {
            action.service.name = "other".into();
        }
        assert!(!world.executor().handles(&stranger) && world.executor().handles(&world.act()));
        assert!(matches!(world.executor().prepare(&stranger).await, Err(PortError::Refused { .. })));
        let mut settings = world.settings();
        for target in settings.targets.values_mut() {
            match target {
                picket_clouds::CloudTarget::Ecs { service: name, .. } | picket_clouds::CloudTarget::Asg { group: name, .. } => {
                    *name = "none".into()
                }
                _ => unreachable!(),
            }
        }
        let gone = world.executor_with(&settings);
        assert!(matches!(gone.prepare(&world.act()).await, Err(PortError::NotFound { .. })));
        gone.fence(&world.act(), picket_core::scope::FencingToken(9)).await.expect("what is gone needs no fence");
    }
    let answer = group.executor().prepare(&group.work(Remediation::Scale { replicas: 11, from: 3 })).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("1 to 10")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_are_at_is_left_alone() {
    let cloud = Cloud::start().await;
    let group = cloud.world(Kind::AsgScale).await;
    let before = group.executor().prepare(&group.act()).await.unwrap();
    cloud.front.refresh(&group.name, "InProgress").unwrap();
    let answer = group.executor().prepare(&group.act()).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("in progress")), "{answer:?}");
    let late = group.executor().execute(&claimed("act-1", &group.act(), 7), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "{late:?}");
    let ecs = cloud.world(Kind::EcsScale).await;
    let service = json!({"cluster": "shop", "services": [ecs.name]});
    let arn = cloud.moto.ecs("DescribeServices", &service).await["services"][0]["serviceArn"].clone();
    let tags = json!([{"key": "picket.dev/managed", "value": "false"}]);
    cloud.moto.ecs("TagResource", &json!({"resourceArn": arn, "tags": tags})).await;
    let answer = ecs.executor().prepare(&ecs.act()).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("managed")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_writes_nothing() {
    let cloud = Cloud::start().await;
    for skew_s in [-120, 120] {
        let world = cloud.world(Kind::EcsScale).await;
        let before = world.executor().prepare(&world.act()).await.unwrap();
        *cloud.front.skew_s.lock().unwrap() = skew_s;
        let answer = world.executor().execute(&claimed("act-1", &world.act(), 7), &before, NOW).await;
        let fence = world.executor().fence(&world.act(), picket_core::scope::FencingToken(9)).await;
        *cloud.front.skew_s.lock().unwrap() = 0;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("clock")), "{answer:?}");
        assert!(fence.is_err());
        assert_eq!((world.changes().await, world.tag("picket.dev/action-id").await, world.tag("picket.dev/fence").await), (0, None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn awss_errors_are_told_apart() {
    let cloud = Cloud::start().await;
    let world = cloud.world(Kind::EcsScale).await;
    let prepare = |status, code| {
        cloud.front.gate.arm(0, Fault::Answer(status, code));
        let executor = world.executor();
        let act = world.act();
        async move { executor.prepare(&act).await.unwrap_err() }
    };
    assert!(matches!(prepare(400, "ThrottlingException").await, PortError::Full { retry_after_ms: 1.., .. }));
    assert!(matches!(prepare(400, "AccessDeniedException").await, PortError::Refused { .. }));
    assert!(matches!(prepare(400, "ClusterNotFoundException").await, PortError::NotFound { .. }));
    assert!(matches!(prepare(503, "ServiceUnavailable").await, PortError::Unavailable { .. }));
    assert!(matches!(prepare(403, "ExpiredTokenException").await, PortError::Unavailable { .. }));
    world.executor().prepare(&world.act()).await.expect("and later it goes on");
}
