//! Other automation waits its turn.

use super::world::*;
use crate::{Priorities, Reply, Ruling, Settings, SettingsError};
use picket_core::coordination::{Command, LeasePriority as P, LeaseView, Request};
use picket_core::ids::Principal;
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::phase::Phase;
use picket_core::scope::{FencingToken, Scope};
use std::collections::BTreeMap;

const WAIT_MS: i64 = 10_000;

fn shop() -> Scope {
    Scope::Namespace(CLUSTER.into(), "shop".into())
}

fn repo(n: usize) -> Scope {
    Scope::External("git".into(), format!("repo-{n}"))
}

fn who(name: &str) -> Principal {
    Principal::Human(name.into())
}

/// Asks under an id that is the person's name: asking again is asking the same.
fn ask(w: &mut World, name: &str, scopes: &[Scope], priority: P) -> Reply {
    let command = Command::QueueLease { scopes: scopes.to_vec(), ttl_ms: 30_000, priority };
    w.say_as(&who(name), Request { request_id: name.into(), command }).answer
}

fn waits(w: &mut World, name: &str, scopes: &[Scope], priority: P) -> u32 {
    match ask(w, name, scopes, priority) {
        Reply::Waiting { position, lapses_at } => {
            assert_eq!(lapses_at, w.now.plus_ms(WAIT_MS));
            position
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn gets(w: &mut World, name: &str, scopes: &[Scope], priority: P) -> BTreeMap<Scope, FencingToken> {
    match ask(w, name, scopes, priority) {
        Reply::Leased { tokens, .. } => tokens,
        other => panic!("{name}: {other:?}"),
    }
}

fn release(w: &mut World, name: &str, scope: &Scope, token: FencingToken) {
    assert_eq!(w.say(&who(name), Command::ReleaseLease { scope: scope.clone(), token }), Reply::Done);
}

fn at(w: &World, scope: &Scope) -> Option<LeaseView> {
    w.state.lease(scope)
}

fn holder(w: &World, scope: &Scope) -> String {
    at(w, scope).map_or_else(|| "nobody".into(), |l| l.holder)
}

#[test]
fn first_come_first_served_within_a_priority() {
    let mut w = World::new();
    let first = gets(&mut w, "a", &[repo(1)], P::Repair);
    for (place, name) in ["b", "c", "d"].into_iter().enumerate() {
        assert_eq!(waits(&mut w, name, &[repo(1)], P::Repair), place as u32);
    }
    assert_eq!(waits(&mut w, "c", &[repo(1)], P::Repair), 1, "asking again keeps the place");
    assert_eq!(at(&w, &repo(1)).unwrap().waiting, ["human:b", "human:c", "human:d"]);
    release(&mut w, "a", &repo(1), first[&repo(1)]);
    let mut last = first[&repo(1)];
    for name in ["b", "c", "d"] {
        assert_eq!(holder(&w, &repo(1)), format!("human:{name}"));
        let tokens = gets(&mut w, name, &[repo(1)], P::Repair);
        assert!(tokens[&repo(1)] > last, "(I2)");
        assert_eq!(gets(&mut w, name, &[repo(1)], P::Repair), tokens, "the answer is kept");
        assert_eq!(at(&w, &repo(1)).unwrap().expires_at, w.now.plus_ms(30_000), "its time counts from when it was taken");
        last = tokens[&repo(1)];
        release(&mut w, name, &repo(1), last);
    }
    assert_eq!(holder(&w, &repo(1)), "nobody");
}

#[test]
fn whoever_does_not_ask_again_loses_the_place() {
    let mut w = World::new();
    let first = gets(&mut w, "a", &[repo(1)], P::Repair);
    waits(&mut w, "dead", &[repo(1)], P::Repair);
    waits(&mut w, "b", &[repo(1)], P::Repair);
    w.after_ms(WAIT_MS - 1);
    assert_eq!(waits(&mut w, "b", &[repo(1)], P::Repair), 1);
    w.after_ms(1);
    assert_eq!(waits(&mut w, "b", &[repo(1)], P::Repair), 0, "the dead one's place has lapsed");
    assert_eq!(waits(&mut w, "dead", &[repo(1)], P::Repair), 1, "it comes back as the last");
    release(&mut w, "a", &repo(1), first[&repo(1)]);
    assert_eq!(holder(&w, &repo(1)), "human:b");
}

#[test]
fn what_is_granted_to_a_dead_waiter_lasts_no_longer_than_its_place() {
    let mut w = World::new();
    let first = gets(&mut w, "a", &[repo(1)], P::Repair);
    waits(&mut w, "dead", &[repo(1)], P::Repair);
    w.after_ms(4_000);
    waits(&mut w, "b", &[repo(1)], P::Repair);
    release(&mut w, "a", &repo(1), first[&repo(1)]);
    let offered = at(&w, &repo(1)).unwrap();
    assert_eq!((offered.holder.as_str(), offered.expires_at), ("human:dead", w.now.plus_ms(WAIT_MS - 4_000)));
    w.after_ms(WAIT_MS - 4_001);
    assert_eq!(holder(&w, &repo(1)), "human:dead");
    w.after_ms(1);
    assert_eq!(holder(&w, &repo(1)), "human:b", "not the 30 s that were asked for");
    gets(&mut w, "b", &[repo(1)], P::Repair);
    assert_eq!(waits(&mut w, "dead", &[repo(1)], P::Repair), 0, "late, it waits again");
}

#[test]
fn nobody_overtakes_on_any_scope() {
    let mut w = World::new();
    let one = gets(&mut w, "a", &[repo(1)], P::Repair);
    assert_eq!(waits(&mut w, "both", &[repo(1), repo(2)], P::Repair), 0);
    assert_eq!(waits(&mut w, "late", &[repo(2)], P::Repair), 1, "free, but wanted by one that came before");
    let now = Command::AcquireLease { scopes: vec![repo(2)], ttl_ms: 5_000 };
    assert_eq!(rules(w.say(&who("now"), now)), [L::TargetBusy]);
    release(&mut w, "a", &repo(1), one[&repo(1)]);
    let tokens = gets(&mut w, "both", &[repo(1), repo(2)], P::Repair);
    assert_eq!(tokens.len(), 2, "all of them in one command");
    release(&mut w, "both", &repo(2), tokens[&repo(2)]);
    assert_eq!((holder(&w, &repo(1)), holder(&w, &repo(2))), ("nobody".into(), "human:late".into()), "given back as a whole");
}

#[test]
fn a_lease_is_renewed_as_a_whole() {
    let mut w = World::new();
    let tokens = gets(&mut w, "a", &[repo(1), repo(2)], P::Repair);
    w.after_ms(20_000);
    let renew = Command::RenewLease { scope: repo(2), token: tokens[&repo(2)], ttl_ms: 60_000 };
    let Reply::Leased { tokens: same, expires_at, preempt_at } = w.say(&who("a"), renew) else { panic!() };
    assert_eq!((same, expires_at, preempt_at), (tokens.clone(), w.now.plus_ms(60_000), None));
    let shorter = Command::RenewLease { scope: repo(1), token: tokens[&repo(1)], ttl_ms: 1_000 };
    assert!(matches!(w.say(&who("a"), shorter), Reply::Leased { expires_at: e, .. } if e == expires_at), "never shorter than promised");
    w.after_ms(59_999);
    assert_eq!((holder(&w, &repo(1)), holder(&w, &repo(2))), ("human:a".into(), "human:a".into()));
    w.after_ms(1);
    assert_eq!((holder(&w, &repo(1)), holder(&w, &repo(2))), ("nobody".into(), "nobody".into()));
    let late = Command::RenewLease { scope: repo(2), token: tokens[&repo(2)], ttl_ms: 60_000 };
    assert_eq!(rules(w.say(&who("a"), late)), [L::NotAllowed]);
}

#[test]
fn containment_before_repair_before_savings_with_notice_and_a_new_token() {
    let mut w = World::new();
    let saver = gets(&mut w, "saver", &[repo(1)], P::Savings);
    waits(&mut w, "other saver", &[repo(1)], P::Savings);
    assert_eq!(at(&w, &repo(1)).unwrap().preempt_at, None, "equals wait");
    assert_eq!(waits(&mut w, "container", &[repo(1)], P::Containment), 0);
    // Half its TTL: who renews at half time hears of it.
    let ends = w.now.plus_ms(15_000);
    assert_eq!(at(&w, &repo(1)).unwrap().preempt_at, Some(ends));
    let renew = Command::RenewLease { scope: repo(1), token: saver[&repo(1)], ttl_ms: 60_000 };
    let Reply::Leased { expires_at, preempt_at, .. } = w.say(&who("saver"), renew) else { panic!() };
    assert_eq!((expires_at, preempt_at), (ends, Some(ends)));
    w.after_ms(9_000);
    waits(&mut w, "container", &[repo(1)], P::Containment);
    waits(&mut w, "other saver", &[repo(1)], P::Savings);
    w.after_ms(5_999);
    assert_eq!(holder(&w, &repo(1)), "human:saver");
    w.after_ms(1);
    let token = gets(&mut w, "container", &[repo(1)], P::Containment)[&repo(1)];
    assert!(token > saver[&repo(1)]);
    assert_eq!(rules(w.say(&who("saver"), Command::ReleaseLease { scope: repo(1), token: saver[&repo(1)] })), [L::NotAllowed]);
}

#[test]
fn a_notice_is_taken_back_when_its_waiter_is_gone() {
    let mut w = World::new();
    gets(&mut w, "saver", &[repo(1)], P::Savings);
    waits(&mut w, "container", &[repo(1)], P::Containment);
    w.after_ms(WAIT_MS);
    assert_eq!((holder(&w, &repo(1)), at(&w, &repo(1)).unwrap().preempt_at), ("human:saver".into(), None));
}

#[test]
fn nobody_is_preempted_for_one_who_could_not_go_anyway() {
    let mut w = World::new();
    gets(&mut w, "saver", &[repo(1)], P::Savings);
    gets(&mut w, "container", &[repo(2)], P::Containment);
    waits(&mut w, "both", &[repo(1), repo(2)], P::Repair);
    assert_eq!(at(&w, &repo(1)).unwrap().preempt_at, None);
}

#[test]
fn agents_acts_and_other_automation_stand_in_one_line() {
    let mut w = World::new();
    let saver = w.permitted(resize(service("shop", 1)));
    waits(&mut w, "container", &[shop()], P::Containment);
    w.after_ms(4_999);
    assert_eq!(w.at(&saver), S::Permitted, "notice");
    w.after_ms(1);
    assert_eq!((w.at(&saver), holder(&w, &shop())), (S::Cancelled, "human:container".into()));
    w.read();
    gets(&mut w, "container", &[shop()], P::Containment);
    assert_eq!(w.propose(quarantine(service("shop", 3))).1, Ruling::Queued { position: 0 });
    assert_eq!(at(&w, &shop()).unwrap().preempt_at, None, "of the same class");
}

#[test]
fn a_containment_act_preempts_a_repair_act_whatever_its_severity() {
    let mut w = World::new();
    let repair = w.permitted(limit(service("shop", 1)));
    let (contain, _) = w.propose(quarantine(service("shop", 3)));
    w.after_ms(5_000);
    assert_eq!(w.at(&repair), S::Cancelled);
    w.read();
    assert_ne!(w.at(&contain), S::Queued);
    // And the other way round where the settings say so.
    let priorities = Priorities { containment: 3, repair: 2, savings: 1 };
    let mut w = World::with(Settings { priorities, ..settings() }, Phase::Autonomous);
    let repair = w.permitted(limit(service("shop", 1)));
    w.propose(quarantine(service("shop", 3)));
    w.after_ms(5_000);
    assert_eq!(w.at(&repair), S::Permitted);
    let out_of_range = Settings { priorities: Priorities { containment: 0, ..priorities }, ..settings() };
    assert_eq!(out_of_range.validate(), Err(SettingsError::Class("priorities.containment")));
}

#[test]
fn an_open_claim_is_never_preempted() {
    let mut w = World::new();
    let saver = w.permitted(resize(service("shop", 1)));
    waits(&mut w, "container", &[shop()], P::Containment);
    w.claim(&saver);
    assert_eq!(at(&w, &shop()).unwrap().preempt_at, None);
    for _ in 0..4 {
        w.after_ms(8_000);
        waits(&mut w, "container", &[shop()], P::Containment);
    }
    assert_eq!((w.at(&saver), holder(&w, &shop())), (S::Claimed, saver.to_string()));
    w.report(&saver, picket_core::outcome::Report::NoEffect { why: "the fence".into() });
    assert_eq!(holder(&w, &shop()), "human:container");
}

/// A stream of repairs keeps a saver waiting, but not for ever.
#[test]
fn nobody_starves() {
    let mut w = World::new();
    let mut held = ("r0".to_owned(), gets(&mut w, "r0", &[repo(1)], P::Repair)[&repo(1)]);
    waits(&mut w, "saver", &[repo(1)], P::Savings);
    let begun = w.now;
    let mut n = 0;
    while holder(&w, &repo(1)) != "human:saver" {
        n += 1;
        assert!(w.now.since_ms(begun) <= settings().starvation_ms + 4_000, "starved for {} ms", w.now.since_ms(begun));
        let next = format!("r{n}");
        waits(&mut w, &next, &[repo(1)], P::Repair);
        waits(&mut w, "saver", &[repo(1)], P::Savings);
        w.after_ms(4_000);
        release(&mut w, &held.0, &repo(1), held.1);
        if holder(&w, &repo(1)) == format!("human:{next}") {
            held = (next.clone(), gets(&mut w, &next, &[repo(1)], P::Repair)[&repo(1)]);
        }
    }
    assert!(w.now.since_ms(begun) >= settings().starvation_ms, "priorities count until then");
    gets(&mut w, "saver", &[repo(1)], P::Savings);
    // What it waited so long for is not taken at once.
    waits(&mut w, "container", &[repo(1)], P::Containment);
    assert_eq!(at(&w, &repo(1)).unwrap().preempt_at, None);
}

#[test]
fn an_undo_goes_before_those_that_starve() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    waits(&mut w, "saver", &[shop()], P::Savings);
    for _ in 0..8 {
        w.after_ms(9_000);
        waits(&mut w, "saver", &[shop()], P::Savings);
    }
    w.grade(&id, regressed());
    let child = w.entry(&id).child.unwrap();
    assert_eq!(holder(&w, &shop()), child.to_string());
}

#[test]
fn one_request_waits_for_one_set_of_scopes() {
    let mut w = World::new();
    gets(&mut w, "a", &[repo(1), repo(2)], P::Repair);
    waits(&mut w, "b", &[repo(1)], P::Repair);
    assert_eq!(rules(ask(&mut w, "b", &[repo(2)], P::Repair)), [L::Malformed]);
    assert_eq!(rules(ask(&mut w, "c", &[repo(2), repo(1)], P::Repair)), [L::Malformed], "not sorted");
    let agent = Principal::Agent(picket_core::ids::AgentKind::Sre);
    let command = Command::QueueLease { scopes: vec![repo(3)], ttl_ms: 5_000, priority: P::Repair };
    assert_eq!(rules(w.say(&agent, command)), [L::NotAllowed]);
}
