//! A new cluster from a backup [M13]: tokens only rise, and nothing is claimed before everything that is asked for is there.

use super::world::*;
use crate::{Reply, RestoreError, RestoreOrder, Ruling, State};
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Command, Request, Resolution};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Report;
use picket_core::phase::Phase;
use picket_core::proposal::Work;
use picket_core::restore::JournaledAct;
use picket_core::scope::{FencingToken, Scope};

fn order(w: &World, restore_epoch: u64) -> RestoreOrder {
    RestoreOrder { by: human(), restore_epoch, at: w.now }
}

/// The lost cluster's backup, as a new cluster begins with it.
fn restored(w: &World) -> World {
    let backup: State = serde_json::from_slice(&serde_json::to_vec(&w.state).unwrap()).unwrap();
    let state = backup.restore(&order(w, 1)).unwrap();
    assert_eq!(crate::check(&state), vec![]);
    let mut new = World { now: w.now, facts: w.facts.clone(), ..World::new() };
    new.replace(state);
    new
}

fn register(w: &mut World) {
    w.observer = w.register(&observer());
    w.actuator = w.register(&actuator());
}

fn fence(w: &mut World) -> Reply {
    let (actuator_epoch, stop_epoch) = (w.actuator, w.state.status().stop.epoch);
    w.say(&actuator(), Command::FenceRaised { actuator_epoch, stop_epoch })
}

fn upload(w: &mut World, acts: Vec<JournaledAct>) -> Reply {
    let actuator_epoch = w.actuator;
    w.say(&actuator(), Command::UploadJournal { actuator_epoch, acts, last: true })
}

fn promote(w: &mut World) {
    assert_eq!(w.set_phase(AgentKind::Sre, Phase::Autonomous), Reply::Done);
}

fn act(w: &World, id: &EntryId) -> JournaledAct {
    w.journaled(id, Some(applied()))
}

/// The same act under another name.
fn renamed(act: &JournaledAct, entry: &str) -> JournaledAct {
    JournaledAct { claim: ClaimRequest { entry: entry.into(), ..act.claim.clone() }, ..act.clone() }
}

#[test]
fn every_number_is_above_those_of_the_lost_life() {
    let mut lost = World::new();
    let id = lost.permitted(limit(service("shop", 1)));
    let permit = lost.state.permitted(&id).unwrap().body().clone();
    let mut w = restored(&lost);
    let status = w.state.status();
    assert_eq!((status.restore_epoch, status.stop.set, status.stop.by.as_str()), (1, true, "human:kim"));
    assert!(status.stop.epoch > permit.stop_epoch && status.revision > lost.state.revision());
    assert!(status.stop.fence_token > permit.tokens.values().max().copied().unwrap());
    assert!(w.state.changes_after(lost.state.revision(), 10).1, "watchers of the lost life start over");
    register(&mut w);
    assert!(w.observer > lost.actuator && w.actuator >= FencingToken::new(1, 0).0);
    let (entry, ruling) = w.propose(limit(service("shop", 2)));
    assert_eq!(ruling, Ruling::Shadowed);
    assert!(entry > id && entry.as_str().starts_with("act-0001-"), "{entry}");
}

#[test]
fn phases_consents_and_waiters_are_not_restored() {
    let mut lost = World::with(settings(), Phase::Assist);
    let (asked, _) = lost.propose(limit(service("shop", 1)));
    let approve = Command::Approve { entry: asked.clone(), digest: lost.entry(&asked).digest, stop_epoch: 0 };
    let request = Request { request_id: "yes".into(), command: approve };
    assert_eq!(lost.say_as(&human(), request.clone()).answer, Reply::Done);
    let scopes = vec![Scope::Cluster("x".into())];
    let taken = lost.say(&Principal::Human("a".into()), Command::AcquireLease { scopes: scopes.clone(), ttl_ms: 60_000 });
    let Reply::Leased { tokens: promised, .. } = taken else { panic!() };
    lost.say(&Principal::Human("b".into()), Command::QueueLease { scopes: scopes.clone(), ttl_ms: 60_000, priority: Default::default() });
    let mut w = restored(&lost);
    assert_eq!(w.at(&asked), S::Cancelled);
    assert!(w.state.status().phases.values().all(|p| p.state.phase == Phase::Observe));
    assert_eq!(rules(w.say_as(&human(), request).answer), [L::NotAllowed], "the old answer is not given again");
    let lease = w.state.lease(&scopes[0]).unwrap();
    assert_eq!((lease.holder.as_str(), lease.waiting.len()), ("human:a", 0), "what was promised runs out in its time");
    assert!(lease.token >= FencingToken::new(1, 0));
    let renew = Command::RenewLease { scope: scopes[0].clone(), token: promised[&scopes[0]], ttl_ms: 60_000 };
    assert_eq!(rules(w.say(&Principal::Human("a".into()), renew)), [L::NotAllowed], "but it is not prolonged");
    let more = Command::AcquireLease { scopes: vec![Scope::Cluster("y".into())], ttl_ms: 60_000 };
    assert_eq!(rules(w.say(&human(), more)), [L::Restoring]);
}

#[test]
fn a_release_waits_for_fences_journals_and_time() {
    let mut w = restored(&World::new());
    register(&mut w);
    assert_eq!(rules(w.resume()), [L::Restoring]);
    let waits = w.state.status().restore.unwrap();
    assert_eq!((waits.fences_missing, waits.journals_missing), (vec![CLUSTER.into()], vec![CLUSTER.into()]));
    assert_eq!(fence(&mut w), Reply::Done);
    assert_eq!(w.state.status().restore.unwrap().fences_missing, vec![]);
    assert_eq!(upload(&mut w, vec![]), Reply::Done);
    assert_eq!(rules(w.resume()), [L::Restoring], "cooldown and act deadline of the lost life");
    w.after_ms(5 * 60_000 + 29_999);
    assert_eq!(rules(w.resume()), [L::Restoring]);
    w.after_ms(1);
    assert_eq!(w.resume(), Reply::Done);
    let status = w.state.status();
    assert_eq!((status.restore, status.stop.set, status.stop.released_by.as_str()), (None, false, "human:kim"));
    promote(&mut w);
    w.read();
    let id = w.permitted(limit(service("shop", 1)));
    assert!(w.claim(&id).token >= FencingToken::new(1, 0));
}

#[test]
fn each_condition_is_asked_for_by_itself() {
    for (fenced, journal, passed) in [(false, true, true), (true, false, true), (true, true, false)] {
        let mut w = restored(&World::new());
        register(&mut w);
        if fenced {
            fence(&mut w);
        }
        if journal {
            upload(&mut w, vec![]);
        }
        if passed {
            w.after_ms(6 * 60_000);
        }
        assert_eq!(rules(w.resume()), [L::Restoring], "{fenced} {journal} {passed}");
        assert!(w.state.status().stop.set);
    }
}

#[test]
fn nothing_is_undone_before_the_release_even_when_stop_keeps_undos() {
    let mut lost = World::new();
    let id = lost.done(limit(service("shop", 1)));
    let mut w = restored(&lost);
    register(&mut w);
    assert_eq!(w.say(&human(), Command::Stop { keep_undos: true }), Reply::Done);
    w.read();
    assert_eq!(rules(w.undo(&id)), [L::Restoring]);
    w.grade(&id, regressed());
    assert_eq!((w.at(&id), w.entry(&id).paging), (S::Inconclusive, true));
}

#[test]
fn the_journal_says_how_open_claims_went_and_names_what_the_backup_does_not_know() {
    let mut lost = World::new();
    let (named, unnamed) = (lost.permitted(limit(service("shop", 1))), lost.permitted(resize(service("pay", 1))));
    lost.claim(&named);
    lost.claim(&unnamed);
    let mut w = restored(&lost);
    register(&mut w);
    w.after_ms(10 * 60_000);
    assert_eq!(w.at(&named), S::Claimed, "time alone decides nothing here");
    let first = act(&lost, &named);
    let after_the_backup = renamed(&first, "act-0-00000099");
    assert_eq!(upload(&mut w, vec![first.clone(), after_the_backup.clone(), after_the_backup]), Reply::Done);
    assert_eq!((w.at(&named), w.at(&unnamed)), (S::Observing, S::Indeterminate));
    let seen = w.state.status().restore.unwrap();
    assert_eq!((seen.unknown_acts, seen.unknown_acts_total), (vec!["act-0-00000099".into()], 1));
    // A page of another act under a known name proves nothing of it.
    let other = renamed(&act(&lost, &unnamed), named.as_str());
    upload(&mut w, vec![other]);
    assert_eq!((w.at(&named), w.state.status().restore.unwrap().unknown_acts_total), (S::Observing, 2));
}

#[test]
fn a_claim_that_is_still_being_proven_has_its_time() {
    let mut lost = World::new();
    let id = lost.permitted(limit(service("shop", 1)));
    lost.claim(&id);
    let mut w = restored(&lost);
    register(&mut w);
    upload(&mut w, vec![lost.journaled(&id, None)]);
    assert_eq!(w.at(&id), S::Claimed);
    assert_eq!(w.report(&id, applied()), Reply::Done);
    assert_eq!(w.at(&id), S::Observing);
}

#[test]
fn a_person_waives_a_lost_journal_and_retires_a_lost_cluster() {
    let mut lost = World::new();
    let west = Principal::Actuator("west".into());
    lost.register(&west);
    let id = lost.permitted(limit(service("shop", 1)));
    lost.claim(&id);
    let mut w = restored(&lost);
    register(&mut w);
    fence(&mut w);
    let waive = |w: &mut World, cluster: &str| w.say(&human(), Command::WaiveJournal { cluster: cluster.into(), why: "disk lost".into() });
    assert_eq!(waive(&mut w, CLUSTER), Reply::Done);
    assert_eq!(rules(waive(&mut w, CLUSTER)), [L::NotAllowed], "once");
    assert_eq!(rules(waive(&mut w, "north")), [L::NotAllowed]);
    assert_eq!((w.at(&id), w.entry(&id).paging), (S::Indeterminate, true));
    w.after_ms(6 * 60_000);
    assert_eq!(rules(w.resume()), [L::Restoring], "west says nothing");
    let retire = |w: &mut World, cluster: &str| w.say(&human(), Command::RetireCluster { cluster: cluster.into(), why: "gone".into() });
    assert_eq!(rules(retire(&mut w, CLUSTER)), [L::TargetBusy]);
    assert_eq!(retire(&mut w, "west"), Reply::Done);
    assert_eq!(w.resume(), Reply::Done);
}

#[test]
fn a_cluster_that_the_backup_did_not_know_is_fenced_before_it_takes_part() {
    let mut w = restored(&World::new());
    register(&mut w);
    fence(&mut w);
    upload(&mut w, vec![]);
    w.after_ms(6 * 60_000);
    assert_eq!(w.resume(), Reply::Done);
    promote(&mut w);
    w.read();
    let id = w.permitted(limit(service("shop", 1)));
    w.state.clusters.get_mut(&CLUSTER.into()).unwrap().fence_stop_epoch = 0;
    w.twin = w.state.clone();
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::Restoring]));
    fence(&mut w);
    w.claim(&id);
}

#[test]
fn a_restore_takes_a_person_and_a_higher_epoch() {
    let w = World::new();
    assert!(matches!(w.state.clone().restore(&order(&w, 0)), Err(RestoreError::Epoch { wanted: 0, backup: 0 })));
    assert!(matches!(w.state.clone().restore(&order(&w, 10_000)), Err(RestoreError::Epoch { .. })));
    let node = RestoreOrder { by: Principal::Node(1), ..order(&w, 1) };
    assert!(matches!(w.state.clone().restore(&node), Err(RestoreError::NotAPerson(_))));
    // The backup was taken under a high term; the new cluster counts its own.
    let mut old = World { term: 57, ..World::new() };
    old.after_ms(0);
    let mut new = restored(&old);
    new.term = 1;
    new.after_ms(1_000);
    assert_eq!(new.state.now(), old.now.plus_ms(1_000));
    let twice = new.state.clone().restore(&order(&new, 2)).unwrap();
    assert_eq!(crate::check(&twice), vec![]);
    assert!(twice.status().stop.epoch > new.state.status().stop.epoch);
}

#[test]
fn only_the_current_actuator_uploads_and_only_while_it_is_asked() {
    let mut w = World::new();
    assert_eq!(rules(upload(&mut w, vec![])), [L::NotAllowed]);
    let mut w = restored(&w);
    let old = w.actuator;
    register(&mut w);
    let stale = Command::UploadJournal { actuator_epoch: old, acts: vec![], last: true };
    assert_eq!(rules(w.say(&actuator(), stale)), [L::NotAllowed]);
    assert_eq!(rules(w.say(&observer(), Command::UploadJournal { actuator_epoch: 0, acts: vec![], last: true })), [L::NotAllowed]);
}

/// An act was claimed, applied and reported after the backup: the restored ledger knows it as permitted at most.
#[test]
fn an_act_that_the_ledger_does_not_know_as_claimed_is_indeterminate_and_pages() {
    let mut lost = World::new();
    let known = lost.permitted(limit(service("shop", 1)));
    let backup = lost.state.clone();
    let later = lost.permitted(limit(service("pay", 1)));
    for id in [&known, &later] {
        lost.claim(id);
        lost.report(id, applied());
    }
    let acts = vec![act(&lost, &known), act(&lost, &later)];
    lost.replace(backup);
    let mut w = restored(&lost);
    register(&mut w);
    assert_eq!(w.at(&known), S::Cancelled, "permits are not restored");
    assert_eq!(upload(&mut w, acts.clone()), Reply::Done);
    assert_eq!(upload(&mut w, acts), Reply::Done, "a page may come twice");
    for id in [&known, &later] {
        let entry = w.entry(id);
        assert_eq!((entry.state, entry.paging, entry.fenced, entry.cost_pods), (S::Indeterminate, true, true, 1));
    }
    assert_eq!(w.leases(), [("ns:east/pay".to_owned(), later.to_string()), ("ns:east/shop".to_owned(), known.to_string())]);
    let seen = w.state.status().restore.unwrap();
    assert_eq!(seen.unknown_acts, [known.clone(), later.clone()]);
    // It can be taken back, after the release, by a person.
    fence(&mut w);
    w.after_ms(6 * 60_000);
    assert_eq!(rules(w.resolve_by_undo(&later)), [L::Restoring]);
    assert_eq!(w.resume(), Reply::Done);
    w.read();
    assert_eq!(w.resolve_by_undo(&later), Reply::Done);
    assert_eq!(w.resolve(&known, Resolution::Settled), Reply::Done);
}

#[test]
fn what_a_journal_proves_absent_asks_for_nobody() {
    let mut lost = World::new();
    let id = lost.permitted(limit(service("shop", 1)));
    let backup = lost.state.clone();
    lost.claim(&id);
    let absent = lost.journaled(&id, Some(Report::NoEffect { why: "fenced".into() }));
    lost.replace(backup);
    let mut w = restored(&lost);
    register(&mut w);
    upload(&mut w, vec![absent]);
    assert_eq!((w.at(&id), w.state.status().restore.unwrap().unknown_acts_total), (S::Cancelled, 0));
}

#[test]
fn a_journal_speaks_of_its_own_cluster_and_of_the_act_that_was_claimed() {
    let mut lost = World::new();
    let id = lost.permitted(limit(service("shop", 1)));
    lost.claim(&id);
    let good = act(&lost, &id);
    let mut w = restored(&World::new());
    register(&mut w);
    let mut other = good.clone();
    other.work = Work::Do { action: restart(service("shop", 1)).action };
    assert_eq!(rules(upload(&mut w, vec![other])), [L::Malformed], "not what its claim names");
    let mut elsewhere = good;
    let mut proposal = limit(service("shop", 1));
    proposal.action.service.cluster = "west".into();
    elsewhere.work = Work::Do { action: proposal.action };
    elsewhere.claim.digest = elsewhere.work.digest();
    assert_eq!(rules(upload(&mut w, vec![elsewhere])), [L::Malformed]);
}

#[test]
fn a_backup_is_on_record_as_far_as_the_ledger_goes() {
    let mut w = World::new();
    w.permitted(limit(service("shop", 1)));
    let revision = w.state.revision();
    let taken = |w: &mut World, who: &Principal, revision| w.say(who, Command::BackupTaken { revision });
    assert_eq!(rules(taken(&mut w, &actuator(), revision)), [L::NotAllowed], "it takes a person");
    assert_eq!(rules(taken(&mut w, &human(), revision + 1)), [L::Malformed]);
    assert_eq!(taken(&mut w, &human(), revision), Reply::Done);
    assert_eq!(taken(&mut w, &human(), revision - 1), Reply::Done, "an older one changes nothing");
    assert_eq!(w.state.status().backup_revision, revision);
}

#[test]
fn the_release_waits_until_nothing_of_the_lost_life_is_on_its_way() {
    let mut lost = World::new();
    let known = lost.permitted(limit(service("shop", 1)));
    lost.claim(&known);
    let backup = lost.state.clone();
    let later = lost.permitted(limit(service("pay", 1)));
    lost.claim(&later);
    let unproven = lost.journaled(&later, None);
    lost.replace(backup);
    let mut w = restored(&lost);
    register(&mut w);
    fence(&mut w);
    assert!(w.entry(&known).fenced, "the sinks of its cluster refuse it");
    upload(&mut w, vec![unproven]);
    w.after_ms(6 * 60_000);
    assert_eq!((w.at(&known), w.at(&later), w.entry(&later).fenced), (S::Indeterminate, S::Indeterminate, false));
    assert_eq!(w.state.status().restore.unwrap().fences_missing, vec![CLUSTER.into()]);
    assert_eq!(rules(w.resume()), [L::Restoring], "its journal came after the fences");
    assert_eq!(w.report(&later, cannot_tell(true)), Reply::Done);
    assert_eq!(w.resume(), Reply::Done);
}
