//! One test for each counterexample of PROTOCOL.md that is closed inside `apply`; named after its mark.

use super::world::*;
use crate::{Reply, Ruling, apply};
use picket_core::coordination::{Attributed, Command, Request};
use picket_core::facts::ClusterFacts;
use picket_core::ids::{AgentKind, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::phase::Phase;

#[test]
fn m6_severity_that_rose_since_the_permit_needs_an_approval_at_the_claim() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.facts.services.get_mut(&service("shop", 1)).unwrap().tier = 1;
    w.read();
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::NotAllowed]));
}

#[test]
fn m7_consent_from_before_a_stop_is_void() {
    let mut w = World::with(settings(), Phase::Assist);
    let (id, _) = w.propose(limit(service("shop", 1)));
    let digest = w.entry(&id).digest;
    w.say(&human(), Command::Approve { entry: id.clone(), digest: digest.clone(), stop_epoch: 0 });
    w.say(&human(), Command::Stop { keep_undos: false });
    w.resume();
    let (evidence_echo, sre) = (w.now, Principal::Agent(AgentKind::Sre));
    assert_eq!(rules(w.say(&sre, Command::Refresh { entry: id.clone(), digest, evidence_echo })), [L::NotAllowed]);
    assert_eq!(w.at(&id), S::Cancelled);
}

#[test]
fn m8_a_permit_from_before_a_stop_is_void_after_its_release() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.say(&human(), Command::Stop { keep_undos: false });
    w.resume();
    w.set_phase(AgentKind::Sre, Phase::Autonomous);
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::NotAllowed]));
}

#[test]
fn m8_the_claim_does_not_rely_on_stop_having_cancelled_the_permit() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.state.stop.epoch += 1;
    let request = Request { request_id: "late".into(), command: Command::Claim { claim: w.claim_of(&id) } };
    let said = Attributed::new(actuator(), request);
    assert_eq!(rules(apply(&mut w.state, &said, w.now).answer), [L::NotAllowed]);
}

#[test]
fn m9_facts_are_ordered_by_epoch_and_number_and_their_age_is_their_echo_s() {
    let mut w = World::new();
    let post = |w: &mut World, epoch, seq, echo| {
        let facts = ClusterFacts { observer_epoch: epoch, seq, echo, ..facts() };
        w.say(&observer(), Command::PostFacts { facts: Box::new(facts) })
    };
    let (epoch, now) = (w.observer, w.now);
    assert_eq!(post(&mut w, epoch, 9, now), Reply::Done);
    assert_eq!(rules(post(&mut w, epoch, 9, now)), [L::StaleFacts]);
    assert_eq!(rules(post(&mut w, epoch, 8, now)), [L::StaleFacts]);
    assert_eq!(rules(post(&mut w, epoch, 10, now.plus_ms(1))), [L::Malformed], "an echo of a time that has not been");
    let next = w.register(&observer());
    assert_eq!(rules(post(&mut w, epoch, 11, now)), [L::NotAllowed], "a deposed observer");
    assert_eq!(post(&mut w, next, 1, now.plus_ms(-10_001)), Reply::Done);
    assert_eq!(w.denied(limit(service("shop", 1))), [L::StaleFacts], "delivered just now, read long ago");
}

#[test]
fn m10_facts_from_before_the_last_release_of_budget_lead_to_no_claim() {
    let mut w = World::new();
    let first = w.done(limit(service("shop", 1)));
    let second = w.permitted(resize(service("pay", 1)));
    w.after_ms(100);
    w.grade(&first, recovered());
    assert_eq!(w.try_claim(w.claim_of(&second)), Err(vec![L::StaleFacts]));
    let (third, ruling) = w.propose(limit(service("shop", 2)));
    assert_eq!(ruling, Ruling::Queued { position: 0 }, "it waits for the next reading");
    w.read();
    w.claim(&second);
    assert_eq!(w.at(&third), S::Permitted);
}

#[test]
fn m11_the_cooldown_holds_while_unresolved_and_starts_at_the_resolution() {
    let mut w = World::new();
    let first = w.done(limit(service("shop", 1)));
    w.after_ms(9 * 60_000);
    w.read();
    assert!(w.denied(limit(service("shop", 1))).contains(&L::Cooldown), "unresolved for longer than a cooldown");
    w.grade(&first, recovered());
    w.read();
    assert_eq!(w.denied(limit(service("shop", 1))), [L::Cooldown]);
    w.permitted(limit(service("shop", 2)));
    w.after_ms(5 * 60_000 - 300);
    w.read();
    assert_eq!(w.denied(limit(service("shop", 1))), [L::Cooldown]);
    w.read();
    w.permitted(limit(service("shop", 1)));
}

#[test]
fn m12_an_indeterminate_claim_keeps_its_scope() {
    let mut w = World::new();
    let first = w.permitted(limit(service("shop", 1)));
    w.claim(&first);
    w.report(&first, cannot_tell(true));
    assert_eq!(w.at(&first), S::Indeterminate);
    w.after_ms(10 * 60_000);
    w.read();
    let (second, ruling) = w.propose(quarantine(service("shop", 1)));
    assert_eq!(ruling, Ruling::Queued { position: 0 });
    w.after_ms(119_000);
    w.read();
    assert_eq!(w.at(&second), S::Queued);
}

#[test]
fn m13_an_old_epoch_is_only_audited() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    let deposed = w.observer;
    w.observer = w.register(&observer());
    let late = Command::Grade { entry: id.clone(), observer_epoch: deposed, outcome: regressed() };
    assert_eq!(rules(w.say(&observer(), late)), [L::NotAllowed]);
    assert_eq!(w.at(&id), S::Observing);
    w.grade(&id, recovered());
    w.read();
    let next = w.permitted(limit(service("shop", 2)));
    let claim = w.claim_of(&next);
    w.actuator = w.register(&actuator());
    assert_eq!(w.try_claim(claim), Err(vec![L::NotAllowed]));
}

#[test]
fn m14_an_undo_inherits_the_reservation_and_its_other_ends_are_undo_failed() {
    let mut w = World::new();
    // Three more services of the same cost fill the four that the budget allows: nothing is left for an undo that would ask anew.
    let id = w.done(limit(service("shop", 1)));
    w.facts.services.get_mut(&service("pay", 9)).unwrap().disrupted_by_others = 15;
    w.read();
    w.grade(&id, regressed());
    let child = w.entry(&id).child.unwrap();
    assert_eq!(w.at(&child), S::Permitted);
    w.claim(&child);
    assert_eq!(w.denied(resize(service("pay", 2))), [L::FleetBudget], "reserved once, not given away");
    w.after_ms(90_000);
    assert_eq!((w.at(&child), w.at(&id)), (S::Indeterminate, S::UndoFailed));
    w.read();
    assert_eq!(w.denied(resize(service("pay", 2))), [L::FleetBudget], "still reserved");
}

#[test]
fn the_clock_never_goes_back() {
    let mut w = World::new();
    let before = w.state.now();
    let said = Attributed::new(Principal::Node(2), Request { request_id: "t".into(), command: Command::Tick });
    let _ = apply(&mut w.state, &said, before.plus_ms(-60_000));
    assert_eq!(w.state.now(), before);
}
