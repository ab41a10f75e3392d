//! A person's word ends the waiting for a verdict, never the waiting for a fence.

use super::world::*;
use crate::{Reply, Ruling, Settings};
use picket_core::coordination::{Command, Resolution};
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Report;
use picket_core::phase::Phase;

/// Claimed, and silent for so long that nobody can say what happened.
fn silent() -> (World, EntryId) {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    w.after_ms(90_000);
    assert_eq!((w.at(&id), w.entry(&id).fenced), (S::Indeterminate, false));
    w.read();
    (w, id)
}

#[test]
fn what_a_person_resolves_keeps_scope_and_budget_until_its_fence_is_confirmed() {
    for (resolution, at) in [(Resolution::Failed, S::Failed), (Resolution::Settled, S::Settled)] {
        let (mut w, id) = silent();
        assert_eq!(w.resolve(&id, resolution), Reply::Done);
        let entry = w.entry(&id);
        assert_eq!((entry.state, entry.paging, entry.is_over(), entry.holds_budget()), (at, false, false, true));
        assert_eq!(w.leases(), [("ns:east/shop".to_owned(), id.to_string())]);
        w.facts.services.get_mut(&service("pay", 9)).unwrap().disrupted_by_others = 15;
        w.read();
        assert_eq!(w.denied(resize(service("pay", 2))), [L::FleetBudget]);
        w.facts.services.get_mut(&service("pay", 9)).unwrap().disrupted_by_others = 0;
        w.read();
        let (next, ruling) = w.propose(resize(service("shop", 2)));
        assert_eq!(ruling, Ruling::Queued { position: 0 });
        assert!(w.state.entries(0).iter().any(|e| e.id == id), "an actuator finds it among the open ones");
        assert_eq!(w.report(&id, cannot_tell(true)), Reply::Done);
        assert_eq!((w.at(&id), w.entry(&id).is_over(), w.entry(&id).report), (at, true, None), "it changes no state");
        w.read();
        assert_eq!(w.at(&next), S::Permitted);
    }
}

#[test]
fn a_late_proof_confirms_the_fence_and_changes_no_state() {
    for proof in [applied(), Report::NoEffect { why: "fenced".into() }, cannot_tell(true)] {
        let (mut w, id) = silent();
        let before = w.state.revision();
        assert_eq!(rules(w.report(&id, cannot_tell(false))), [L::NotAllowed], "this says nothing of the fence");
        assert_eq!(w.report(&id, proof.clone()), Reply::Done);
        assert_eq!((w.at(&id), w.entry(&id).fenced, w.entry(&id).paging), (S::Indeterminate, true, true));
        assert_eq!(w.state.revision(), before + 1, "everybody sees that");
        assert_eq!(rules(w.report(&id, applied())), [L::NotAllowed], "once: from now on it is only audited");
        assert_eq!(w.leases().len(), 1, "a person must still resolve it");
        w.resolve(&id, Resolution::Failed);
        assert!(w.leases().is_empty());
    }
}

#[test]
fn whoever_cannot_tell_and_has_no_fence_says_so_again_with_one() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    assert_eq!(w.report(&id, cannot_tell(false)), Reply::Done);
    w.resolve(&id, Resolution::Settled);
    assert_eq!((w.at(&id), w.leases().len()), (S::Settled, 1));
    let deposed = w.actuator;
    w.actuator = w.register(&actuator());
    let late = Command::Report { entry: id.clone(), actuator_epoch: deposed, report: cannot_tell(true) };
    assert_eq!(rules(w.say(&actuator(), late)), [L::NotAllowed], "only the actuator in office raises fences");
    assert_eq!(w.report(&id, cannot_tell(true)), Reply::Done);
    assert!(w.leases().is_empty() && w.entry(&id).is_over());
}

#[test]
fn nothing_is_taken_back_before_the_fence() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    let Report::Applied { receipt } = applied() else { panic!() };
    w.report(&id, Report::CannotTell { why: "half".into(), landed: Some(receipt), fenced: false });
    assert_eq!((w.at(&id), w.entry(&id).child.clone()), (S::Indeterminate, None), "the rest may land under the undo");
    assert_eq!(rules(w.resolve_by_undo(&id)), [L::TargetBusy]);
    w.report(&id, cannot_tell(true));
    assert_eq!(w.resolve_by_undo(&id), Reply::Done);
}

#[test]
fn a_second_undo_waits_for_the_fence_of_the_first() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    let child = w.entry(&id).child.unwrap();
    w.claim(&child);
    w.after_ms(90_000);
    assert_eq!((w.at(&id), w.at(&child)), (S::UndoFailed, S::Indeterminate));
    w.resolve(&child, Resolution::Failed);
    assert_eq!(rules(w.resolve_by_undo(&id)), [L::TargetBusy]);
    assert_eq!(w.leases(), [("ns:east/shop".to_owned(), child.to_string())]);
    w.report(&child, cannot_tell(true));
    assert_eq!(w.leases(), [("ns:east/shop".to_owned(), id.to_string())], "the scope goes back to the act that it takes back");
    assert_eq!(w.resolve_by_undo(&id), Reply::Done);
}

#[test]
fn stopping_is_shown_while_a_resolved_act_waits_for_its_fence() {
    let (mut w, id) = silent();
    w.stop(false);
    w.resolve(&id, Resolution::Failed);
    let (actuator_epoch, stop_epoch) = (w.actuator, w.stop_epoch());
    w.say(&actuator(), Command::FenceRaised { actuator_epoch, stop_epoch });
    let shown = w.state.status().stop;
    assert_eq!((shown.stopping, shown.open_claims, shown.fences_missing.len()), (true, 1, 0));
    w.report(&id, cannot_tell(true));
    let shown = w.state.status().stop;
    assert_eq!((shown.stopping, shown.open_claims), (false, 0));
}

#[test]
fn what_waits_for_a_fence_is_not_forgotten_among_the_ended() {
    let mut w = World::with(Settings { entries_ended_max: 2, ..settings() }, Phase::Autonomous);
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    w.after_ms(90_000);
    w.resolve(&id, Resolution::Failed);
    w.stop(false);
    for n in 2..8 {
        w.propose(limit(service("pay", n)));
    }
    assert_eq!(w.at(&id), S::Failed);
    w.snapshot();
}

#[test]
fn a_cluster_that_is_gone_needs_no_fence() {
    let (mut w, id) = silent();
    let retire = Command::RetireCluster { cluster: CLUSTER.into(), why: "gone".into() };
    assert_eq!(rules(w.say(&human(), retire.clone())), [L::TargetBusy], "a person must resolve it");
    w.resolve(&id, Resolution::Failed);
    assert_eq!(w.say(&human(), retire), Reply::Done);
    assert!(w.leases().is_empty() && w.entry(&id).is_over());
}
