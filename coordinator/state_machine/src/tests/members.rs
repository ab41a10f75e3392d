//! The record of who the coordinator's nodes are and were.

use super::world::*;
use crate::{Reply, RestoreOrder, State};
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, Principal};
use picket_core::limits::LimitRule as L;
use picket_core::membership::MemberChange;
use std::collections::BTreeMap;

fn are(w: &mut World, ids: &[u64]) {
    let nodes: BTreeMap<u64, String> = ids.iter().map(|id| (*id, format!("h:{id}"))).collect();
    w.state.set_members(nodes.clone());
    w.twin.set_members(nodes);
}

fn world() -> World {
    let mut w = World::new();
    are(&mut w, &[1, 2, 3]);
    w
}

fn change(w: &mut World, change: MemberChange) -> Reply {
    w.say(&human(), Command::ChangeMembers { change })
}

fn add(id: u64) -> MemberChange {
    MemberChange::Add { id, address: format!("h:{id}") }
}

#[test]
fn an_id_that_was_a_member_is_refused_for_good() {
    let mut w = world();
    assert_eq!(change(&mut w, add(4)), Reply::Done);
    are(&mut w, &[1, 2, 3, 4]);
    are(&mut w, &[1, 2, 3]);
    assert_eq!(w.state.removed_members(), [4]);
    assert_eq!(rules(change(&mut w, add(4))), [L::NotAllowed]);
    let elsewhere = MemberChange::Add { id: 4, address: "other:1".into() };
    assert_eq!(rules(change(&mut w, elsewhere)), [L::NotAllowed]);
    for gone in [MemberChange::Promote { id: 4 }, MemberChange::Transfer { to: Some(4) }, MemberChange::Replace { old: 1, new: 4 }] {
        assert_eq!(rules(change(&mut w, gone.clone())), [L::NotAllowed], "{gone}");
    }
    // A snapshot knows it, and so does a group that was restored from a backup.
    let backup: State = serde_json::from_slice(&serde_json::to_vec(&w.state).unwrap()).unwrap();
    let mut restored = backup.restore(&RestoreOrder { by: human(), restore_epoch: 1, at: w.now }).unwrap();
    restored.set_members(BTreeMap::from([(5, "h:5".to_owned())]));
    assert_eq!(restored.removed_members(), [1, 2, 3, 4]);
    assert_eq!(restored.ever_members(), [1, 2, 3, 4, 5]);
}

#[test]
fn what_holds_already_is_done_and_what_contradicts_it_is_refused() {
    let mut w = world();
    for holds in [add(2), MemberChange::Remove { id: 2 }, MemberChange::Replace { old: 1, new: 2 }, MemberChange::Transfer { to: None }] {
        assert_eq!(change(&mut w, holds.clone()), Reply::Done, "{holds}");
    }
    are(&mut w, &[1, 2]);
    assert_eq!(change(&mut w, MemberChange::Remove { id: 3 }), Reply::Done, "it is out already");
    for no in [
        MemberChange::Add { id: 2, address: "other:1".into() },
        MemberChange::Promote { id: 9 },
        MemberChange::Remove { id: 9 },
        MemberChange::Replace { old: 9, new: 2 },
        MemberChange::Replace { old: 2, new: 2 },
    ] {
        assert_eq!(rules(change(&mut w, no.clone())), [L::NotAllowed], "{no}");
    }
    are(&mut w, &[1]);
    assert_eq!(rules(change(&mut w, MemberChange::Remove { id: 1 })), [L::NotAllowed], "the only one");
    let long = MemberChange::Add { id: 9, address: "h".repeat(300) };
    assert_eq!(rules(change(&mut w, long)), [L::Malformed]);
}

#[test]
fn people_change_members_and_the_newest_changes_are_on_record() {
    let mut w = world();
    for who in [Principal::Agent(AgentKind::Sre), observer(), actuator(), Principal::Node(1), Principal::Dashboard] {
        assert_eq!(rules(w.say(&who, Command::ChangeMembers { change: add(4) })), [L::NotAllowed], "{who}");
    }
    assert_eq!(w.state.member_changes(), []);
    for _ in 0..100 {
        assert_eq!(change(&mut w, MemberChange::Transfer { to: None }), Reply::Done);
    }
    let records = w.state.member_changes();
    assert_eq!(records.len(), 64, "bounded");
    assert!(records.iter().all(|r| r.by == human().to_string() && r.at == w.state.now()));
}

#[test]
fn ids_are_bounded_by_name() {
    let mut w = world();
    are(&mut w, &(1..=4096).collect::<Vec<_>>());
    are(&mut w, &[1, 2, 3]);
    let Reply::Refused { violations } = change(&mut w, add(5000)) else { panic!() };
    assert!(violations[0].rule == L::Capacity && violations[0].reason.starts_with("members:"), "{violations:?}");
}
