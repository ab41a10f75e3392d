//! A person in the loop.

use super::world::*;
use crate::{Reply, Ruling};
use picket_core::action::Digest;
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::phase::Phase;

fn asked() -> (World, EntryId) {
    let mut w = World::with(settings(), Phase::Assist);
    let (id, ruling) = w.propose(limit(service("shop", 1)));
    assert_eq!(ruling, Ruling::AwaitingApproval);
    (w, id)
}

fn approve(w: &mut World, id: &EntryId) -> Reply {
    let (digest, stop_epoch) = (w.entry(id).digest, w.state.status().stop.epoch);
    w.say(&human(), Command::Approve { entry: id.clone(), digest, stop_epoch })
}

fn refresh(w: &mut World, id: &EntryId) -> Reply {
    let (digest, evidence_echo) = (w.entry(id).digest, w.now);
    w.say(&Principal::Agent(AgentKind::Sre), Command::Refresh { entry: id.clone(), digest, evidence_echo })
}

#[test]
fn assist_asks_and_a_yes_leads_to_a_claim() {
    let (mut w, id) = asked();
    w.after_ms(200_000);
    assert_eq!(approve(&mut w, &id), Reply::Done);
    assert_eq!(w.entry(&id).approved_by, Some("human:kim".to_owned()));
    w.read();
    assert_eq!(refresh(&mut w, &id), Reply::Decided { entry: id.clone(), ruling: Ruling::Permitted });
    w.claim(&id);
}

#[test]
fn a_no_a_silence_and_a_late_refresh_end_it() {
    let (mut w, id) = asked();
    w.say(&human(), Command::Deny { entry: id.clone(), why: "not today".into() });
    assert_eq!((w.at(&id), w.entry(&id).violations[0].rule), (S::Denied, L::DeniedByHuman));
    let (mut w, id) = asked();
    w.after_ms(15 * 60_000);
    assert_eq!(w.at(&id), S::Expired);
    let (mut w, id) = asked();
    approve(&mut w, &id);
    w.after_ms(30_000);
    assert_eq!(w.at(&id), S::Expired);
}

#[test]
fn a_yes_is_to_one_digest_and_one_stop_epoch() {
    let (mut w, id) = asked();
    let other = Command::Approve { entry: id.clone(), digest: Digest::of(b"another"), stop_epoch: 0 };
    assert_eq!(rules(w.say(&human(), other)), [L::NotAllowed]);
    let digest = w.entry(&id).digest;
    let stale = Command::Approve { entry: id.clone(), digest, stop_epoch: 7 };
    assert_eq!(rules(w.say(&human(), stale)), [L::Stopped]);
    assert_eq!(w.at(&id), S::AwaitingApproval);
}

#[test]
fn limits_are_looked_at_again_after_a_yes() {
    let (mut w, id) = asked();
    approve(&mut w, &id);
    w.facts.services.get_mut(&service("shop", 1)).unwrap().protected = true;
    w.read();
    refresh(&mut w, &id);
    assert_eq!((w.at(&id), w.entry(&id).violations[0].rule), (S::Denied, L::Protected));
}

#[test]
fn severity_one_and_two_never_run_without_a_yes_whatever_the_settings_say() {
    let mut w = World::with(crate::Settings { approval_severities: vec![], ..settings() }, Phase::Autonomous);
    for (tier, ready) in [(1, 0), (1, 4)] {
        let facts = w.facts.services.get_mut(&service("shop", 1)).unwrap();
        (facts.tier, facts.ready) = (tier, ready);
        w.read();
        let (id, ruling) = w.propose(limit(service("shop", 1)));
        assert_eq!(ruling, Ruling::AwaitingApproval);
        w.say(&human(), Command::Deny { entry: id, why: "next".into() });
    }
}

#[test]
fn where_two_people_must_agree_one_alone_is_not_enough() {
    // What `limit` proposes is of severity 3.
    let mut w = World::with(crate::Settings { two_person_severities: vec![3], ..settings() }, Phase::Assist);
    let (id, _) = w.propose(limit(service("shop", 1)));
    assert_eq!(w.entry(&id).severity.number(), 3);
    let deadline = w.entry(&id).deadline;
    assert_eq!(approve(&mut w, &id), Reply::Decided { entry: id.clone(), ruling: Ruling::AwaitingApproval });
    let entry = w.entry(&id);
    assert_eq!((entry.first_approved_by.as_deref(), entry.approved_by.as_deref()), (Some("human:kim"), None));
    assert_eq!((w.at(&id), entry.deadline), (S::AwaitingApproval, deadline), "the first yes gains no time");
    assert_eq!(rules(approve(&mut w, &id)), [L::NotAllowed], "the same person again");
    assert_eq!(rules(refresh(&mut w, &id)), [L::NotAllowed], "half a consent is none");
    let (digest, stop_epoch) = (w.entry(&id).digest, w.state.status().stop.epoch);
    let second = Principal::Human("lee".into());
    let other = Command::Approve { entry: id.clone(), digest: Digest::of(b"another"), stop_epoch };
    assert_eq!(rules(w.say(&second, other)), [L::NotAllowed], "the second yes is to the same digest");
    assert_eq!(w.say(&second, Command::Approve { entry: id.clone(), digest, stop_epoch }), Reply::Done);
    w.read();
    assert_eq!(refresh(&mut w, &id), Reply::Decided { entry: id.clone(), ruling: Ruling::Permitted });
    w.claim(&id);
    let entry = w.entry(&id);
    assert_eq!((entry.first_approved_by.as_deref(), entry.approved_by.as_deref()), (Some("human:kim"), Some("human:lee")));
}

#[test]
fn a_severity_that_rises_after_one_yes_asks_for_a_second() {
    let mut w = World::with(crate::Settings { two_person_severities: vec![1, 2], ..settings() }, Phase::Assist);
    let (id, _) = w.propose(limit(service("shop", 1)));
    approve(&mut w, &id);
    assert_eq!(w.at(&id), S::Approved, "one is enough for severity 3");
    let facts = w.facts.services.get_mut(&service("shop", 1)).unwrap();
    (facts.tier, facts.ready) = (1, 0);
    w.read();
    refresh(&mut w, &id);
    assert_eq!(w.at(&id), S::Denied);
}

#[test]
fn an_approved_act_may_have_to_queue() {
    let (mut w, first) = asked();
    let (second, _) = w.propose(resize(service("shop", 2)));
    approve(&mut w, &first);
    approve(&mut w, &second);
    w.read();
    refresh(&mut w, &first);
    let (digest, evidence_echo) = (w.entry(&second).digest, w.now);
    let reply = w.say(&Principal::Agent(AgentKind::FinOps), Command::Refresh { entry: second.clone(), digest, evidence_echo });
    assert_eq!(reply, Reply::Decided { entry: second.clone(), ruling: Ruling::Queued { position: 0 } });
    w.claim(&first);
    w.report(&first, applied());
    w.grade(&first, recovered());
    w.read();
    assert_eq!(w.at(&second), S::Permitted, "its approval still stands");
}
