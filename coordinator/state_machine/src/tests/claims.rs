//! The claim looks at everything again.

use super::world::*;
use crate::Reply;
use picket_core::action::Digest;
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Command, Request, Resolution};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Report;

#[test]
fn every_wrong_claim_is_refused_and_a_right_one_still_works() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    let good = w.claim_of(&id);
    let wrong = [
        ClaimRequest { digest: Digest::of(b"another act"), ..good.clone() },
        ClaimRequest { actuator_epoch: good.actuator_epoch - 1, ..good.clone() },
        ClaimRequest { audit_hash: Digest("not on record".into()), ..good.clone() },
    ];
    for claim in wrong {
        assert_eq!(w.try_claim(claim), Err(vec![L::NotAllowed]));
        assert_eq!(w.at(&id), S::Permitted);
    }
    w.claim(&id);
    assert_eq!(w.try_claim(good), Err(vec![L::NotAllowed]), "a permit is claimed at most once (I9)");
}

#[test]
fn a_permit_expires() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.after_ms(19_999);
    w.read();
    assert_eq!(w.at(&id), S::Expired);
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::NotAllowed]));
    assert!(w.leases().is_empty());
}

#[test]
fn old_facts_lead_to_no_claim_and_new_ones_do() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.after_ms(10_001);
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::StaleFacts]));
    w.read();
    w.claim(&id);
}

#[test]
fn a_budget_that_shrank_leads_to_no_claim() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.facts.services.get_mut(&service("pay", 1)).unwrap().disrupted_by_others = 16;
    w.read();
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::FleetBudget]));
}

#[test]
fn a_retried_claim_gets_the_first_answer() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    let request = Request { request_id: "once".into(), command: Command::Claim { claim: w.claim_of(&id) } };
    let first = w.say_as(&actuator(), request.clone());
    assert_eq!(first.changed, [id]);
    w.after_ms(1_000);
    let again = w.say_as(&actuator(), request);
    assert_eq!((again.answer, again.changed), (first.answer, vec![]));
}

#[test]
fn a_claim_nobody_reports_is_not_knowable_and_keeps_scope_and_budget() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    w.after_ms(30_000 + 59_999);
    assert_eq!(w.at(&id), S::Claimed, "its actuator may still prove what happened");
    w.after_ms(1);
    assert_eq!(w.at(&id), S::Indeterminate);
    assert!(w.entry(&id).paging);
    assert_eq!(w.leases().len(), 1);
    assert_eq!(rules(w.report(&id, applied())), [L::NotAllowed], "a late report is only audited");
    let resolve = Command::Resolve { entry: id.clone(), resolution: Resolution::Settled };
    assert_eq!(w.say(&human(), resolve), Reply::Done);
    assert_eq!(w.at(&id), S::Settled);
    assert!(w.leases().is_empty());
}

#[test]
fn the_next_actuator_reports_for_a_dead_one() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    let deposed = w.actuator;
    w.actuator = w.register(&actuator());
    let late = Command::Report { entry: id.clone(), actuator_epoch: deposed, report: applied() };
    assert_eq!(rules(w.say(&actuator(), late)), [L::NotAllowed]);
    assert_eq!(w.report(&id, applied()), Reply::Done);
    assert_eq!(w.at(&id), S::Observing);
}

#[test]
fn nobody_graded_it() {
    let mut w = World::new();
    let id = w.done(restart(service("shop", 1)));
    w.after_ms(20 * 60_000 + 9_999);
    assert_eq!(w.at(&id), S::Observing);
    w.after_ms(1);
    assert_eq!((w.at(&id), w.entry(&id).paging), (S::Inconclusive, true));
}

#[test]
fn what_only_partly_landed_is_taken_back_when_it_can_be() {
    let landed = |w: &mut World, id| {
        w.claim(id);
        let Report::Applied { receipt } = applied() else { panic!() };
        w.report(id, Report::CannotTell { why: "half".into(), landed: Some(receipt), fenced: true });
    };
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    landed(&mut w, &id);
    assert_eq!(w.at(&id), S::Undoing);
    let mut w = World::new();
    let id = w.permitted(restart(service("shop", 1)));
    landed(&mut w, &id);
    assert_eq!(w.at(&id), S::Indeterminate);
}
