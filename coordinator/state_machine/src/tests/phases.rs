//! Earning and losing a phase.

use super::world::*;
use crate::{Reply, Ruling, Settings};
use picket_core::coordination::Command;
use picket_core::ids::AgentKind;
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Adjudication;
use picket_core::phase::{GateRule, Phase, PhaseState};
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;

fn judge(w: &mut World, episode: &str, correct: bool) {
    let adjudication = Adjudication {
        incident: "inc".into(),
        agent: AgentKind::Sre,
        episode: episode.into(),
        correct,
        diagnosed: true,
        stated: Some(0.95),
        by: "whoever".into(),
        at: Timestamp(0),
    };
    assert_eq!(w.say(&human(), Command::Adjudicate { adjudication }), Reply::Done);
}

fn promote(w: &mut World, phase: Phase) -> Reply {
    w.set_phase(AgentKind::Sre, phase)
}

fn sre(w: &World) -> PhaseState {
    w.state.status().phases[&AgentKind::Sre].state.clone()
}

#[test]
fn a_phase_is_earned_step_by_step() {
    let gate = GateRule { episodes_min: 80, days_min: 1.0, ..GateRule::default() };
    let mut w = World::with(Settings { gate, demonstration: false, ..settings() }, Phase::Observe);
    assert_eq!(rules(promote(&mut w, Phase::Assist)), [L::NotAllowed]);
    for n in 0..160 {
        judge(&mut w, &format!("e{n}"), true);
        w.after_ms(3_600_000);
    }
    assert_eq!(rules(promote(&mut w, Phase::Autonomous)), [L::NotAllowed], "one step at a time");
    assert_eq!(promote(&mut w, Phase::Assist), Reply::Done);
    assert_eq!(promote(&mut w, Phase::Autonomous), Reply::Done);
    assert!(!sre(&w).by_fiat);
    judge(&mut w, "x", false);
    assert_eq!(sre(&w).phase, Phase::Autonomous, "one mistake in 161 is no proof");
}

#[test]
fn an_episode_counts_once_a_day() {
    let mut w = World::with(settings(), Phase::Observe);
    judge(&mut w, "same", true);
    judge(&mut w, "same", false);
    assert_eq!((sre(&w).episodes, sre(&w).correct), (1, 1));
    w.after_ms(24 * 3_600_000);
    judge(&mut w, "same", false);
    assert_eq!((sre(&w).episodes, sre(&w).correct), (2, 1));
}

#[test]
fn what_became_of_stated_probabilities_is_kept_with_the_evidence() {
    let mut w = World::new();
    judge(&mut w, "one", true);
    judge(&mut w, "one", true);
    judge(&mut w, "two", false);
    let judged = sre(&w).reliability.judged();
    assert_eq!((judged.len(), judged.iter().filter(|j| j.right).count()), (2, 1), "an episode counts once");
    w.say(&human(), Command::RestartEvidence { agent: AgentKind::Sre, why: "another model".into() });
    assert!(sre(&w).reliability.judged().is_empty(), "another model's word is another matter");
}

#[test]
fn proof_of_failure_demotes_one_step() {
    let mut w = World::new();
    assert!(sre(&w).by_fiat);
    let mut n = 0;
    while sre(&w).phase == Phase::Autonomous && n < 50 {
        judge(&mut w, &format!("e{n}"), false);
        n += 1;
    }
    assert!((1..50).contains(&n));
    assert_eq!(sre(&w).phase, Phase::Assist);
}

#[test]
fn a_violation_demotes_to_observe_and_cancels() {
    let mut w = World::new();
    let permitted = w.permitted(limit(service("shop", 1)));
    let observing = w.done(resize(service("pay", 1)));
    let told = Command::ReportViolation { invariant: Invariant::I3, agent: Some(AgentKind::Sre), detail: "seen".into() };
    assert_eq!(w.say(&actuator(), told), Reply::Done);
    assert_eq!((w.at(&permitted), w.at(&observing)), (S::Cancelled, S::Observing));
    let status = w.state.status();
    assert_eq!((status.violations[&Invariant::I3], status.phases[&AgentKind::FinOps].state.phase), (1, Phase::Autonomous));
    assert_eq!(w.propose(limit(service("shop", 2))).1, Ruling::Shadowed);
}

#[test]
fn a_regression_counts_against_the_agent() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    w.grade(&id, regressed());
    assert_eq!((sre(&w).episodes, sre(&w).correct), (1, 0));
}

#[test]
fn demotion_cancels_but_leaves_undos() {
    let mut w = World::new();
    let id = w.done(limit(service("shop", 1)));
    w.grade(&id, regressed());
    let child = w.entry(&id).child.unwrap();
    promote(&mut w, Phase::Observe);
    assert_eq!(w.at(&child), S::Permitted);
    w.claim(&child);
}

/// Every diagnosis must be judged.
fn all_must_be_judged() -> World {
    World::with(Settings { judge_one_in: 1, ..settings() }, Phase::Observe)
}

fn due(w: &World) -> usize {
    w.state.status().phases[&AgentKind::Sre].judgements_due.len()
}

#[test]
fn a_diagnosis_that_nobody_judges_in_a_week_counts_as_wrong() {
    let mut w = all_must_be_judged();
    assert_eq!(w.propose(limit(service("shop", 1))).1, Ruling::Shadowed);
    w.propose(limit(service("shop", 2)));
    w.propose(Proposal { replay: true, ..limit(service("shop", 3)) });
    assert_eq!(due(&w), 2, "what is replayed proves nothing");
    let incident = limit(service("shop", 2)).incident;
    let adjudication = Adjudication {
        incident,
        agent: AgentKind::Sre,
        episode: "shop/s2|memory_limit_too_low".into(),
        correct: true,
        diagnosed: true,
        stated: None,
        by: String::new(),
        at: Timestamp(0),
    };
    assert_eq!(w.say(&human(), Command::Adjudicate { adjudication }), Reply::Done);
    assert_eq!((due(&w), sre(&w).episodes, sre(&w).correct), (1, 1, 1));
    w.after_ms(7 * 24 * 3_600_000 - 200);
    assert_eq!(sre(&w).episodes, 1);
    w.snapshot();
    w.after_ms(200);
    assert_eq!((due(&w), sre(&w).episodes, sre(&w).correct), (0, 2, 1));
}

#[test]
fn the_sample_is_forgotten_with_the_evidence_and_the_same_incident_is_asked_about_once() {
    let mut w = all_must_be_judged();
    w.propose(limit(service("shop", 1)));
    w.propose(limit(service("shop", 1)));
    assert_eq!(due(&w), 1);
    w.say(&human(), Command::RestartEvidence { agent: AgentKind::Sre, why: "another model".into() });
    assert_eq!(due(&w), 0);
}
