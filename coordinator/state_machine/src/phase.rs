//! Who may do how much by itself: earned by adjudicated episodes, lost by one violation.

use crate::bounds;
use crate::entry::Entry;
use crate::reply::Reply;
use crate::sample::{self, Sample};
use crate::state::State;
use crate::{ledger, stop};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::invariants::Invariant;
use picket_core::ledger::LedgerEvent;
use picket_core::limits::{LimitRule, Violation};
use picket_core::outcome::Adjudication;
use picket_core::phase::{Phase, PhaseState, gate};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Phases, and the episodes of the last day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phases {
    pub by_agent: BTreeMap<AgentKind, PhaseState>,
    /// `agent/episode` → when it was counted.
    pub episodes: BTreeMap<String, Timestamp>,
    /// What must be judged.
    #[serde(default)]
    pub sample: Sample,
}

impl Phases {
    /// Every agent starts in Observe.
    pub(crate) fn of(&self, agent: AgentKind) -> Phase {
        self.by_agent.get(&agent).map_or(Phase::Observe, |s| s.phase)
    }

    pub(crate) fn state_of(&self, agent: AgentKind) -> PhaseState {
        self.by_agent.get(&agent).cloned().unwrap_or_default()
    }

    /// The same, with what days that are over by now have proven.
    pub(crate) fn proven(&self, agent: AgentKind, now: Timestamp, day_ms: i64) -> PhaseState {
        let mut known = self.state_of(agent);
        known.groups.end_days_before(day(now, day_ms));
        known
    }

    /// Forgets episodes that may count again.
    pub(crate) fn forget(&mut self, now: Timestamp, episode_ms: i64) {
        self.episodes.retain(|_, at| now.since_ms(*at) < episode_ms);
    }
}

/// Episodes are grouped by the day, and once a day is what the same episode counts.
const fn day(now: Timestamp, day_ms: i64) -> i64 {
    now.0.div_euclid(day_ms)
}

/// The phase for this act: its agent's, unless a cap is lower.
pub(crate) fn allowed(state: &State, entry: &Entry) -> Phase {
    let caps = state.settings.caps.iter().filter(|cap| cap.covers(entry.agent(), entry.view.work.action()));
    caps.map(|cap| cap.at_most).fold(state.phases.of(entry.agent()), Phase::min)
}

/// Why an act of an observing agent does not go on (I7).
pub(crate) fn only_observes(entry: &Entry) -> Violation {
    let why = format!("{} only observes here", entry.agent());
    Violation::new(LimitRule::NotAllowed, Some(Invariant::I7), why)
}

/// What was earned was earned by another model, catalogue or calibration: counting begins anew, in Observe.
pub(crate) fn restart_evidence(state: &mut State, who: &Principal, agent: AgentKind, why: &str) -> Reply {
    demote(state, agent, Phase::Observe, &format!("{who}: evidence restarts: {why}"));
    let known = state.phases.state_of(agent);
    let fresh = PhaseState { phase: known.phase, since: known.since, because: known.because, ..PhaseState::default() };
    state.phases.by_agent.insert(agent, fresh);
    sample::forget(state, agent);
    Reply::Done
}

/// Sets a lower phase; what the agent has asked for and nobody began is cancelled. Undos are no business of phases.
pub(crate) fn demote(state: &mut State, agent: AgentKind, to: Phase, because: &str) {
    let now = state.now();
    let known = state.phases.by_agent.entry(agent).or_default();
    if to >= known.phase {
        return;
    }
    known.phase = to;
    known.since = now;
    known.because = because.to_owned();
    known.by_fiat = false;
    let pending =
        state.open.iter().filter(|id| state.entries.get(*id).is_some_and(|e| e.agent() == agent && !e.is_undo() && e.is_before_claim()));
    let pending: Vec<EntryId> = pending.cloned().collect();
    for id in pending {
        let _ = ledger::step(state, &id, LedgerEvent::Cancel);
    }
}

/// A person sets a phase: down at will; up one step, under the stop epoch that was shown, when earned or by fiat under the demonstration CA.
pub(crate) fn set(state: &mut State, who: &Principal, agent: AgentKind, to: Phase, shown: u64, why: &str) -> Reply {
    let now = state.now();
    let known = state.phases.state_of(agent);
    let because = format!("{who}: {why}");
    if to <= known.phase {
        demote(state, agent, to, &because);
        return Reply::Done;
    }
    if let Err(violation) = stop::check_consent(state, shown) {
        return Reply::Refused { violations: vec![violation] };
    }
    if state.stop.set {
        return Reply::refused(LimitRule::Stopped, format!("STOP is set by {}: release it first", state.stop.by));
    }
    let proven = state.phases.proven(agent, now, state.settings.episode_ms);
    let mut missing = gate(&proven, &state.settings.gate).missing;
    if to == Phase::Autonomous && known.phase == Phase::Observe {
        missing.push("one step at a time: Assist first".to_owned());
    }
    let earned = missing.is_empty();
    if !earned && !state.settings.demonstration {
        return Reply::refused(LimitRule::NotAllowed, format!("{agent} has not earned {to}: {}", missing.join("; ")));
    }
    let known = state.phases.by_agent.entry(agent).or_default();
    known.phase = to;
    known.since = now;
    known.because = because;
    known.by_fiat = !earned;
    Reply::Done
}

/// One adjudicated episode.
pub(crate) struct Judged<'a> {
    pub agent: AgentKind,
    pub episode: &'a str,
    pub cause: &'a str,
    pub diagnosed: bool,
    pub stated: Option<f64>,
    pub correct: bool,
}

pub(crate) enum Counted {
    Yes,
    Already,
    Full,
}

/// Counts an episode once within a day.
pub(crate) fn count(state: &mut State, said: Judged<'_>) -> Counted {
    let Judged { agent, episode, cause, diagnosed, stated, correct } = said;
    let now = state.now();
    let key = format!("{agent}/{episode}");
    let episode_ms = state.settings.episode_ms;
    if state.phases.episodes.get(&key).is_some_and(|at| now.since_ms(*at) < episode_ms) {
        return Counted::Already;
    }
    if state.phases.episodes.len() >= state.settings.episodes_max {
        state.phases.forget(now, episode_ms);
        if state.phases.episodes.len() >= state.settings.episodes_max {
            return Counted::Full;
        }
    }
    state.phases.episodes.insert(key, now);
    let known = state.phases.by_agent.entry(agent).or_default();
    known.first_at.get_or_insert(now);
    known.last_at = Some(now);
    if diagnosed {
        known.episodes += 1;
        known.correct += u32::from(correct);
        known.groups.count(day(now, episode_ms), cause, correct);
        if let Some(stated) = stated {
            known.reliability.count(stated, correct);
        }
    } else {
        known.abstained += 1;
    }
    let reading = gate(known, &state.settings.gate);
    let (at, high) = (known.phase, reading.accuracy_high);
    if high < state.settings.gate.accuracy_threshold {
        demote(state, agent, at.lower(), &format!("accuracy is at most {high:.3}"));
    }
    Counted::Yes
}

/// A person's judgement. It carries the person's name and the coordinator's time, whatever was written into it.
pub(crate) fn adjudicate(state: &mut State, said: &Adjudication) -> Reply {
    // What people did has judged the incident already, and it counts once.
    if state.entries.values().any(|e| e.view.proposal.incident == said.incident && e.view.by_others.is_some()) {
        return Reply::Done;
    }
    let judged = Judged {
        agent: said.agent,
        episode: &said.episode,
        cause: said.cause(),
        diagnosed: said.diagnosed,
        stated: said.stated,
        correct: said.correct,
    };
    match count(state, judged) {
        Counted::Yes | Counted::Already => {
            sample::answered(state, &said.incident);
            Reply::Done
        }
        Counted::Full => {
            let (have, max) = (state.phases.episodes.len(), state.settings.episodes_max);
            bounds::refuse("episodes_max", have, max, "episodes of the last day are remembered (adjudicate again later)")
        }
    }
}

/// Picket's own recovery earns nothing; its own regression counts against it.
pub(crate) fn regression(state: &mut State, id: &EntryId) {
    let Some(agent) = state.entries.get(id).filter(|e| !e.is_undo()).map(|e| e.agent()) else { return };
    // When it cannot be remembered it is not counted: the person who is paged will adjudicate it.
    let episode = format!("regressed/{id}");
    let _ = count(state, Judged { agent, episode: &episode, cause: &episode, diagnosed: true, stated: None, correct: false });
}

/// Somebody saw an invariant broken: counted, and whose doing it was only observes from now on.
pub(crate) fn violation_reported(
    state: &mut State,
    who: &Principal,
    invariant: Invariant,
    agent: Option<AgentKind>,
    detail: &str,
) -> Reply {
    state.count_violation(invariant);
    *state.reported.entry(invariant).or_insert(0) += 1;
    // Not knowing whose doing it was is no reason to let anybody go on.
    let guilty: Vec<AgentKind> = agent.map_or_else(|| AgentKind::ALL.to_vec(), |a| vec![a]);
    for agent in guilty {
        let known = state.phases.by_agent.entry(agent).or_default();
        known.violations = known.violations.saturating_add(1);
        demote(state, agent, Phase::Observe, &format!("{} broken, says {who}: {detail}", invariant.as_str()));
    }
    Reply::Done
}

/// `apply` found a broken invariant of its own: something is wrong with the coordinator, so nobody acts by it.
pub(crate) fn own_violations(state: &mut State, before: u64) {
    if state.own_violations() <= before {
        return;
    }
    for agent in AgentKind::ALL {
        let known = state.phases.by_agent.entry(agent).or_default();
        known.violations = known.violations.saturating_add(1);
        demote(state, agent, Phase::Observe, "the coordinator found an invariant broken");
    }
}
