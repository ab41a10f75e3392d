//! Every collection of the state is filled: one more is refused under the name of its bound, or the oldest goes.

use super::world::*;
use crate::{Reply, RestoreOrder, Settings};
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Command, Request, Resolution};
use picket_core::ids::{AgentKind, Principal, RequestId};
use picket_core::ledger::EntryState as S;
use picket_core::limits::{LimitRule as L, LimitRules};
use picket_core::outcome::{Adjudication, Report};
use picket_core::phase::Phase;
use picket_core::restore::JournaledAct;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;

fn full(reply: Reply, name: &str) {
    let Reply::Refused { violations } = reply else { panic!("{name}: {reply:?}") };
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].rule, L::Capacity);
    assert!(violations[0].reason.starts_with(&format!("{name}: ")), "{}", violations[0].reason);
}

fn with(settings: Settings) -> World {
    World::with(settings, Phase::Autonomous)
}

fn scopes(n: usize) -> Vec<Scope> {
    vec![Scope::External("git".into(), format!("{n:04}"))]
}

fn acquire(w: &mut World, n: usize) -> Reply {
    w.say(&human(), Command::AcquireLease { scopes: scopes(n), ttl_ms: 5_000 })
}

fn queue(w: &mut World, id: &str, n: usize) -> Reply {
    let command = Command::QueueLease { scopes: scopes(n), ttl_ms: 5_000, priority: Default::default() };
    w.say_as(&human(), Request { request_id: id.into(), command }).answer
}

#[test]
fn leases_and_waiters() {
    let mut w = with(Settings { leases_max: 3, waiters_max: 2, ..settings() });
    for n in 0..3 {
        assert!(matches!(acquire(&mut w, n), Reply::Leased { .. }));
    }
    full(acquire(&mut w, 3), "leases_max");
    full(queue(&mut w, "x", 3), "leases_max");
    w.after_ms(5_000);
    assert!(matches!(acquire(&mut w, 0), Reply::Leased { .. }));
    for id in ["a", "b", "a"] {
        assert!(matches!(queue(&mut w, id, 0), Reply::Waiting { .. }));
    }
    full(queue(&mut w, "c", 0), "waiters_max");
    // The ledger's own leases and waiters are bounded by its entries.
    w.permitted(limit(service("shop", 1)));
}

#[test]
fn tokens_of_free_scopes_are_forgotten_and_rise_all_the_same() {
    let mut w = with(Settings { tokens_remembered_max: 4, ..settings() });
    let mut last = FencingToken(0);
    for n in 0..40 {
        let scope = scopes(n % 8);
        let Reply::Leased { tokens, .. } = acquire(&mut w, n % 8) else { panic!() };
        assert!(tokens[&scope[0]] > last);
        last = tokens[&scope[0]];
        w.say(&human(), Command::ReleaseLease { scope: scope[0].clone(), token: last });
        assert!(w.state.leases.tokens_remembered() <= 4);
    }
    assert_eq!(w.state.leases.tokens_remembered(), 4);
}

#[test]
fn tokens_themselves() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.state.tokens.spend_nearly_all();
    w.twin = w.state.clone();
    full(acquire(&mut w, 0), "tokens");
    full(w.say(&observer(), Command::Register), "tokens");
    w.grade(&id, regressed());
    assert_eq!(w.at(&w.entry(&id).child.unwrap()), S::Permitted, "what is under way still finds one");
    let state = w.state.clone().restore(&RestoreOrder { by: human(), restore_epoch: 1, at: w.now }).unwrap();
    assert!(!state.tokens.are_spent());
}

#[test]
fn open_entries_and_their_histories() {
    let mut w = World::with(Settings { entries_open_max: 1, ..settings() }, Phase::Assist);
    w.propose(limit(service("shop", 1)));
    let (id, _) = w.propose(limit(service("shop", 2)));
    assert!(w.entry(&id).violations[0].reason.starts_with("entries_open_max: "));
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    let refused = loop {
        let child = w.entry(&id).child.unwrap();
        w.claim(&child);
        w.report(&child, Report::NoEffect { why: "changed".into() });
        w.read();
        let again = w.resolve_by_undo(&id);
        if again != Reply::Done {
            break again;
        }
    };
    full(refused, "history");
    assert!((64..=66).contains(&w.entry(&id).history.len()), "one way round is two states");
    assert_eq!(w.say(&human(), Command::Resolve { entry: id, resolution: Resolution::Settled }), Reply::Done);
}

#[test]
fn what_nobody_could_grade_does_not_fill_the_ledger() {
    let limits = LimitRules { breaker_failures: 100, ..LimitRules::default() };
    let mut w = with(Settings { entries_open_max: 4, limits, ..settings() });
    for n in 0..12 {
        w.read();
        let id = w.done(limit(service("shop", n)));
        w.grade(&id, picket_core::outcome::Outcome::Inconclusive { why: "no data".into() });
    }
    assert!(w.state.entries(0).len() <= 3);
}

#[test]
fn cooldowns() {
    let mut w = with(Settings { cooldowns_max: 2, ..settings() });
    for n in 0..2 {
        let id = w.done(limit(service("shop", n)));
        w.grade(&id, recovered());
        w.read();
    }
    let (id, _) = w.propose(limit(service("shop", 2)));
    assert!(w.entry(&id).violations[0].reason.starts_with("cooldowns_max: "), "{:?}", w.entry(&id).violations);
    w.after_ms(5 * 60_000);
    w.read();
    w.permitted(limit(service("shop", 2)));
}

#[test]
fn clusters() {
    let mut w = with(Settings { clusters_max: 2, ..settings() });
    w.register(&Principal::Actuator("west".into()));
    w.register(&Principal::Observer("west".into()));
    full(w.say(&Principal::Actuator("north".into()), Command::Register), "clusters_max");
    w.say(&human(), Command::RetireCluster { cluster: "west".into(), why: "gone".into() });
    w.register(&Principal::Actuator("north".into()));
}

#[test]
fn episodes() {
    let mut w = with(Settings { episodes_max: 2, ..settings() });
    let judge = |w: &mut World, episode: &str| {
        let adjudication = Adjudication {
            incident: "inc".into(),
            agent: AgentKind::Sre,
            episode: episode.into(),
            correct: true,
            diagnosed: true,
            stated: None,
            by: String::new(),
            at: Timestamp(0),
        };
        w.say(&human(), Command::Adjudicate { adjudication })
    };
    assert_eq!((judge(&mut w, "a"), judge(&mut w, "b"), judge(&mut w, "a")), (Reply::Done, Reply::Done, Reply::Done));
    full(judge(&mut w, "c"), "episodes_max");
    w.after_ms(24 * 3_600_000);
    assert_eq!(judge(&mut w, "c"), Reply::Done);
}

fn person(n: usize) -> Principal {
    Principal::Human(format!("p{n}"))
}

fn say(w: &mut World, who: &Principal, n: usize) -> Reply {
    let command = Command::ReleaseLease { scope: scopes(0)[0].clone(), token: FencingToken(0) };
    w.say_as(who, Request { request_id: format!("q{n}").into(), command }).answer
}

#[test]
fn answers() {
    let mut w = with(Settings { requests_max: 20, requests_total_max: 40, principals_max: 8, ..settings() });
    let kept = w.state.answers_kept();
    for n in 0..20 {
        assert_eq!(rules(say(&mut w, &person(1), n)), [L::NotAllowed]);
    }
    full(say(&mut w, &person(1), 20), "requests_max");
    for n in 0..20 - kept {
        assert_eq!(rules(say(&mut w, &person(2), n)), [L::NotAllowed], "nobody's bound is another's");
    }
    full(say(&mut w, &person(3), 0), "requests_total_max");
    // Whoever has its answers makes room.
    let forget = Command::ForgetAnswers { requests: (0..20).map(|n| RequestId(format!("q{n}"))).collect() };
    assert_eq!(w.say(&person(1), forget), Reply::Done);
    assert_eq!(w.state.answers_kept(), 20);
    assert_eq!(rules(say(&mut w, &person(1), 20)), [L::NotAllowed]);
    let many = Command::ForgetAnswers { requests: vec!["x".into(); 1025] };
    full(w.say(&person(1), many), "answers to forget");
    for n in 3.. {
        match say(&mut w, &person(n), 0) {
            Reply::Refused { violations } if violations[0].rule == L::NotAllowed => assert!(n < 20),
            other => return full(other, "principals_max"),
        }
    }
}

#[test]
fn journals_and_what_they_name() {
    let mut w = World::new();
    let state = w.state.clone().restore(&RestoreOrder { by: human(), restore_epoch: 1, at: w.now }).unwrap();
    w.replace(state);
    w.actuator = w.register(&actuator());
    let mut lost = World::new();
    let id = lost.permitted(limit(service("shop", 1)));
    lost.claim(&id);
    let first = lost.journaled(&id, Some(applied()));
    let page = |from: usize, to: usize| {
        let claim = |n| ClaimRequest { entry: format!("act-{n}").into(), ..first.claim.clone() };
        (from..to).map(|n| JournaledAct { claim: claim(n), ..first.clone() }).collect::<Vec<_>>()
    };
    let upload = |w: &mut World, acts| {
        let actuator_epoch = w.actuator;
        w.say(&actuator(), Command::UploadJournal { actuator_epoch, acts, last: false })
    };
    full(upload(&mut w, page(0, 257)), "journal page");
    assert_eq!(upload(&mut w, page(0, 256)), Reply::Done);
    let seen = w.state.status().restore.unwrap();
    assert_eq!((seen.unknown_acts.len(), seen.unknown_acts_total), (64, 256));
    assert_eq!(upload(&mut w, page(256, 512)), Reply::Done);
    full(upload(&mut w, page(512, 513)), "entries_open_max");
    let resolved = w.resolve(&"act-0".into(), Resolution::Settled);
    assert_eq!((resolved, upload(&mut w, page(512, 513))), (Reply::Done, Reply::Done), "the journal is read on");
}

#[test]
fn facts_and_scopes_of_one_message() {
    let mut w = World::new();
    let one = w.facts.services.values().next().unwrap().clone();
    w.facts.services = (0..10_001).map(|n| (service("shop", n), one.clone())).collect();
    w.facts.seq += 1;
    let facts = Box::new(w.facts.clone());
    let Reply::Refused { violations } = w.say(&observer(), Command::PostFacts { facts }) else { panic!() };
    assert!(violations[0].rule == L::Malformed && violations[0].reason.contains("10001 services, 10000 are allowed"));
    let many = (0..17).flat_map(scopes).collect();
    let Reply::Refused { violations } = w.say(&human(), Command::AcquireLease { scopes: many, ttl_ms: 5_000 }) else { panic!() };
    assert!(violations[0].reason.contains("1 to 16 scopes"));
}
