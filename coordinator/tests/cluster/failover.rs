//! Nodes come and go; commands are answered once.

use crate::group::{DEADLINE, Group, acquire, eventually, fast, lease, release, scope};
use futures::FutureExt as _;
use openraft::async_runtime::watch::WatchReceiver as _;
use picket_coordinator::RaftTimers;
use picket_core::coordination::Answer;
use picket_core::ids::Principal;
use picket_core::ports::{Coordinator as _, PortError};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_takes_commands_and_every_node_answers_reads_with_them() {
    let group = Group::start().await;
    let mut last = None;
    for id in [1, 2, 3, 1, 2, 3] {
        let client = group.human(&[id]);
        let request = format!("via-{id}-{last:?}");
        let token = lease(&client, &request, "a").await.unwrap();
        assert!(Some(token) > last, "token {token} after {last:?} (I2)");
        last = Some(token);
        for reader in 1..=3 {
            let status = group.human(&[reader]).status().await.unwrap();
            let seen = status.leases.iter().find(|l| l.scope == scope("a")).map(|l| (l.token, l.holder.clone()));
            assert_eq!(seen, Some((token, "human:test".to_owned())), "written via {id}, read via {reader}");
            assert!(status.leader.is_some() && status.demonstration);
        }
        release(&client, &format!("release-{request}"), "a", token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_is_replaced_and_a_retry_gets_the_first_answer() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let first = client.submit("r1".into(), acquire("a")).await.unwrap();
    let dead = group.leader().await;
    group.stop(dead).await;
    assert_eq!(client.submit("r1".into(), acquire("a")).await.unwrap(), first);
    assert_ne!(group.leader().await, dead);
    let Answer::Leased { tokens, .. } = &first else { panic!("{first:?}") };
    release(&client, "r2", "a", tokens[&scope("a")]).await;
    let next = lease(&client, "r3", "a").await.unwrap();
    assert!(next > tokens[&scope("a")]);
    // It comes back as a follower and answers with what it missed.
    group.restart(dead).await.unwrap();
    let status = group.human(&[dead]).status().await.unwrap();
    assert_eq!(status.leases.iter().find(|l| l.scope == scope("a")).map(|l| l.token), Some(next));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_flight_while_leaders_die_are_done_once() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let work = tokio::spawn(async move {
        let mut tokens = Vec::new();
        for n in 0..30 {
            let token = lease(&client, &format!("take-{n}"), "a").await.unwrap();
            // The same request again: the same answer, whoever leads by now.
            assert_eq!(lease(&client, &format!("take-{n}"), "a").await.unwrap(), token);
            release(&client, &format!("give-{n}"), "a", token).await;
            tokens.push(token);
        }
        tokens
    });
    for _ in 0..2 {
        let leader = group.leader().await;
        group.stop(leader).await;
        group.leader().await;
        group.restart(leader).await.unwrap();
    }
    let tokens = work.await.unwrap();
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?} (I2)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_reads_and_commands_fail_in_time() {
    let mut group = Group::start().await;
    let survivor = group.leader().await;
    for id in (1..=3).filter(|id| *id != survivor) {
        group.stop(id).await;
    }
    let client = group.client_with(&group.pki(), &Principal::Human("test".into()), &[survivor], 3_000);
    let begun = Instant::now();
    assert!(matches!(client.status().await, Err(PortError::Unavailable { .. } | PortError::Timeout { .. })));
    let submitted = client.submit("r".into(), acquire("a")).await;
    assert!(matches!(submitted, Err(PortError::Unavailable { .. } | PortError::Timeout { .. })), "{submitted:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_too_long_catches_up_by_a_snapshot() {
    let mut group = Group::start_with(RaftTimers { snapshot_every: 20, entries_kept: 2, ..fast() }).await;
    let away = (1..=3).find(|id| *id != 1).unwrap();
    let client = group.human(&[1, 2, 3]);
    lease(&client, "before", "before").await.unwrap();
    group.stop(away).await;
    for n in 0..60 {
        lease(&client, &format!("r{n}"), &format!("scope-{n}")).await.unwrap();
    }
    let leader = group.leader().await;
    eventually("the leader has purged what the other would need", || async {
        group.nodes[&leader].raft().metrics().borrow_watched().purged.filter(|p| p.index > 30)
    })
    .await;
    group.restart(away).await.unwrap();
    let status = group.human(&[away]).status().await.unwrap();
    assert_eq!(status.leases.len(), 61);
    assert!(group.nodes[&away].raft().metrics().borrow_watched().snapshot.is_some());
    // And it starts again from what it was sent.
    group.stop(away).await;
    group.restart(away).await.unwrap();
    assert_eq!(group.human(&[away]).status().await.unwrap().leases.len(), 61);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaders_ticks_carry_the_runs_clock_and_expire_leases() {
    let group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    lease(&client, "r1", "a").await.unwrap();
    group.clock.fetch_add(61_000, Ordering::Relaxed);
    eventually("the lease is gone without anybody asking", || async {
        let status = client.status().await.unwrap();
        status.leases.is_empty().then_some(())
    })
    .await;
    assert_eq!(client.status().await.unwrap().now.0, 1_061_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_raft_has_ended_says_so() {
    let group = Group::start().await;
    group.leader().await;
    group.nodes[&1].raft().shutdown().await.unwrap();
    let why = tokio::time::timeout(DEADLINE, group.nodes[&1].ended()).await.unwrap();
    assert!(!why.is_empty());
    assert_eq!(group.nodes[&2].ended().now_or_never(), None);
}
