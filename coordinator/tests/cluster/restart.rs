//! The whole group stops and starts again.

use crate::group::{Group, acquire, lease, release, scope};
use picket_core::ports::Coordinator as _;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_tokens_and_answers_survive_a_full_restart() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let first = client.submit("r1".into(), acquire("a")).await.unwrap();
    let token = lease(&client, "r1", "a").await.unwrap();
    let held = lease(&client, "r2", "b").await.unwrap();
    for round in 0..2 {
        for id in 1..=3 {
            group.stop(id).await;
        }
        for id in 1..=3 {
            group.restart(id).await.unwrap();
        }
        // Connections of the old life are gone; the client finds its way by itself.
        assert_eq!(client.submit("r1".into(), acquire("a")).await.unwrap(), first, "round {round}");
        let status = client.status().await.unwrap();
        assert_eq!(status.leases.iter().find(|l| l.scope == scope("b")).map(|l| l.token), Some(held));
    }
    release(&client, "r3", "a", token).await;
    assert!(lease(&client, "r4", "a").await.unwrap() > token, "I2 across a full restart");
}
