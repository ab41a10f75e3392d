//! The way through, and the refusals at its beginning.

use super::world::*;
use crate::{PermittedAction, Reply, Ruling, permit_for, sign_answer};
use ed25519_dalek::SigningKey;
use picket_core::action::Digest;
use picket_core::claim::ClaimedAction;
use picket_core::coordination::{Answer, Command, Decision};
use picket_core::ids::{AgentKind, Principal};
use picket_core::ledger::EntryState as S;
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Report;
use picket_core::phase::Phase;
use picket_core::proposal::Proposal;
use picket_core::severity::Severity;

#[test]
fn propose_permit_claim_apply_recover() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    assert_eq!(w.leases(), [("ns:east/shop".to_owned(), id.to_string())]);
    assert_eq!(w.entry(&id).cost_pods, 1);
    let key = SigningKey::from_bytes(&[7; 32]);
    let permit = permit_for(&w.state, &id, &key).unwrap();
    let claim = w.claim(&id);
    assert!(permit_for(&w.state, &id, &key).is_none(), "a claimed permit is no leave any more");
    let Answer::Claimed { confirmation } = sign_answer(&w.state, &Reply::Claimed { claim: claim.clone() }, &key) else { panic!() };
    let claimed = ClaimedAction::confirm(&permit, &confirmation, w.actuator, &key.verifying_key()).unwrap();
    assert_eq!(claimed.token(), claim.token);
    assert_eq!(claim.act_deadline, w.now.plus_ms(30_000));
    assert_eq!(w.report(&id, applied()), Reply::Done);
    assert_eq!(w.report(&id, applied()), Reply::Done, "the same report again is no news");
    assert_eq!(w.grade(&id, recovered()), Reply::Done);
    let states: Vec<_> = w.entry(&id).history.into_iter().map(|(_, s)| s).collect();
    assert_eq!(states, [S::Permitted, S::Claimed, S::Observing, S::Settled]);
    assert!(w.leases().is_empty());
}

#[test]
fn a_lease_may_end_with_the_report_and_the_target_stays_blocked() {
    let mut w = World::with(crate::Settings { lease_through_observing: false, ..settings() }, Phase::Autonomous);
    let first = w.done(limit(service("shop", 1)));
    assert!(w.leases().is_empty());
    let other = w.permitted(limit(service("shop", 2)));
    w.claim(&other);
    w.report(&other, applied());
    let (same, ruling) = w.propose(quarantine(service("shop", 1)));
    assert_eq!(ruling, Ruling::Queued { position: 0 });
    w.grade(&first, recovered());
    assert_eq!(w.at(&same), S::Queued, "facts from before the release do not count");
    w.read();
    assert_eq!(w.at(&same), S::Permitted);
}

#[test]
fn the_permit_is_read_from_the_committed_entry_only() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    let permitted: PermittedAction = w.state.permitted(&id).unwrap();
    assert_eq!(permitted.body().digest, w.entry(&id).digest);
    assert!(permitted.body().demonstration);
    let (shadow, _) = {
        let mut o = World::with(settings(), Phase::Observe);
        let made = o.propose(limit(service("shop", 1)));
        assert!(o.state.permitted(&made.0).is_none());
        made
    };
    assert_eq!(w.state.permitted(&shadow).is_some(), shadow == id);
}

#[test]
fn a_retried_proposal_gets_its_entry_and_permit_again() {
    let mut w = World::new();
    let proposal = Proposal { id: "mine".into(), evidence_echo: w.now, ..limit(service("shop", 1)) };
    let sre = Principal::Agent(AgentKind::Sre);
    let first = w.say(&sre, Command::Propose { proposal: Box::new(proposal.clone()) });
    let again = w.say(&sre, Command::Propose { proposal: Box::new(proposal) });
    assert_eq!(first, again, "another request id, the same wish");
    let key = SigningKey::from_bytes(&[7; 32]);
    let Answer::Decided { entry, decision: Decision::Permitted { permit } } = sign_answer(&w.state, &first, &key) else { panic!() };
    w.claim(&entry);
    let Answer::Decided { decision: Decision::Permitted { permit: late }, .. } = sign_answer(&w.state, &first, &key) else { panic!() };
    assert_eq!(permit, late);
}

type Arrange = Box<dyn Fn(&mut World)>;

#[test]
fn every_limit_denies() {
    let shop = || limit(service("shop", 1));
    let cases: Vec<(&str, Arrange, Proposal, L)> = vec![
        ("unsure", Box::new(|_| {}), Proposal { confidence: 0.5, ..shop() }, L::Confidence),
        ("not undoable, not sure enough", Box::new(|_| {}), Proposal { confidence: 0.88, ..restart(service("shop", 1)) }, L::Confidence),
        ("unknown service", Box::new(|_| {}), limit(service("shop", 99)), L::UnknownService),
        ("not the cause's remedy", Box::new(|_| {}), Proposal { cause: picket_core::cause::Cause::DiskFilling, ..shop() }, L::NotAllowed),
        ("protected", Box::new(|w| w.facts.services.get_mut(&service("shop", 1)).unwrap().protected = true), shop(), L::Protected),
        (
            "foreign rollout",
            Box::new(|w| w.facts.services.get_mut(&service("shop", 1)).unwrap().foreign_rollout = true),
            shop(),
            L::ForeignRollout,
        ),
        (
            "reaches too far",
            Box::new(|w| w.facts.services.get_mut(&service("shop", 1)).unwrap().namespaces_touched.push("pay".into())),
            shop(),
            L::BlastRadius,
        ),
        (
            "others disrupt",
            Box::new(|w| w.facts.services.get_mut(&service("pay", 1)).unwrap().disrupted_by_others = 16),
            shop(),
            L::FleetBudget,
        ),
        ("too small a fleet", Box::new(|w| w.facts.services.retain(|s, _| s.name == "s1")), shop(), L::FleetBudget),
    ];
    for (what, arrange, proposal, rule) in cases {
        let mut w = World::new();
        arrange(&mut w);
        w.read();
        assert_eq!(w.denied(proposal), [rule], "{what}");
        assert!(w.leases().is_empty(), "{what}");
    }
}

#[test]
fn old_evidence_and_old_facts_deny() {
    let mut w = World::new();
    w.after_ms(10_001);
    assert_eq!(w.denied(limit(service("shop", 1))), [L::StaleFacts]);
    w.read();
    let old = Proposal { evidence_echo: w.now.plus_ms(-120_001), id: "old".into(), ..limit(service("shop", 1)) };
    let reply = w.say(&Principal::Agent(AgentKind::Sre), Command::Propose { proposal: Box::new(old) });
    let Reply::Decided { ruling: Ruling::Denied { violations }, .. } = reply else { panic!() };
    assert_eq!(violations[0].rule, L::StaleEvidence);
}

#[test]
fn an_observing_agent_and_a_replay_are_shadowed() {
    let mut w = World::with(settings(), Phase::Observe);
    assert_eq!(w.propose(limit(service("shop", 1))).1, Ruling::Shadowed);
    let mut w = World::new();
    assert_eq!(w.propose(Proposal { replay: true, ..limit(service("shop", 1)) }).1, Ruling::Shadowed);
}

#[test]
fn too_many_open_acts_deny() {
    let mut w = World::with(
        crate::Settings { limits: picket_core::limits::LimitRules { max_open_actions: 1, ..Default::default() }, ..settings() },
        Phase::Autonomous,
    );
    w.permitted(limit(service("shop", 1)));
    assert_eq!(w.denied(resize(service("pay", 1))), [L::OpenActions]);
}

#[test]
fn nobody_speaks_for_another() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    let agent = Principal::Agent(AgentKind::Sre);
    let elsewhere = Principal::Actuator("west".into());
    let cases = [
        (Principal::Agent(AgentKind::FinOps), Command::Propose { proposal: Box::new(limit(service("shop", 2))) }),
        (human(), Command::Propose { proposal: Box::new(limit(service("shop", 2))) }),
        (agent.clone(), Command::Claim { claim: w.claim_of(&id) }),
        (elsewhere.clone(), Command::Claim { claim: w.claim_of(&id) }),
        (elsewhere, Command::Report { entry: id.clone(), actuator_epoch: w.actuator, report: applied() }),
        (actuator(), Command::Grade { entry: id.clone(), observer_epoch: w.observer, outcome: recovered() }),
        (Principal::Observer("west".into()), Command::PostFacts { facts: Box::new(facts()) }),
        (agent.clone(), Command::Approve { entry: id.clone(), digest: Digest::default(), stop_epoch: 0 }),
        (agent.clone(), Command::Stop { keep_undos: false }),
        (Principal::Dashboard, Command::Resume { stop_epoch: 0 }),
        (agent.clone(), Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 0, why: String::new() }),
        (agent.clone(), Command::AcquireLease { scopes: vec![], ttl_ms: 1000 }),
        (agent.clone(), Command::Register),
        (human(), Command::Tick),
        (agent, Command::ReportViolation { invariant: picket_core::invariants::Invariant::I3, agent: None, detail: String::new() }),
    ];
    for (who, command) in cases {
        let before = w.state.revision();
        assert_eq!(rules(w.say(&who, command.clone())), [L::NotAllowed], "{who}: {command:?}");
        assert_eq!(w.state.revision(), before);
    }
}

#[test]
fn the_coordinator_takes_the_graver_grade() {
    let mut w = World::new();
    w.facts.services.get_mut(&service("shop", 1)).unwrap().tier = 1;
    w.read();
    let (id, ruling) = w.propose(Proposal { severity: Severity::Four, ..limit(service("shop", 1)) });
    assert_eq!((ruling, w.entry(&id).severity), (Ruling::AwaitingApproval, Severity::Two));
}

#[test]
fn what_was_proven_without_effect_has_failed() {
    let mut w = World::new();
    let id = w.permitted(limit(service("shop", 1)));
    w.claim(&id);
    w.report(&id, Report::NoEffect { why: "the fence".into() });
    assert_eq!(w.at(&id), S::Failed);
    assert!(w.leases().is_empty());
}
