//! Who gets the scope, in which order.

use super::world::*;
use crate::{Reply, Ruling};
use picket_core::coordination::Command;
use picket_core::ids::Principal;
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::proposal::Proposal;
use picket_core::scope::{FencingToken, Scope};
use picket_core::severity::Severity;

#[test]
fn two_agents_on_one_namespace_take_turns() {
    let mut w = World::new();
    let first = w.done(limit(service("shop", 1)));
    let (second, ruling) = w.propose(resize(service("shop", 2)));
    assert_eq!(ruling, Ruling::Queued { position: 0 });
    let (third, ruling) = w.propose(resize(service("shop", 3)));
    assert_eq!(ruling, Ruling::Queued { position: 1 });
    assert_eq!(w.state.status().leases[0].waiting, [second.to_string(), third.to_string()]);
    let token = w.entry(&first).tokens.clone();
    w.grade(&first, recovered());
    w.read();
    assert_eq!((w.at(&second), w.at(&third)), (S::Permitted, S::Queued));
    assert!(w.entry(&second).tokens.values().max() > token.values().max(), "tokens rise (I2)");
    w.after_ms(20_000);
    assert_eq!(w.at(&second), S::Expired);
}

#[test]
fn the_graver_goes_first_and_preempts_what_is_only_permitted() {
    let mut w = World::new();
    let saver = w.permitted(resize(service("shop", 1)));
    let (other, _) = w.propose(resize(service("shop", 2)));
    let (graver, ruling) = w.propose(limit(service("shop", 3)));
    assert_eq!(ruling, Ruling::Queued { position: 0 }, "before the other saver");
    w.after_ms(4_999);
    assert_eq!(w.at(&saver), S::Permitted, "notice");
    w.read();
    assert_eq!((w.at(&saver), w.at(&graver), w.at(&other)), (S::Cancelled, S::Permitted, S::Queued), "grace is over");
}

#[test]
fn a_notice_ends_with_its_waiter() {
    let mut w = World::new();
    let saver = w.permitted(resize(service("shop", 1)));
    let (graver, _) = w.propose(limit(service("shop", 3)));
    w.say(&human(), Command::Deny { entry: graver, why: "no".into() });
    w.after_ms(6_000);
    w.propose(limit(service("shop", 4)));
    assert_eq!(w.at(&saver), S::Permitted, "the next one gives notice anew");
}

#[test]
fn what_is_claimed_is_not_preempted() {
    let mut w = World::new();
    let saver = w.permitted(resize(service("shop", 1)));
    let (graver, _) = w.propose(limit(service("shop", 3)));
    w.claim(&saver);
    w.after_ms(10_000);
    assert_eq!((w.at(&saver), w.at(&graver)), (S::Claimed, S::Queued));
}

#[test]
fn a_queue_does_not_last() {
    let mut w = World::new();
    let first = w.done(limit(service("shop", 1)));
    let (second, _) = w.propose(resize(service("shop", 2)));
    w.after_ms(2 * 60_000);
    assert_eq!(w.at(&second), S::Expired);
    w.grade(&first, recovered());
    assert!(w.leases().is_empty());
}

#[test]
fn limits_are_looked_at_again_when_the_scope_comes_free() {
    for (tier, protected, expected) in [(2, true, S::Denied), (1, false, S::AwaitingApproval)] {
        let mut w = World::new();
        let first = w.done(resize(service("shop", 1)));
        let (second, _) = w.propose(Proposal { severity: Severity::Three, ..limit(service("shop", 2)) });
        let facts = w.facts.services.get_mut(&service("shop", 2)).unwrap();
        (facts.tier, facts.protected) = (tier, protected);
        w.grade(&first, recovered());
        w.read();
        assert_eq!(w.at(&second), expected);
        assert!(w.leases().is_empty());
    }
}

#[test]
fn other_automation_leases_scopes_too() {
    let mut w = World::new();
    let gateway = Principal::Human("pipeline".into());
    let scopes = vec![Scope::Namespace("east".into(), "pay".into()), Scope::Namespace("east".into(), "shop".into())];
    let Reply::Leased { tokens, expires_at, .. } = w.say(&gateway, Command::AcquireLease { scopes: scopes.clone(), ttl_ms: 30_000 }) else {
        panic!()
    };
    assert_eq!((tokens.len(), expires_at), (2, w.now.plus_ms(30_000)));
    let (id, ruling) = w.propose(limit(service("shop", 1)));
    assert_eq!(ruling, Ruling::Queued { position: 0 });
    assert_eq!(rules(w.say(&human(), Command::AcquireLease { scopes: scopes.clone(), ttl_ms: 30_000 })), [L::TargetBusy]);
    let (scope, token) = (scopes[1].clone(), tokens[&scopes[1]]);
    let wrong = Command::RenewLease { scope: scope.clone(), token: FencingToken(1), ttl_ms: 5_000 };
    assert_eq!(rules(w.say(&gateway, wrong)), [L::NotAllowed]);
    assert!(matches!(w.say(&gateway, Command::RenewLease { scope: scope.clone(), token, ttl_ms: 40_000 }), Reply::Leased { .. }));
    assert_eq!(w.say(&gateway, Command::ReleaseLease { scope, token }), Reply::Done);
    assert_eq!(w.at(&id), S::Permitted, "granted in the same command");
    w.after_ms(40_001);
    assert!(w.leases().is_empty(), "leases of others end with time");
}

#[test]
fn bad_lease_requests_are_refused() {
    let mut w = World::new();
    let (a, b) = (Scope::Cluster("a".into()), Scope::Cluster("b".into()));
    for (scopes, ttl_ms) in
        [(vec![], 5_000), (vec![b.clone(), a.clone()], 5_000), (vec![a.clone(), a.clone()], 5_000), (vec![a], 999), (vec![b], 3_600_001)]
    {
        assert_eq!(rules(w.say(&human(), Command::AcquireLease { scopes, ttl_ms })), [L::Malformed]);
    }
}
