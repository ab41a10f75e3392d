//! What stands against an act that every limit of its own allows.

use super::world::*;
use crate::{Reply, Ruling, Settings};
use picket_core::action::{Action, Remediation, RemediationKind};
use picket_core::coordination::Command;
use picket_core::freeze::{Freeze, FreezeTime};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::{LimitRule as L, LimitRules};
use picket_core::outcome::Outcome;
use picket_core::phase::Phase;
use picket_core::proposal::Proposal;

const HOUR_MS: i64 = 3_600_000;

/// Acts of one namespace need not wait for each other's grades.
fn with(limits: LimitRules) -> World {
    World::with(Settings { limits, lease_through_observing: false, ..settings() }, Phase::Autonomous)
}

/// Does it, and has it graded; what did harm is taken back.
fn ended(w: &mut World, proposal: Proposal, outcome: Outcome) {
    let id = w.done(proposal);
    assert_eq!(w.grade(&id, outcome), Reply::Done);
    taken_back(w, &id);
    w.read();
}

fn taken_back(w: &mut World, id: &EntryId) {
    if let Some(undo) = w.entry(id).child {
        w.claim(&undo);
        w.report(&undo, applied());
        assert_eq!(w.at(id), S::RolledBack);
        w.grade(&undo, recovered());
    }
}

fn reset(w: &mut World, who: &Principal) -> Reply {
    w.say(who, Command::ResetBreaker { cluster: CLUSTER.into(), why: "looked".into() })
}

#[test]
fn a_freeze_stops_acts_where_it_speaks_also_at_the_claim_and_leaves_undos() {
    let mut w = with(LimitRules::default());
    let permitted = w.permitted(limit(service("shop", 1)));
    let harmful = w.done(resize(service("pay", 1)));
    let mut policy = w.state.policy();
    let when = FreezeTime::Between { from: w.now, until: w.now.plus_ms(60_000) };
    let except = vec![RemediationKind::Quarantine];
    policy.freezes = vec![Freeze { cluster: None, namespace: None, when, except, why: "release".into() }];
    policy.version += 1;
    assert_eq!(w.say(&human(), Command::SetPolicy { policy: Box::new(policy) }), Reply::Done);
    assert_eq!(w.try_claim(w.claim_of(&permitted)), Err(vec![L::ChangeFreeze]));
    assert_eq!(w.denied(limit(service("shop", 2))), [L::ChangeFreeze]);
    w.grade(&harmful, regressed());
    taken_back(&mut w, &harmful);
    w.read();
    assert_eq!(w.propose(quarantine(service("pay", 3))).1, Ruling::Permitted);
    w.after_ms(60_000);
    w.read();
    assert_eq!(w.propose(limit(service("shop", 2))).1, Ruling::Permitted, "it is over");
}

#[test]
fn so_many_acts_an_hour_and_no_more() {
    let mut w = with(LimitRules { max_actions_per_hour: 2, ..LimitRules::default() });
    ended(&mut w, limit(service("shop", 1)), recovered());
    let second = w.permitted(limit(service("shop", 2)));
    let third = w.permitted(limit(service("pay", 3)));
    w.claim(&second);
    assert_eq!(w.try_claim(w.claim_of(&third)), Err(vec![L::RateLimit]), "permits do not add to it");
    assert_eq!(w.denied(limit(service("shop", 4))), [L::RateLimit]);
    w.report(&second, applied());
    w.grade(&second, regressed());
    taken_back(&mut w, &second);
    w.after_ms(HOUR_MS + 1);
    w.read();
    assert_eq!(w.propose(limit(service("shop", 5))).1, Ruling::Permitted);
}

#[test]
fn acts_that_end_badly_open_the_breaker_and_only_a_person_closes_it() {
    let mut w = with(LimitRules { breaker_failures: 2, ..LimitRules::default() });
    let waiting = w.permitted(limit(service("pay", 9)));
    ended(&mut w, resize(service("shop", 1)), regressed());
    assert!(w.state.status().breakers.is_empty());
    ended(&mut w, limit(service("shop", 2)), Outcome::Inconclusive { why: "no data".into() });
    let breakers = w.state.status().breakers;
    assert_eq!(breakers.len(), 1, "{breakers:?}");
    w.snapshot();
    assert_eq!(w.denied(limit(service("shop", 3))), [L::BreakerOpen]);
    assert_eq!(w.try_claim(w.claim_of(&waiting)), Err(vec![L::BreakerOpen]));
    w.after_ms(2 * HOUR_MS);
    w.read();
    assert_eq!(w.denied(limit(service("shop", 3))), [L::BreakerOpen], "time alone does not close it");
    assert_eq!(rules(reset(&mut w, &Principal::Agent(AgentKind::Sre))), [L::NotAllowed]);
    assert_eq!(rules(w.say(&human(), Command::ResetBreaker { cluster: "nowhere".into(), why: String::new() })), [L::NotAllowed]);
    assert_eq!(reset(&mut w, &human()), Reply::Done);
    assert_eq!(w.propose(limit(service("shop", 3))).1, Ruling::Permitted);
    assert!(w.state.status().breakers.is_empty());
}

#[test]
fn good_ends_and_undos_that_work_count_once_or_not_at_all() {
    let mut w = with(LimitRules { breaker_failures: 2, ..LimitRules::default() });
    for n in 0..4 {
        ended(&mut w, limit(service("shop", n)), recovered());
    }
    ended(&mut w, resize(service("pay", 1)), regressed());
    assert!(w.state.status().breakers.is_empty(), "one act, one failure");
}

#[test]
fn an_act_and_its_opposite_within_the_hour_go_to_a_person() {
    let mut w = with(LimitRules::default());
    let scale = |from, replicas| Proposal {
        cause: picket_core::cause::Cause::LoadSurge,
        action: Action { service: service("shop", 1), remediation: Remediation::Scale { replicas, from } },
        ..limit(service("shop", 1))
    };
    ended(&mut w, limit(service("shop", 2)), recovered());
    w.after_ms(400_000);
    w.read();
    // Another agent cuts what the first has raised.
    let (id, ruling) = w.propose(resize(service("shop", 2)));
    assert_eq!(ruling, Ruling::AwaitingApproval);
    assert_eq!(w.entry(&id).violations[0].rule, L::Oscillation, "whoever is asked can see why");
    assert_eq!(w.propose(resize(service("pay", 3))).1, Ruling::Permitted, "another service is another matter");
    ended(&mut w, scale(4, 6), recovered());
    w.after_ms(400_000);
    w.read();
    let again = w.permitted(scale(6, 8));
    w.after_ms(HOUR_MS);
    w.read();
    assert_eq!(w.at(&again), S::Expired);
    assert_eq!(w.propose(resize(service("shop", 2))).1, Ruling::Permitted, "an hour later it is no quarrel");
}

#[test]
fn a_permit_from_before_the_opposite_act_needs_a_person_too() {
    let mut w = with(LimitRules::default());
    let raise = w.permitted(limit(service("shop", 1)));
    w.claim(&raise);
    w.report(&raise, applied());
    w.grade(&raise, recovered());
    w.read();
    let (id, ruling) = w.propose(resize(service("shop", 1)));
    assert_eq!((w.at(&id), ruling), (S::AwaitingApproval, Ruling::AwaitingApproval));
}

#[test]
fn nothing_is_done_in_a_cluster_that_was_not_watched_for_long_enough() {
    let mut w = with(LimitRules { warmup_ms: 25_000, ..LimitRules::default() });
    assert_eq!(w.denied(limit(service("shop", 1))), [L::ColdStart]);
    for _ in 0..3 {
        w.after_ms(9_000);
        w.read();
    }
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    w.report(&id, applied());
    w.grade(&id, recovered());
    // The observer was away for a minute.
    w.after_ms(60_000);
    w.read();
    assert_eq!(w.denied(limit(service("shop", 2))), [L::ColdStart], "it begins anew");
}
