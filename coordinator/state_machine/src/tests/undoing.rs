//! Taking back.

use super::world::*;
use crate::Reply;
use picket_core::coordination::{Command, Resolution};
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::{Outcome, Report};
use picket_core::proposal::Work;

fn undone() -> (World, EntryId, EntryId) {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    assert_eq!(w.at(&id), S::Undoing);
    let child = w.entry(&id).child.unwrap();
    (w, id, child)
}

#[test]
fn a_regression_is_taken_back() {
    let (mut w, id, child) = undone();
    let made = w.entry(&child);
    assert_eq!((made.state, made.parent.as_ref(), made.cost_pods), (S::Permitted, Some(&id), 1));
    assert!(matches!(made.work, Work::Undo { .. }));
    assert_ne!(made.digest, w.entry(&id).digest);
    assert!(made.tokens.values().max() > w.entry(&id).tokens.values().max(), "a token of its own");
    w.claim(&child);
    w.report(&child, applied());
    assert_eq!((w.at(&id), w.at(&child)), (S::RolledBack, S::Observing));
    w.grade(&child, recovered());
    assert_eq!(w.at(&child), S::Settled);
    assert!(w.leases().is_empty());
}

#[test]
fn an_undo_that_fails_pages_and_keeps_the_scope() {
    let (mut w, id, child) = undone();
    w.claim(&child);
    w.report(&child, Report::NoEffect { why: "somebody changed it".into() });
    assert_eq!((w.at(&id), w.at(&child), w.entry(&id).paging), (S::UndoFailed, S::Failed, true));
    assert_eq!(w.leases(), [("ns:east/shop".to_owned(), id.to_string())]);
    assert_eq!(w.resolve_by_undo(&id), Reply::Done);
    let second = w.entry(&id).child.unwrap();
    assert_ne!(second, child);
    w.claim(&second);
    w.report(&second, applied());
    assert_eq!(w.at(&id), S::RolledBack);
}

#[test]
fn an_undo_that_cannot_be_known_is_resolved_before_its_parent_is_tried_again() {
    let (mut w, id, child) = undone();
    w.claim(&child);
    w.report(&child, cannot_tell(true));
    assert_eq!((w.at(&id), w.at(&child)), (S::UndoFailed, S::Indeterminate));
    assert_eq!(rules(w.resolve_by_undo(&id)), [L::TargetBusy]);
    w.say(&human(), Command::Resolve { entry: child, resolution: Resolution::Failed });
    assert_eq!(w.resolve_by_undo(&id), Reply::Done);
}

#[test]
fn an_undo_nobody_claims_has_failed() {
    let (mut w, id, child) = undone();
    w.after_ms(20_000);
    assert_eq!((w.at(&id), w.at(&child)), (S::UndoFailed, S::Expired));
}

#[test]
fn what_cannot_be_taken_back_pages_a_person() {
    let mut w = World::new();
    let id = w.done(restart(service("shop", 1)));
    w.grade(&id, regressed());
    let entry = w.entry(&id);
    assert_eq!((entry.state, entry.paging, entry.outcome, entry.child), (S::Inconclusive, true, Some(regressed()), None));
    assert_eq!(rules(w.undo(&id)), [L::NotAllowed]);
}

#[test]
fn a_person_takes_back_what_could_not_be_graded() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, Outcome::Inconclusive { why: "no data".into() });
    assert_eq!((w.at(&id), w.leases().len()), (S::Inconclusive, 0));
    assert_eq!(rules(w.undo(&id)), [L::StaleFacts], "it asks for its budget anew: on facts from after the release");
    let other = w.propose(resize(service("shop", 2))).0;
    w.read();
    assert_eq!(w.at(&other), S::Permitted);
    assert_eq!(w.undo(&id), Reply::Done);
    let child = w.entry(&id).child.unwrap();
    assert_eq!((w.at(&id), w.at(&child)), (S::Undoing, S::Queued), "its scope is another's meanwhile");
    w.after_ms(5_000);
    assert_eq!((w.at(&other), w.at(&child)), (S::Cancelled, S::Permitted), "an undo preempts what is only permitted");
}

#[test]
fn an_undo_is_not_undone() {
    let (mut w, _, child) = undone();
    w.claim(&child);
    w.report(&child, applied());
    w.grade(&child, regressed());
    assert_eq!((w.at(&child), w.entry(&child).paging), (S::Inconclusive, true));
}
