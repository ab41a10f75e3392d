//! Leaders come and go: who was followed has no effect, and the clock moves by little.

use super::world::*;
use crate::{Reply, Response, apply};
use picket_core::coordination::{Attributed, Command, Proposer, Request};
use picket_core::ids::Principal;
use picket_core::limits::LimitRule as L;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;

fn scope() -> Scope {
    Scope::External("git".into(), "repo".into())
}

fn led(term: u64) -> World {
    let mut w = World { term, ..World::new() };
    w.after_ms(0);
    w
}

fn by(w: &mut World, term: u64, at: Timestamp, who: &Principal, id: &str, command: Command) -> Response {
    let said = Attributed::new(who.clone(), Request { request_id: id.into(), command }).proposed_by(Proposer { node: 3, term });
    let response = apply(&mut w.state, &said, at);
    assert_eq!(apply(&mut w.twin, &said, at), response);
    response
}

fn take(w: &mut World, ttl_ms: i64) -> FencingToken {
    match w.say(&human(), Command::AcquireLease { scopes: vec![scope()], ttl_ms }) {
        Reply::Leased { tokens, .. } => tokens[&scope()],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deposed_leaders_tick_expires_nothing() {
    let mut w = led(5);
    take(&mut w, 10_000);
    let before = w.state.clone();
    let late = w.now.plus_ms(60_000);
    let response = by(&mut w, 4, late, &Principal::Node(2), "late", Command::Tick);
    assert_eq!(rules(response.answer), [L::Deposed]);
    assert_eq!(w.state, before);
    assert!(w.state.lease(&scope()).is_some());
}

#[test]
fn what_a_deposed_leader_passed_on_may_be_sent_again() {
    let mut w = led(5);
    let token = take(&mut w, 10_000);
    let now = w.now;
    let renew = Command::RenewLease { scope: scope(), token, ttl_ms: 60_000 };
    let deposed = by(&mut w, 4, now, &human(), "renew", renew.clone()).answer;
    assert!(deposed.is_from_a_deposed_leader());
    assert_eq!(w.state.lease(&scope()).unwrap().expires_at, now.plus_ms(10_000), "the renewal had no effect");
    let again = by(&mut w, 5, now, &human(), "renew", renew).answer;
    assert!(matches!(again, Reply::Leased { expires_at, .. } if expires_at == now.plus_ms(60_000)), "{again:?}");
}

#[test]
fn a_leader_whose_clock_is_behind_makes_no_lease_longer() {
    let mut w = led(1);
    take(&mut w, 10_000);
    (w.term, w.skew_ms) = (2, -3_600_000);
    w.after_ms(0);
    w.after_ms(9_999);
    assert!(w.state.lease(&scope()).is_some());
    w.after_ms(1);
    assert!(w.state.lease(&scope()).is_none(), "an hour behind, and yet ten seconds are ten seconds");
}

#[test]
fn a_leader_whose_clock_is_ahead_shortens_a_lease_by_no_more_than_the_bound() {
    let mut w = led(1);
    take(&mut w, 10_000);
    let waits = Command::QueueLease { scopes: vec![scope()], ttl_ms: 5_000, priority: Default::default() };
    assert!(matches!(w.say(&Principal::Human("next".into()), waits), Reply::Waiting { .. }));
    (w.term, w.skew_ms) = (2, 3_600_000);
    w.after_ms(0);
    assert_eq!(w.state.now(), w.now.plus_ms(3_600_000), "permits, evidence and facts age by the whole jump");
    w.after_ms(10_000 - settings().clock_jump_ms - 1);
    assert!(w.state.lease(&scope()).is_some());
    assert_eq!(w.state.lease(&scope()).unwrap().waiting, ["human:next"], "places last as long");
    w.after_ms(settings().clock_jump_ms + 1);
    assert_ne!(w.state.lease(&scope()).map(|l| l.holder), Some("human:kim".into()));
}

#[test]
fn a_permit_does_not_outlive_a_jump() {
    let mut w = led(1);
    let id = w.permitted(limit(service("shop", 1)));
    (w.term, w.skew_ms) = (2, 20_000);
    w.after_ms(0);
    assert_eq!(w.at(&id), picket_core::ledger::EntryState::Expired);
}
