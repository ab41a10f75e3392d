//! Nodes come and go under load.

use crate::group::{Group, eventually, fast, lease};
use crate::load::Load;
use picket_coordinator::membership::{BEHIND_MAX, SILENT_MS_MAX};
use picket_coordinator::{RaftTimers, serve};
use picket_coordinator_client::CoordinatorClient;
use picket_core::ids::{AgentKind, Principal};
use picket_core::membership::{MemberChange, MemberRole, MembersView};
use picket_core::ports::{Coordinator as _, PortError};
use std::time::Duration;

async fn change(client: &CoordinatorClient, change: MemberChange) -> MembersView {
    let request = format!("change-{change}");
    let done = client.change_members(request.as_str().into(), change.clone()).await;
    done.unwrap_or_else(|error| panic!("{change}: {error}"))
}

async fn refused(client: &CoordinatorClient, change: MemberChange) -> String {
    let request = format!("no-{change}");
    match client.change_members(request.as_str().into(), change.clone()).await {
        Err(PortError::Refused { why, .. }) => why,
        other => panic!("{change}: {other:?}"),
    }
}

/// Takes the node in as a learner and waits until it may be promoted.
async fn add(group: &Group, client: &CoordinatorClient, id: u64) {
    change(client, MemberChange::Add { id, address: group.addresses[&id].clone() }).await;
    eventually("the newcomer catches up", || async {
        let view = client.members().await.unwrap();
        view.member(id).is_some_and(|m| m.behind.is_some_and(|b| b <= BEHIND_MAX) && m.answered_ms_ago.is_some()).then_some(())
    })
    .await;
}

fn voters(view: &MembersView) -> Vec<u64> {
    view.members.iter().filter(|m| m.role == MemberRole::Voter).map(|m| m.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_added_promoted_removed_and_replaced_while_clients_write() {
    // The log is purged all the time, so that a newcomer needs a snapshot.
    let mut group = Group::start_with(RaftTimers { snapshot_every: 200, entries_kept: 20, ..fast() }).await;
    for id in [4, 5] {
        group.start_new(id).await;
    }
    let everywhere = [1, 2, 3, 4, 5];
    let client = group.human(&everywhere);
    group.leader_of(&[1, 2, 3]).await;
    let load = Load::start(&group, &everywhere, 3);
    load.goes_on_for(200).await;

    add(&group, &client, 4).await;
    load.goes_on_for(20).await;
    let view = change(&client, MemberChange::Promote { id: 4 }).await;
    assert_eq!(voters(&view), [1, 2, 3, 4]);
    load.goes_on_for(20).await;

    // Whoever leads hands over first, and is not missed.
    let leader = group.leader_of(&[1, 2, 3, 4]).await;
    let view = change(&client, MemberChange::Remove { id: leader }).await;
    assert!(!voters(&view).contains(&leader) && view.removed == [leader], "{view:?}");
    load.goes_on_for(20).await;

    // One that is dead is replaced in one change.
    let dead = voters(&view).into_iter().find(|id| *id <= 3).unwrap();
    group.stop(dead).await;
    load.goes_on_for(20).await;
    add(&group, &client, 5).await;
    let view = change(&client, MemberChange::Replace { old: dead, new: 5 }).await;
    let mut left: Vec<u64> = everywhere.into_iter().filter(|id| ![leader, dead].contains(id)).collect();
    left.sort_unstable();
    assert_eq!(voters(&view), left);
    assert!(!view.is_joint);
    load.goes_on_for(100).await;

    // What holds is on record, with who wanted it.
    assert!(view.changes.iter().all(|record| record.by == "human:test"), "{:?}", view.changes);
    assert!(view.changes.iter().any(|record| record.change == MemberChange::Replace { old: dead, new: 5 }));
    assert!(load.end(&client).await >= 380);

    // The group that is left survives the loss of any one, and a restart from its own records.
    for id in left.clone() {
        group.stop(id).await;
        lease(&client, &format!("without-{id}"), &format!("without-{id}")).await.unwrap();
        group.restart(id).await.unwrap();
        group.leader_of(&left).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_under_load_and_is_hardly_missed() {
    let group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    group.leader().await;
    let load = Load::start(&group, &[1, 2, 3], 3);
    load.goes_on_for(50).await;
    for _ in 0..4 {
        let before = group.leader().await;
        load.take_longest_gap();
        let view =
            client.change_members(format!("away-from-{before}-{}", load.cycles()).as_str().into(), MemberChange::Transfer { to: None });
        let view = view.await.unwrap();
        assert!(view.leader.is_some_and(|leader| leader != before), "{view:?}");
        load.goes_on_for(20).await;
        let gap = load.take_longest_gap();
        println!("leadership moved from {before} to {:?}: nobody was answered for {gap:?}", view.leader);
        assert!(gap < Duration::from_secs(5), "{gap:?}");
    }
    let leader = group.leader().await;
    let to = (1..=3).find(|id| *id != leader).unwrap();
    assert_eq!(change(&client, MemberChange::Transfer { to: Some(to) }).await.leader, Some(to));
    load.end(&client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_never_given_twice_and_a_removed_node_says_so() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let leader = group.leader().await;
    let gone = (1..=3).find(|id| *id != leader).unwrap();
    let view = change(&client, MemberChange::Remove { id: gone }).await;
    assert_eq!(view.removed, [gone]);
    // Asked again, it is done already.
    change(&client, MemberChange::Remove { id: gone }).await;
    let again = MemberChange::Add { id: gone, address: group.addresses[&gone].clone() };
    assert!(refused(&client, again.clone()).await.contains("never used twice"));

    let alone = group.client_with(&group.pki(), &Principal::Human("test".into()), &[gone], 1_000);
    let says_so = |error: &PortError| error.to_string().contains("was removed from its group");
    eventually("the removed node knows", || async { alone.status().await.err().filter(says_so) }).await;
    lease(&alone, "r", "a").await.unwrap_err();
    // Also after a restart, and it unseats nobody.
    let led = group.leader_of(&[leader]).await;
    group.stop(gone).await;
    group.restart(gone).await.unwrap();
    eventually("the removed node knows it again", || async { alone.status().await.err().filter(says_so) }).await;
    assert_eq!(group.leader_of(&[leader]).await, led);
    // The record is part of the state: another leader, and a snapshot, have it too.
    group.stop(leader).await;
    group.restart(leader).await.unwrap();
    group.leader_of(&(1..=3).filter(|id| *id != gone).collect::<Vec<_>>()).await;
    assert!(refused(&client, again).await.contains("never used twice"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_people_change_members_and_only_when_the_group_can_bear_it() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let leader = group.leader().await;
    for stranger in [Principal::Agent(AgentKind::Sre), Principal::Actuator("east".into()), Principal::Node(1)] {
        let theirs = group.client(&stranger, &[1, 2, 3]);
        assert!(refused(&theirs, MemberChange::Remove { id: 2 }).await.contains("takes a person"), "{stranger}");
        // Nor by the way of all commands.
        let said = picket_core::coordination::Command::ChangeMembers { change: MemberChange::Remove { id: 2 } };
        let answer = theirs.submit("sly".into(), said).await.unwrap();
        assert!(matches!(answer, picket_core::coordination::Answer::Refused { .. }), "{stranger}: {answer:?}");
    }
    assert!(refused(&client, MemberChange::Promote { id: 9 }).await.contains("no member"));
    let bad = MemberChange::Add { id: 9, address: "nowhere".into() };
    assert!(refused(&client, bad).await.contains("host:port"));
    // One that does not answer gets no vote.
    change(&client, MemberChange::Add { id: 9, address: "127.0.0.1:1".into() }).await;
    assert!(refused(&client, MemberChange::Promote { id: 9 }).await.contains("does not answer"));
    change(&client, MemberChange::Remove { id: 9 }).await;
    // With one away, the other two are needed.
    let (away, needed) = match leader {
        1 => (2, 3),
        2 => (1, 3),
        _ => (1, 2),
    };
    group.stop(away).await;
    eventually("the leader misses it", || async {
        let view = client.members().await.unwrap();
        view.member(away).and_then(|m| m.answered_ms_ago).filter(|ms| *ms > SILENT_MS_MAX)
    })
    .await;
    assert!(refused(&client, MemberChange::Remove { id: needed }).await.contains("do not answer"));
    let removed = change(&client, MemberChange::Remove { id: away }).await.removed;
    assert_eq!(removed, [away, 9], "the one that is away may go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_started_to_join_founds_nothing() {
    let mut group = Group::start().await;
    group.start_new(4).await;
    let alone = group.client_with(&group.pki(), &Principal::Human("test".into()), &[4], 2_000);
    assert!(alone.status().await.is_err());
    assert_eq!(group.nodes[&4].leader().await, None);
    // Started anew, as after a crash before it was added.
    group.stop(4).await;
    group.nodes.insert(4, serve(group.config(4)).await.unwrap());
    let client = group.human(&[1, 2, 3, 4]);
    add(&group, &client, 4).await;
    lease(&client, "r", "a").await.unwrap();
    let status = eventually("the newcomer answers reads", || async { alone.status().await.ok() }).await;
    assert_eq!(status.leases.len(), 1);
}
