//! STOP.

use super::world::*;
use crate::{Reply, Ruling};
use picket_core::coordination::{Command, Resolution};
use picket_core::ids::{AgentKind, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::phase::Phase;

#[test]
fn stop_cancels_what_has_not_begun_and_lets_claims_end() {
    let mut w = World::new();
    let claimed = w.permitted(limit(service("shop", 1)));
    w.claim(&claimed);
    let permitted = w.permitted(resize(service("pay", 1)));
    let (queued, _) = w.propose(resize(service("shop", 2)));
    w.stop(false);
    assert_eq!([w.at(&claimed), w.at(&permitted), w.at(&queued)], [S::Claimed, S::Cancelled, S::Cancelled]);
    let status = w.state.status();
    assert_eq!((status.stop.set, status.stop.epoch, status.stop.open_claims, status.stop.by), (true, 1, 1, "human:kim".into()));
    assert!(status.phases.values().all(|p| p.state.phase == Phase::Observe));
    w.report(&claimed, applied());
    assert_eq!((w.at(&claimed), w.state.status().stop.open_claims), (S::Observing, 0));
}

#[test]
fn under_stop_nothing_is_permitted_or_promoted() {
    let mut w = World::new();
    w.stop(false);
    assert_eq!(w.propose(limit(service("shop", 1))).1, Ruling::Shadowed);
    assert_eq!(rules(w.set_phase(AgentKind::Sre, Phase::Autonomous)), [L::Stopped]);
    w.resume();
    assert_eq!(w.propose(limit(service("shop", 2))).1, Ruling::Shadowed, "agents stay in Observe");
    assert_eq!(w.set_phase(AgentKind::Sre, Phase::Autonomous), Reply::Done);
    w.permitted(limit(service("shop", 3)));
}

#[test]
fn a_regression_under_stop_waits_for_a_person() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.stop(false);
    w.grade(&id, regressed());
    assert_eq!((w.at(&id), w.entry(&id).paging), (S::Inconclusive, true));
    assert_eq!(rules(w.undo(&id)), [L::Stopped]);
    w.resume();
    assert_eq!(w.undo(&id), Reply::Done);
    assert_eq!(w.at(&id), S::Undoing);
}

#[test]
fn undos_go_on_when_whoever_stops_says_so() {
    for keep in [true, false] {
        let mut w = World::new();
        let id = w.done(limit(service("shop", 1)));
        w.grade(&id, regressed());
        let child = w.entry(&id).child.unwrap();
        w.stop(keep);
        if keep {
            w.claim(&child);
            w.report(&child, applied());
            assert_eq!(w.at(&id), S::RolledBack);
        } else {
            assert_eq!((w.at(&child), w.at(&id)), (S::Cancelled, S::UndoFailed));
        }
    }
}

fn raised(w: &mut World, actuator_epoch: u64, stop_epoch: u64) -> Reply {
    w.say(&actuator(), Command::FenceRaised { actuator_epoch, stop_epoch })
}

#[test]
fn a_fence_is_raised_by_the_current_actuator_only() {
    let mut w = World::new();
    w.stop(false);
    let epoch = w.actuator;
    assert_eq!(rules(raised(&mut w, epoch - 1, 1)), [L::NotAllowed]);
    assert_eq!(rules(raised(&mut w, epoch, 2)), [L::Malformed]);
    assert_eq!(raised(&mut w, epoch, 1), Reply::Done);
}

#[test]
fn stopping_is_shown_until_claims_are_resolved_and_fences_are_confirmed() {
    let mut w = World::new();
    w.register(&Principal::Actuator("west".into()));
    w.register(&Principal::Observer("north".into()));
    let id = w.permitted(limit(service("shop", 1)));
    let token = w.claim(&id).token;
    assert!(!w.state.status().stop.stopping && w.state.status().stop.fences_missing.is_empty(), "nobody asks before the first STOP");
    w.stop(false);
    let shown = w.state.status().stop;
    assert!(shown.stopping && shown.fence_token > token);
    assert_eq!((shown.fences_confirmed.len(), shown.fences_missing), (0, vec![CLUSTER.into(), "west".into()]), "north has no actuator");
    let epoch = w.actuator;
    raised(&mut w, epoch, 1);
    let shown = w.state.status().stop;
    assert_eq!((shown.fences_confirmed, shown.fences_missing), (vec![CLUSTER.into()], vec!["west".into()]));
    w.say(&human(), Command::RetireCluster { cluster: "west".into(), why: "gone".into() });
    assert!(w.state.status().stop.stopping, "a claim is open");
    w.report(&id, applied());
    assert!(!w.state.status().stop.stopping);
    w.stop(false);
    assert_eq!(w.state.status().stop.fences_missing, vec![CLUSTER.into()], "every STOP asks anew");
    w.resume();
    assert_eq!((w.state.status().stop.stopping, w.state.status().stop.released_by.as_str()), (false, "human:kim"));
}

#[test]
fn an_undo_that_lives_on_has_a_token_that_the_fence_lets_through() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    let child = w.entry(&id).child.unwrap();
    let before = w.entry(&child).tokens.values().max().copied();
    w.stop(true);
    let token = w.claim(&child).token;
    assert!(Some(token) > before && token > w.state.status().stop.fence_token);
}

/// Every consent of a person names the stop epoch that was shown: one that was sent before a STOP does nothing after it.
#[test]
fn what_was_sent_before_a_stop_does_nothing_after_it() {
    let mut w = World::new();
    let observing = w.done(limit(service("shop", 1)));
    w.stop(false);
    let release = Command::Resume { stop_epoch: 1 };
    w.stop(false);
    assert_eq!(rules(w.say(&human(), release)), [L::Stopped], "of a STOP that its sender never saw");
    assert!(w.state.status().stop.set);
    assert_eq!(w.resume(), Reply::Done);
    let late = [
        Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 1, why: String::new() },
        Command::Undo { entry: observing.clone(), stop_epoch: 1 },
        Command::Resume { stop_epoch: 3 },
    ];
    for command in late {
        assert_eq!(rules(w.say(&human(), command)), [L::Stopped]);
    }
    assert_eq!(w.undo(&observing), Reply::Done);
    w.set_phase(AgentKind::Sre, Phase::Autonomous);
    let lower = Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Observe, stop_epoch: 0, why: String::new() };
    assert_eq!(w.say(&human(), lower), Reply::Done, "what only holds back needs no stop epoch");
}

#[test]
fn a_late_resolve_by_undo_is_refused_too() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    w.after_ms(20_000);
    assert_eq!(w.at(&id), S::UndoFailed, "nobody claimed it");
    w.stop(false);
    w.resume();
    assert_eq!(rules(w.resolve(&id, Resolution::Undo { stop_epoch: 0 })), [L::Stopped]);
    assert_eq!(w.resolve_by_undo(&id), Reply::Done);
}

#[test]
fn a_second_stop_withholds_undos_and_never_gives_leave_for_them() {
    for (first, second, kept) in [(false, true, false), (true, false, false), (true, true, true)] {
        let mut w = World::new();
        let id = w.done(limit(service("shop", 1)));
        w.stop(first);
        w.stop(second);
        assert_eq!(w.state.status().stop.keep_undos, kept);
        assert_eq!(w.undo(&id) == Reply::Done, kept, "{first} {second}");
        w.resume();
        w.stop(true);
        assert!(w.state.status().stop.keep_undos, "a release starts over");
    }
}
