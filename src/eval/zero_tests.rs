use super::world::World;
use picket_adapters::kubernetes::{FENCING_TOKEN, Kind, Mode, Objects as _, REPLICAS_BEFORE_ZERO};
use picket_core::cause::Cause;
use picket_core::ledger::EntryState;
use picket_loadtest::disturbance::Disturbance;
use picket_loadtest::scenario::Scenario;
use serde_json::json;

/// Some minutes of event time, so that usual load is known; and some for the way back.
const WATCHED_S: i64 = 300;

/// Scaled to zero by picket, as an idle service is; but other services call this one.
#[tokio::test]
async fn what_picket_scaled_to_zero_comes_back_when_it_is_called() {
    let retriever = tokio::task::spawn_blocking(crate::roles::agent::retriever).await.unwrap().unwrap();
    let mut world = World::new(Scenario::OneOom, 3, 2 * WATCHED_S, &Disturbance::default(), &retriever).await.unwrap();
    world.run(WATCHED_S).await.unwrap();
    let (api, at) = (world.written_to(0), Kind::Deployment.named("logistics", "tracking"));
    let annotations = json!({ FENCING_TOKEN: "1", REPLICAS_BEFORE_ZERO: "3" });
    let to_zero = json!({"metadata": { "annotations": annotations }, "spec": {"replicas": 0}});
    api.patch(&at, &to_zero, Mode::Commit).await.unwrap();
    world.run(WATCHED_S).await.unwrap();
    let stands = api.get(&at).await.unwrap();
    assert_eq!(stands["spec"]["replicas"], 3, "{stands}");
    let (_, seen, _) = world.finish().await.unwrap();
    assert!(seen.violations.values().all(|n| *n == 0), "{:?}", seen.violations);
    let back: Vec<_> = seen.ledger.iter().filter(|e| e.proposal.cause == Cause::ScaledToZero).collect();
    assert!(
        matches!(&back[..], [entry] if entry.state == EntryState::Settled && entry.work.action().service.name == "tracking"),
        "{back:?}"
    );
}
