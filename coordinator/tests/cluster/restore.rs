//! The group is lost, and begins anew from a backup.

use crate::group::{Group, eventually, lease};
use crate::load::Load;
use crate::watch::{epoch, propose, ready_to_act};
use picket_coordinator::backup::{self, Backup, BackupError, FoundError, NewGroup};
use picket_coordinator::{pki, serve};
use picket_core::action::Digest;
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Answer, Command, Decision};
use picket_core::ids::{AgentKind, Principal};
use picket_core::limits::LimitRule;
use picket_core::membership::{MemberChange, MemberRole};
use picket_core::permit::Permit;
use picket_core::phase::Phase;
use picket_core::ports::{Coordinator as _, PortError};
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

fn person() -> Principal {
    Principal::Human("test".into())
}

/// Takes a backup as the command does: checked, saved, and then told.
async fn back_up(group: &Group, file: &Path) -> Backup {
    let client = group.human(&[1, 2, 3]);
    let bytes = client.backup().await.unwrap();
    backup::save(file, &bytes).unwrap();
    let backup = backup::read(file).unwrap();
    let told = client.submit("backup".into(), Command::BackupTaken { revision: backup.head.revision }).await.unwrap();
    assert_eq!(told, Answer::Done);
    backup
}

fn order(group: &Group, id: u64) -> NewGroup {
    NewGroup {
        id,
        address: group.addresses[&id].clone(),
        data_dir: group.data(id),
        pki_dir: group.pki(),
        settings: group.config(id).settings,
        by: person(),
        restore_epoch: None,
        from_cluster: None,
        at: Timestamp(group.clock.load(Ordering::Relaxed)),
    }
}

/// A certificate and a place for a node that the lost group never had.
async fn new_place(group: &mut Group, id: u64) {
    pki::issue(&group.pki(), &[Principal::Node(id)], &[]).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    group.addresses.insert(id, free.to_string());
}

fn rules(answer: Answer) -> Vec<LimitRule> {
    match answer {
        Answer::Refused { violations } => violations.into_iter().map(|v| v.rule).collect(),
        other => panic!("{other:?}"),
    }
}

fn claim_of(permit: &Permit, actuator_epoch: u64) -> Command {
    let claim = ClaimRequest {
        entry: permit.body.entry.clone(),
        digest: permit.body.digest.clone(),
        actuator_epoch,
        before_digest: Digest::of(b"before"),
        audit_hash: Digest::of(b"audit"),
    };
    Command::Claim { claim }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_group_begins_anew_from_a_backup_that_was_taken_under_load() {
    let mut group = Group::start().await;
    let client = group.human(&[1, 2, 3]);
    let file = group.data(0).with_extension("backup");
    lease(&client, "kept", "kept").await.unwrap();
    let actuator = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]);
    let old_actuator = epoch(&actuator, "old actuator").await;
    let now = ready_to_act(&group).await;
    let Decision::Permitted { permit: old_permit } = propose(&group, now).await else { panic!() };

    let load = Load::start(&group, &[1, 2, 3], 2);
    load.goes_on_for(30).await;
    let backup = back_up(&group, &file).await;
    assert!(client.status().await.unwrap().backup_revision >= backup.head.revision);
    load.goes_on_for(30).await;
    load.end(&client).await;
    // Issued after the backup: nothing that is restored knows of it.
    let last = lease(&client, "last", "last").await.unwrap();
    let old_key = pki::verifying_key(&group.pki()).unwrap();
    for id in 1..=3 {
        group.stop(id).await;
    }

    for id in [4, 5, 6] {
        new_place(&mut group, id).await;
    }
    let founded = backup::found(backup, &order(&group, 4)).unwrap();
    assert_eq!((founded.restore_epoch, founded.is_permit_key_new), (1, true));
    assert_eq!(founded.lost_nodes, [1, 2, 3]);
    group.restart(4).await.unwrap();
    let client = group.human(&[4, 5, 6]);
    let status = eventually("the restored node leads alone", || async { client.status().await.ok() }).await;
    assert_eq!((status.restore_epoch, status.stop.set, status.stop.by.as_str()), (1, true, "human:test"));
    assert!(status.phases.values().all(|p| p.state.phase == Phase::Observe), "phases are not restored");
    assert!(status.leases.iter().any(|l| l.holder == "human:test"), "what was promised is");

    // The others join as any new node does.
    for id in [5, 6] {
        group.restart(id).await.unwrap();
        let add = MemberChange::Add { id, address: group.addresses[&id].clone() };
        client.change_members(format!("add-{id}").as_str().into(), add).await.unwrap();
        let promote = || client.change_members(format!("vote-{id}").as_str().into(), MemberChange::Promote { id });
        eventually("it is promoted", || async { promote().await.ok() }).await;
    }
    let view = client.members().await.unwrap();
    assert_eq!(view.members.iter().filter(|m| m.role == MemberRole::Voter).count(), 3);
    assert_eq!(view.removed, [1, 2, 3]);

    // An old permit is worth nothing: not by its signature, and not at a claim, whatever epoch is said.
    assert!(old_permit.verify(&pki::verifying_key(&group.pki()).unwrap()).is_err() && old_permit.verify(&old_key).is_ok());
    let actuator = group.client(&Principal::Actuator("east".into()), &[4, 5, 6]);
    let new_actuator = epoch(&actuator, "new actuator").await;
    assert!(new_actuator > last.0 && new_actuator > old_actuator, "epochs are tokens");
    for actuator_epoch in [old_actuator, new_actuator] {
        let answer = actuator.submit(format!("old-{actuator_epoch}").as_str().into(), claim_of(&old_permit, actuator_epoch)).await.unwrap();
        assert!(!rules(answer).is_empty());
    }

    // STOP holds until fence, journal and time are there, and a person says so.
    let stop_epoch = client.status().await.unwrap().stop.epoch;
    let resume = |request: &'static str| client.submit(request.into(), Command::Resume { stop_epoch });
    assert_eq!(rules(resume("too soon").await.unwrap()), [LimitRule::Restoring]);
    let waits = client.status().await.unwrap().restore.unwrap();
    assert_eq!((waits.fences_missing, waits.journals_missing), (vec!["east".into()], vec!["east".into()]));
    assert_eq!(rules(client.submit("lease".into(), crate::group::acquire("new")).await.unwrap()), [LimitRule::Restoring]);
    let fence = Command::FenceRaised { actuator_epoch: new_actuator, stop_epoch };
    assert_eq!(actuator.submit("fence".into(), fence).await.unwrap(), Answer::Done);
    assert_eq!(rules(resume("no journal").await.unwrap()), [LimitRule::Restoring]);
    let journal = Command::UploadJournal { actuator_epoch: new_actuator, acts: vec![], last: true };
    assert_eq!(actuator.submit("journal".into(), journal).await.unwrap(), Answer::Done);
    assert_eq!(rules(resume("no time").await.unwrap()), [LimitRule::Restoring]);
    group.clock.fetch_add(10 * 60_000, Ordering::Relaxed);
    eventually("the clock of the lost life's acts has run out", || async {
        let status = client.status().await.unwrap();
        status.restore.filter(|r| status.now >= r.ready_at)
    })
    .await;
    assert_eq!(resume("released").await.unwrap(), Answer::Done);
    assert!(!client.status().await.unwrap().stop.set);

    // Every token is above every one that was ever issued.
    for n in 0..3 {
        let token = lease(&client, &format!("new-{n}"), &format!("new-{n}")).await.unwrap();
        assert!(token > last && token >= FencingToken::new(1, 0), "{token} after {last} (I2)");
    }
    // It is a group like any other: it survives a node, and a restart.
    group.stop(4).await;
    lease(&client, "without 4", "without 4").await.unwrap();
    group.restart(4).await.unwrap();
    assert_eq!(group.human(&[4]).status().await.unwrap().restore_epoch, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_lost_is_waived_by_a_person() {
    let mut group = Group::start().await;
    let actuator = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]);
    epoch(&actuator, "actuator").await;
    let file = group.data(0).with_extension("backup");
    let backup = back_up(&group, &file).await;
    for id in 1..=3 {
        group.stop(id).await;
    }
    new_place(&mut group, 4).await;
    backup::found(backup, &order(&group, 4)).unwrap();
    group.restart(4).await.unwrap();
    let client = group.human(&[4]);
    let missing = || async { client.status().await.ok().and_then(|s| s.restore).map(|r| r.journals_missing) };
    assert_eq!(eventually("the restore says what it waits for", missing).await, ["east".into()]);
    let waive = Command::WaiveJournal { cluster: "east".into(), why: "its disk burnt".into() };
    let theirs = group.client(&Principal::Agent(AgentKind::Sre), &[4]);
    assert_eq!(rules(theirs.submit("sly".into(), waive.clone()).await.unwrap()), [LimitRule::NotAllowed]);
    assert_eq!(client.submit("waive".into(), waive).await.unwrap(), Answer::Done);
    assert_eq!(missing().await, Some(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let mut group = Group::start().await;
    lease(&group.human(&[1, 2, 3]), "r", "a").await.unwrap();
    for stranger in [Principal::Agent(AgentKind::Sre), Principal::Observer("east".into()), Principal::Node(1)] {
        let answer = group.client(&stranger, &[1, 2, 3]).backup().await;
        assert!(matches!(answer, Err(PortError::Refused { .. })), "{stranger}: {answer:?}");
    }
    let file = group.data(0).with_extension("backup");
    let backup = back_up(&group, &file).await;
    let damaged = {
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
        let path: PathBuf = file.with_extension("damaged");
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let error = backup::read(&damaged).unwrap_err();
    assert!(matches!(&error, BackupError::Damaged { path, .. } if *path == damaged), "{error}");

    new_place(&mut group, 4).await;
    let refused = |order: &NewGroup| match backup::found(backup.clone(), order) {
        Err(FoundError::Order(why)) => why,
        other => panic!("{other:?}"),
    };
    // A node of the lost group may come back with its old log.
    let before = order(&group, 4);
    assert!(refused(&NewGroup { id: 2, ..before.clone() }).contains("never used"));
    // Another CA is another trust, unless somebody says that it is meant.
    let other = group.data(0).with_extension("pki");
    pki::init_demo(&other, &[Principal::Node(1), person()], &[]).unwrap();
    let elsewhere = NewGroup { id: 1, pki_dir: other.clone(), ..before.clone() };
    assert!(refused(&elsewhere).contains("name the backup's cluster"));
    let real = group.data(0).with_extension("real");
    pki::init(&real, &[Principal::Node(1)], &[]).unwrap();
    let from = Some(backup.head.cluster_id.clone());
    assert!(refused(&NewGroup { pki_dir: real, from_cluster: from.clone(), ..elsewhere.clone() }).contains("for demonstrations"));
    // A life's number must rise, and a person answers for it.
    for wrong in [NewGroup { restore_epoch: Some(0), ..before.clone() }, NewGroup { by: Principal::Node(4), ..before.clone() }] {
        assert!(matches!(backup::found(backup.clone(), &wrong), Err(FoundError::Restore(_))), "{wrong:?}");
    }
    assert!(!group.data(4).exists());
    // A node's data is never overwritten.
    assert!(refused(&NewGroup { data_dir: group.data(3), ..before.clone() }).contains("not empty"));
    // With the backup's cluster named, and under another CA, even an old id is new.
    let founded = backup::found(backup.clone(), &NewGroup { from_cluster: from, data_dir: group.data(7), ..elsewhere }).unwrap();
    assert!(!founded.is_permit_key_new, "its permit key was another all along");
    // An empty folder that is there already is one.
    std::fs::create_dir(group.data(4)).unwrap();
    backup::found(backup.clone(), &before).unwrap();
    assert!(refused(&before).contains("not empty"));
    let node = serve(group.config(4)).await.unwrap();
    group.nodes.insert(4, node);
    let status = eventually("the restored node answers", || async { group.human(&[4]).status().await.ok() }).await;
    assert_eq!(status.restore_epoch, 1);
}
