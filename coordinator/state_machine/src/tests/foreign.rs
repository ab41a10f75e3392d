//! What people did themselves judges what picket had proposed.

use super::world::*;
use crate::Reply;
use picket_core::coordination::Command;
use picket_core::foreign::ForeignEvidence;
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::limits::LimitRule as L;
use picket_core::outcome::Adjudication;
use picket_core::phase::{Phase, PhaseState};
use picket_core::time::Timestamp;

fn evidence(w: &World, entry: &EntryId, agrees: bool) -> Command {
    let evidence = ForeignEvidence { agrees, what: "rolled it back".into(), by: "kubectl-rollout".into(), at: Timestamp(0) };
    Command::ForeignEvidence { entry: entry.clone(), observer_epoch: w.observer, evidence: Box::new(evidence) }
}

fn sre(w: &World) -> PhaseState {
    w.state.status().phases[&AgentKind::Sre].state.clone()
}

#[test]
fn a_shadowed_act_is_judged_once_by_what_people_did() {
    let mut w = World::with(settings(), Phase::Observe);
    let (id, _) = w.propose(limit(service("shop", 1)));
    let said = evidence(&w, &id, true);
    assert_eq!(w.say(&observer(), said), Reply::Done);
    assert_eq!((sre(&w).episodes, sre(&w).correct), (1, 1));
    let kept = w.entry(&id).by_others.unwrap();
    assert_eq!((kept.by.as_str(), kept.at), ("kubectl-rollout", w.now), "on record with its source and the coordinator's time");
    let again = evidence(&w, &id, false);
    assert_eq!(w.say(&observer(), again), Reply::Done);
    assert_eq!((sre(&w).episodes, sre(&w).correct), (1, 1), "told twice, counted once");
    let adjudication = Adjudication {
        incident: w.entry(&id).proposal.incident.clone(),
        agent: AgentKind::Sre,
        episode: "another name for it".into(),
        correct: false,
        diagnosed: true,
        stated: None,
        by: String::new(),
        at: Timestamp(0),
    };
    w.say(&human(), Command::Adjudicate { adjudication });
    assert_eq!(sre(&w).episodes, 1, "nor once more by a person");
}

#[test]
fn what_contradicts_it_counts_against_it() {
    let mut w = World::with(settings(), Phase::Assist);
    let (id, _) = w.propose(limit(service("shop", 1)));
    let said = evidence(&w, &id, false);
    assert_eq!(w.say(&observer(), said), Reply::Done);
    assert_eq!((sre(&w).episodes, sre(&w).correct), (1, 0));
}

#[test]
fn only_the_observer_in_office_is_believed_and_never_of_what_picket_did_itself() {
    let mut w = World::with(settings(), Phase::Autonomous);
    let (id, _) = w.propose(limit(service("shop", 1)));
    for who in [human(), actuator(), Principal::Agent(AgentKind::Sre), Principal::Observer("west".into())] {
        let said = evidence(&w, &id, true);
        assert_eq!(rules(w.say(&who, said)), [L::NotAllowed], "{who}");
    }
    let mut deposed = evidence(&w, &id, true);
    if let Command::ForeignEvidence { observer_epoch, .. } = &mut deposed {
        *observer_epoch = 0;
    }
    assert_eq!(rules(w.say(&observer(), deposed)), [L::NotAllowed]);
    w.claim(&id);
    let said = evidence(&w, &id, true);
    assert_eq!(rules(w.say(&observer(), said)), [L::NotAllowed], "picket's own act proves nothing");
    assert_eq!(sre(&w).episodes, 0);
}
