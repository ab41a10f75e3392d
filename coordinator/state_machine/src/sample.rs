//! Some diagnoses must be judged by a person, whether anybody would like to or not: which, their incident's id decides, so that nobody
//! chooses. What is not judged in time counts as wrong (PROTOCOL.md, "Earning a phase").

use crate::phase::{self, Judged};
use crate::state::State;
use picket_core::action::Digest;
use picket_core::ids::{AgentKind, IncidentId};
use picket_core::phase::JudgementDue;
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Days in which a person may judge.
const DAYS: i64 = 7;
/// Diagnoses that wait at once; more, and the others are left to whoever likes to judge them.
const WAITING_MAX: usize = 4096;
/// Shown at once.
const SHOWN_MAX: usize = 100;

/// Diagnoses that wait for a person's judgement, in the order in which their time runs out: every command looks at the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample(VecDeque<Due>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Due {
    incident: IncidentId,
    agent: AgentKind,
    cause: String,
    by: Timestamp,
}

/// Whether one in `one_in` is drawn: evenly, and never another way for the same incident.
fn is_drawn(incident: &IncidentId, one_in: u32) -> bool {
    let digest = Digest::of(incident.as_str().as_bytes());
    u32::from_str_radix(&digest.0[..8], 16).is_ok_and(|drawn| drawn % one_in == 0)
}

/// A cause was named.
pub(crate) fn note(state: &mut State, proposal: &Proposal) {
    let incident = &proposal.incident;
    // What is replayed proves nothing, right or wrong.
    if proposal.replay || !is_drawn(incident, state.settings.judge_one_in) || state.phases.sample.0.len() >= WAITING_MAX {
        return;
    }
    if state.phases.sample.0.iter().all(|due| due.incident != *incident) {
        let by = state.now().plus_ms(DAYS.saturating_mul(state.settings.episode_ms));
        state.phases.sample.0.push_back(Due { incident: incident.clone(), agent: proposal.agent, cause: proposal.cause.to_string(), by });
    }
}

/// A person has judged it.
pub(crate) fn answered(state: &mut State, incident: &IncidentId) {
    state.phases.sample.0.retain(|due| due.incident != *incident);
}

/// What an agent was is no matter any more.
pub(crate) fn forget(state: &mut State, agent: AgentKind) {
    state.phases.sample.0.retain(|due| due.agent != agent);
}

/// What nobody has judged in time counts as wrong.
pub(crate) fn expire(state: &mut State) {
    let now = state.now();
    while let Some(due) = state.phases.sample.0.pop_front_if(|due| due.by <= now) {
        let episode = format!("unanswered/{}", due.incident);
        let judged = Judged { agent: due.agent, episode: &episode, cause: &due.cause, diagnosed: true, stated: None, correct: false };
        let _ = phase::count(state, judged);
    }
}

/// When the next one counts as wrong.
pub(crate) fn due_next(state: &State) -> Option<Timestamp> {
    state.phases.sample.0.front().map(|due| due.by)
}

/// Those of one agent, the most urgent first.
pub(crate) fn view(state: &State, agent: AgentKind) -> Vec<JudgementDue> {
    let mine = state.phases.sample.0.iter().filter(|due| due.agent == agent).take(SHOWN_MAX);
    mine.map(|due| JudgementDue { incident: due.incident.clone(), by: due.by }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_drawn() {
        let drawn = (0..10_000).filter(|n| is_drawn(&format!("incident-{n}").into(), 5)).count();
        assert!((1_850..2_150).contains(&drawn), "{drawn}");
        assert!(is_drawn(&"any".into(), 1));
    }
}
