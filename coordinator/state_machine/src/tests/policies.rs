//! Limits that change while the coordinator runs.

use super::world::*;
use crate::{Reply, Ruling, rule_question};
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::{LimitRule as L, LimitRules};
use picket_core::outcome::Adjudication;
use picket_core::phase::Phase;
use picket_core::policy::{PhaseCap, Policy};
use picket_core::proposal::Proposal;
use picket_core::rules::{RULES_BYTES_MAX, RuleAnswer, Ruled};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

fn policy(version: u64) -> Policy {
    Policy {
        version,
        limits: LimitRules::default(),
        approval_severities: vec![1, 2],
        two_person_severities: vec![],
        caps: vec![],
        freezes: vec![],
        rules: BTreeMap::new(),
    }
}

fn set(w: &mut World, policy: Policy) -> Reply {
    w.say(&human(), Command::SetPolicy { policy: Box::new(policy) })
}

fn cap(namespace: &str, at_most: Phase) -> PhaseCap {
    PhaseCap { agent: None, kind: None, cluster: None, namespace: Some(namespace.into()), at_most }
}

/// The leader's word on a proposal, as it stands in the log.
fn ruled(w: &World, proposal: &Proposal, allowed: bool, policy_version: u64) -> Command {
    let question = rule_question(&w.state, proposal);
    let by = vec!["rule".to_owned()];
    let answer = Some(RuleAnswer { policy_version, allowed, by, errors: vec![] });
    Command::ProposeRuled { proposal: Box::new(proposal.clone()), ruled: Box::new(Ruled { question, policy_version, answer }) }
}

fn with_rules(version: u64) -> Policy {
    Policy { rules: [(AgentKind::Sre, "permit (principal, action, resource);".to_owned())].into(), ..policy(version) }
}

#[test]
fn where_rules_are_in_force_nothing_goes_on_that_was_not_held_against_them() {
    let mut w = World::new();
    let sre = Principal::Agent(AgentKind::Sre);
    let wish = |w: &World, n: usize| Proposal { id: format!("w{n}").into(), evidence_echo: w.state.now(), ..limit(service("shop", n)) };
    let (one, two, three, four) = (wish(&w, 1), wish(&w, 2), wish(&w, 3), wish(&w, 4));
    set(&mut w, with_rules(1));
    let denied = |reply: Reply| match reply {
        Reply::Decided { ruling: Ruling::Denied { violations }, .. } => violations.into_iter().map(|v| v.rule).collect(),
        other => panic!("{other:?}"),
    };
    let rules: Vec<L> = denied(w.say(&sre, Command::Propose { proposal: Box::new(one) }));
    assert_eq!(rules, [L::UserPolicy], "nobody asked them");
    let said = ruled(&w, &two, false, 1);
    assert_eq!(denied(w.say(&sre, said)), [L::UserPolicy]);
    let said = ruled(&w, &three, true, 0);
    assert_eq!(denied(w.say(&sre, said)), [L::StaleEvidence], "they were asked in an earlier policy");
    let said = ruled(&w, &four, true, 1);
    let Reply::Decided { entry, ruling: Ruling::Permitted } = w.say(&sre, said) else { panic!() };
    let asked = w.entry(&entry).asked.unwrap();
    assert_eq!((asked.service, asked.tier, asked.cost_pods > 0), (four.action.service, 2, true));
    let (_, other) = w.propose(resize(service("pay", 1)));
    assert!(matches!(other, Ruling::Permitted | Ruling::Queued { .. }), "an agent without rules: {other:?}");
}

#[test]
fn what_was_admitted_under_other_rules_is_cancelled() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    let kept = w.permitted(resize(service("pay", 1)));
    assert_eq!(set(&mut w, with_rules(1)), Reply::Done);
    assert_eq!((w.at(&id), w.at(&kept)), (S::Cancelled, S::Permitted));
    let long = Policy { rules: [(AgentKind::Sre, " ".repeat(RULES_BYTES_MAX + 1))].into(), ..policy(2) };
    assert_eq!(rules(set(&mut w, long)), [L::Malformed]);
}

#[test]
fn a_claim_is_held_against_the_policy_of_its_moment() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    assert_eq!(set(&mut w, Policy { limits: LimitRules { min_confidence: 0.99, ..LimitRules::default() }, ..policy(1) }), Reply::Done);
    assert_eq!(w.try_claim(w.claim_of(&id)), Err(vec![L::Confidence]));
    assert_eq!(set(&mut w, policy(2)), Reply::Done);
    w.claim(&id);
    assert_eq!(w.state.status().policy_version, 2);
}

#[test]
fn two_people_do_not_overwrite_each_other_and_nonsense_is_refused() {
    let mut w = World::new();
    assert_eq!(set(&mut w, policy(1)), Reply::Done);
    assert_eq!(rules(set(&mut w, policy(1))), [L::NotAllowed]);
    let half = LimitRules { max_fleet_restart_ratio: 0.5, ..LimitRules::default() };
    assert_eq!(rules(set(&mut w, Policy { limits: half, ..policy(2) })), [L::Malformed]);
    assert_eq!(rules(set(&mut w, Policy { caps: vec![cap("x", Phase::Assist); 65], ..policy(2) })), [L::Malformed]);
    let agent = Principal::Agent(AgentKind::Sre);
    assert_eq!(rules(w.say(&agent, Command::SetPolicy { policy: Box::new(policy(2)) })), [L::NotAllowed]);
    assert_eq!(w.state.status().policy_version, 1);
}

#[test]
fn a_cap_lowers_a_phase_where_it_speaks_and_cancels_what_it_bars() {
    let mut w = World::new();
    let barred = w.permitted(limit(service("pay", 1)));
    let free = w.permitted(limit(service("shop", 1)));
    set(&mut w, Policy { caps: vec![cap("pay", Phase::Observe)], ..policy(1) });
    assert_eq!((w.at(&barred), w.at(&free)), (S::Cancelled, S::Permitted));
    assert_eq!(w.propose(limit(service("pay", 2))).1, crate::Ruling::Shadowed);
    set(&mut w, Policy { caps: vec![cap("shop", Phase::Assist), cap("pay", Phase::Autonomous)], ..policy(2) });
    assert_eq!(w.try_claim(w.claim_of(&free)), Err(vec![L::NotAllowed]), "it needs a yes now");
    let id = w.permitted(limit(service("pay", 2)));
    w.claim(&id);
    let mut w = World::with(settings(), Phase::Assist);
    set(&mut w, Policy { caps: vec![cap("shop", Phase::Autonomous)], ..policy(1) });
    assert_eq!(w.propose(limit(service("shop", 1))).1, crate::Ruling::AwaitingApproval, "no cap raises a phase");
}

#[test]
fn evidence_restarts_with_another_model() {
    let mut w = World::new();
    let adjudication = Adjudication {
        incident: "inc".into(),
        agent: AgentKind::Sre,
        episode: "e".into(),
        correct: true,
        diagnosed: true,
        stated: None,
        by: String::new(),
        at: Timestamp(0),
    };
    w.say(&human(), Command::Adjudicate { adjudication });
    let sre = |w: &World| w.state.status().phases[&AgentKind::Sre].state.clone();
    assert_eq!((sre(&w).episodes, sre(&w).phase), (1, Phase::Autonomous));
    let restart = Command::RestartEvidence { agent: AgentKind::Sre, why: "another model".into() };
    assert_eq!(rules(w.say(&Principal::Agent(AgentKind::FinOps), restart.clone())), [L::NotAllowed]);
    assert_eq!(w.say(&Principal::Agent(AgentKind::Sre), restart), Reply::Done);
    assert_eq!((sre(&w).episodes, sre(&w).phase, sre(&w).first_at), (0, Phase::Observe, None));
    assert!(sre(&w).because.contains("another model"));
}
