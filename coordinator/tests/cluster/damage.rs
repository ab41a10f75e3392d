//! What a node does with a damaged disk.

use crate::group::{Group, lease, scope};
use picket_core::ports::Coordinator as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

fn newest_segment(group: &Group, id: u64) -> PathBuf {
    let files = fs::read_dir(group.data(id)).unwrap().map(|f| f.unwrap().path());
    files.filter(|p| p.extension().is_some_and(|e| e == "log")).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_write_is_cut_off_and_the_node_joins_again() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let token = lease(&client, "r1", "a").await.unwrap();
    group.stop(2).await;
    let path = newest_segment(&group, 2);
    // The beginning of a record that never got written whole.
    let head = fs::read(&path).unwrap()[..30].to_vec();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&head).unwrap();
    group.restart(2).await.unwrap();
    let status = group.human(&[2]).status().await.unwrap();
    assert_eq!(status.leases.iter().find(|l| l.scope == scope("a")).map(|l| l.token), Some(token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_the_middle_of_the_log_keeps_the_node_from_starting() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    for n in 0..5 {
        lease(&client, &format!("r{n}"), &format!("scope-{n}")).await.unwrap();
    }
    group.stop(3).await;
    let path = newest_segment(&group, 3);
    let mut bytes = fs::read(&path).unwrap();
    bytes[45] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = group.restart(3).await.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()) && error.contains("at byte 0"), "{error}");
    // The other two go on; and with an empty folder it comes back from them.
    lease(&client, "r9", "scope-9").await.unwrap();
    fs::remove_dir_all(group.data(3)).unwrap();
    group.restart(3).await.unwrap();
    assert_eq!(group.human(&[3]).status().await.unwrap().leases.len(), 6);
}
