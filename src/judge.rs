//! The independent judge of simulated runs: sets what was said of an incident against the ground truth, and consents to what is earned.

use picket_core::coordination::{Answer, Command};
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::{AgentKind, IncidentId, ServiceId};
use picket_core::incident::IncidentStatus;
use picket_core::incident_record::IncidentRecord;
use picket_core::outcome::Adjudication;
use picket_core::phase::{Phase, PhaseState};
use picket_core::ports::{Coordinator, PortResult};
use picket_core::time::Timestamp;
use picket_loadtest::report::GRACE_MS;
use picket_loadtest::truth::TruthRecord;
use std::collections::BTreeMap;
use std::fmt;

/// An incident is judged this long after it was opened, event time.
const JUDGE_AFTER_MS: i64 = 60_000;
/// Days of Assist after which the person consents to Autonomous, if it is earned: nobody hands over on the day of the first approval.
const ASSIST_DAYS_MIN: i64 = 7;

/// One opening of an incident. An incident that is open again after it was judged is judged again.
#[derive(Clone, Debug)]
struct Opening {
    number: u32,
    agent: AgentKind,
    service: ServiceId,
    at: Timestamp,
    /// The first cause that was named, which is what would be acted on; before there is one, the latest abstention.
    said: Option<Diagnosis>,
    is_open: bool,
    is_judged: bool,
}

/// An agent's way through the phases.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Earned {
    /// Seed of the run.
    pub seed: u64,
    /// Whose.
    pub agent: AgentKind,
    /// The phase at the end.
    pub phase: Phase,
    /// Adjudicated episodes in which a cause was named.
    pub episodes: u32,
    /// Of those, right ones.
    pub correct: u32,
    /// Adjudicated incidents in which it abstained.
    pub abstained: u32,
    /// Anytime-valid lower bound of its accuracy.
    pub accuracy_low: f64,
    /// Share of adjudicated incidents with a named cause.
    pub coverage: f64,
    /// What the gate still asks for.
    pub missing: Vec<String>,
    /// Every change of phase.
    pub steps: Vec<Step>,
}

/// One change of phase.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Step {
    /// Seconds from the start of the run, event time.
    pub at_s: f64,
    /// To which phase.
    pub to: Phase,
    /// Why.
    pub because: String,
}

impl fmt::Display for Earned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agent, phase, correct, episodes, low) = (self.agent, self.phase, self.correct, self.episodes, self.accuracy_low);
        let coverage = self.coverage * 100.0;
        write!(f, "  {agent} is in {phase}: {correct} of {episodes} episodes right (at least {low:.3}), a cause named in {coverage:.0} %")?;
        for step in &self.steps {
            write!(f, "; {} after {:.0} s", step.to, step.at_s)?;
        }
        if !self.missing.is_empty() {
            write!(f, "; still missing: {}", self.missing.join(", "))?;
        }
        writeln!(f)
    }
}

/// Adjudicates in a person's name.
pub struct Judge<C> {
    person: C,
    /// Length of a day of the gate; `None`: adjudicates, and never promotes.
    day_ms: Option<i64>,
    openings: BTreeMap<IncidentId, Opening>,
    known: BTreeMap<AgentKind, Phase>,
    steps: BTreeMap<AgentKind, Vec<(Timestamp, Phase, String)>>,
}

impl<C> Judge<C> {
    /// `person`: the coordinator in whose name it speaks. `day_ms`: promotes on days of this length what is earned.
    pub const fn new(person: C, day_ms: Option<i64>) -> Self {
        Self { person, day_ms, openings: BTreeMap::new(), known: BTreeMap::new(), steps: BTreeMap::new() }
    }

    /// True when it promotes.
    pub const fn promotes(&self) -> bool {
        self.day_ms.is_some()
    }

    /// Takes the newest word on an incident.
    pub fn hear(&mut self, record: &IncidentRecord) {
        let incident = &record.incident;
        let is_open = incident.status == IncidentStatus::Open;
        let opening = self.openings.entry(incident.id.clone()).or_insert_with(|| Opening {
            number: 1,
            agent: incident.agent,
            service: incident.service.clone(),
            at: incident.opened_at,
            said: None,
            is_open,
            is_judged: false,
        });
        if is_open && !opening.is_open && opening.is_judged {
            (opening.number, opening.at, opening.said, opening.is_judged) = (opening.number + 1, incident.updated_at, None, false);
        }
        opening.is_open = is_open;
        let Some(diagnosis) = record.diagnosis.as_ref().filter(|d| d.at >= opening.at) else { return };
        let has_named = opening.said.as_ref().is_some_and(|said| matches!(said.verdict, Verdict::Cause { .. }));
        if !has_named {
            opening.service.clone_from(&incident.service);
            opening.said = Some(diagnosis.clone());
        }
    }

    /// True when an incident is to be judged.
    pub fn has_due(&self, now: Timestamp) -> bool {
        self.openings.values().any(|opening| opening.is_due(now))
    }
}

impl<C: Coordinator> Judge<C> {
    /// Judges what is due, and consents to what is earned.
    ///
    /// # Errors
    /// When the coordinator is away; what was not judged is judged at the next call.
    pub async fn sit(&mut self, truths: &[TruthRecord], now: Timestamp) -> PortResult<()> {
        for (id, opening) in self.openings.iter_mut().filter(|(_, opening)| opening.is_due(now)) {
            let adjudication = opening.judge(id, truths, now);
            let said = (adjudication.episode.clone(), adjudication.diagnosed, adjudication.correct);
            let request = format!("adjudicate-{id}-{}", opening.number);
            if let Answer::Refused { violations } = self.person.submit(request.into(), Command::Adjudicate { adjudication }).await? {
                tracing::warn!(%id, ?violations, "an adjudication was refused");
            }
            opening.is_judged = true;
            tracing::debug!(%id, agent = %opening.agent, ?said, "judged");
        }
        self.consent(now).await
    }

    async fn consent(&mut self, now: Timestamp) -> PortResult<()> {
        let Some(day_ms) = self.day_ms else { return Ok(()) };
        let status = self.person.status().await?;
        let stop_epoch = status.stop.epoch;
        for (agent, view) in status.phases {
            let state = &view.state;
            self.note(agent, state);
            if let Some(phase) = next(state, now, day_ms).filter(|_| view.gate.missing.is_empty()) {
                let why = format!("earned: {} of {} episodes right", state.correct, state.episodes);
                let id = format!("earned-{agent}-{phase}-{}-{stop_epoch}", state.episodes);
                self.person.submit(id.into(), Command::SetPhase { agent, phase, stop_epoch, why }).await?;
            }
        }
        Ok(())
    }

    fn note(&mut self, agent: AgentKind, state: &PhaseState) {
        if self.known.insert(agent, state.phase).unwrap_or_default() != state.phase {
            self.steps.entry(agent).or_default().push((state.since, state.phase, state.because.clone()));
        }
    }

    /// What each agent has earned.
    ///
    /// # Errors
    /// When the coordinator is away.
    pub async fn earned(&mut self, seed: u64, start: Timestamp) -> PortResult<Vec<Earned>> {
        let phases = self.person.status().await?.phases;
        phases.iter().for_each(|(agent, view)| self.note(*agent, &view.state));
        let steps = |agent: AgentKind| -> Vec<Step> {
            let known = self.steps.get(&agent).into_iter().flatten();
            known.map(|(at, to, why)| Step { at_s: at.since_ms(start) as f64 / 1000.0, to: *to, because: why.clone() }).collect()
        };
        let of = |(agent, view): (AgentKind, picket_core::coordination::PhaseView)| Earned {
            seed,
            agent,
            phase: view.state.phase,
            episodes: view.state.episodes,
            correct: view.state.correct,
            abstained: view.state.abstained,
            accuracy_low: view.gate.accuracy_low,
            coverage: view.gate.coverage,
            missing: view.gate.missing,
            steps: steps(agent),
        };
        Ok(phases.into_iter().map(of).collect())
    }
}

/// The phase that is next, when it is time to think of it.
fn next(state: &PhaseState, now: Timestamp, day_ms: i64) -> Option<Phase> {
    match state.phase {
        Phase::Observe => Some(Phase::Assist),
        Phase::Assist => (now.since_ms(state.since) >= ASSIST_DAYS_MIN * day_ms).then_some(Phase::Autonomous),
        Phase::Autonomous => None,
    }
}

impl Opening {
    fn is_due(&self, now: Timestamp) -> bool {
        !self.is_judged && now.since_ms(self.at) >= JUDGE_AFTER_MS
    }

    /// An incident of which nothing was said in time counts as one in which picket abstained.
    fn judge(&self, incident: &IncidentId, truths: &[TruthRecord], now: Timestamp) -> Adjudication {
        let named = self.said.as_ref().and_then(|said| match &said.verdict {
            Verdict::Cause { cause, service, .. } => Some((said.at, *cause, service, &said.verdict)),
            Verdict::Abstained { .. } => None,
        });
        let episode = match named {
            Some((_, cause, service, _)) => format!("{service}|{cause}"),
            None => format!("{}|abstained", self.service),
        };
        Adjudication {
            incident: incident.clone(),
            agent: self.agent,
            episode,
            correct: named.is_some_and(|(at, .., verdict)| truths.iter().any(|truth| is_right(truth, at, verdict))),
            diagnosed: named.is_some(),
            stated: self.said.as_ref().and_then(Diagnosis::stated),
            by: String::new(),
            at: now,
        }
    }
}

/// Right cause, right service, at a time when it was so (telemetry lags), and what would be done about it clears it.
fn is_right(truth: &TruthRecord, at: Timestamp, verdict: &Verdict) -> bool {
    let Verdict::Cause { cause, service, action } = verdict else { return false };
    at >= truth.onset
        && truth.end.is_none_or(|end| at <= end.plus_ms(GRACE_MS))
        && truth.right_services.contains(service)
        && (truth.cause == Some(*cause) || truth.also_right.contains(cause))
        && action.as_ref().is_none_or(|action| truth.remedies.contains(&action.kind()))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
