//! All nodes of a group decide by the same rules, or not together.

use crate::group::{Group, lease};
use picket_coordinator::serve;
use picket_core::ids::Principal;
use picket_core::ports::{Coordinator as _, PortError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_first_start_stay_in_force() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    lease(&client, "r1", "a").await.unwrap();
    group.stop(2).await;
    let mut config = group.config(2);
    config.settings.limits.max_fleet_restart_ratio = 0.25;
    group.nodes.insert(2, serve(config).await.unwrap());
    assert_eq!(group.human(&[2]).status().await.unwrap().leases.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_with_other_settings_is_kept_out() {
    let mut group = Group::start().await;
    lease(&group.human(&[1, 2, 3]), "r1", "a").await.unwrap();
    group.stop(2).await;
    std::fs::remove_dir_all(group.data(2)).unwrap();
    let mut config = group.config(2);
    config.settings.limits.max_fleet_restart_ratio = 0.25;
    group.nodes.insert(2, serve(config).await.unwrap());
    let alone = group.client_with(&group.pki(), &Principal::Human("test".into()), &[2], 3_000);
    let answer = alone.status().await;
    assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{answer:?}");
    lease(&group.human(&[1, 3]), "r2", "b").await.unwrap();
}
