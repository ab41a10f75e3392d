//! Earned autonomy: phases and the gate between them (PROTOCOL.md, "Earning a phase").

use crate::episodes::EpisodeGroups;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much an agent may do by itself.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing: its proposals are recorded and scored.
    #[default]
    Observe,
    /// What a person approved.
    Assist,
    /// Severity 3-4 without approval.
    Autonomous,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Assist => "assist",
            Self::Autonomous => "autonomous",
        }
    }

    /// One step down.
    #[must_use]
    pub const fn lower(self) -> Self {
        match self {
            Self::Observe | Self::Assist => Self::Observe,
            Self::Autonomous => Self::Assist,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the gate knows of one agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseState {
    /// The phase it is in.
    pub phase: Phase,
    /// Since when (coordinator time).
    pub since: Timestamp,
    /// Who or what put it there.
    pub because: String,
    /// True when it was granted under the demonstration CA, not earned.
    pub by_fiat: bool,
    /// Adjudicated episodes in which picket named a cause.
    pub episodes: u32,
    /// Of those, right ones.
    pub correct: u32,
    /// The same by day and cause: what bounds of the accuracy are made of.
    #[serde(default)]
    pub groups: EpisodeGroups,
    /// Adjudicated incidents in which it abstained.
    pub abstained: u32,
    /// First adjudication of this evidence run.
    pub first_at: Option<Timestamp>,
    /// Last adjudication.
    pub last_at: Option<Timestamp>,
    /// Violations since the evidence started.
    pub violations: u32,
    /// What became of the probabilities that it gave causes.
    #[serde(default)]
    pub reliability: crate::calibration::Reliability,
}

/// A diagnosis that a person must judge; after this time it counts as wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgementDue {
    /// Of which incident.
    pub incident: crate::ids::IncidentId,
    /// Coordinator time.
    pub by: Timestamp,
}

/// What the gate asks for. From the configuration's `orchestration.phased_rollout`.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRule {
    /// The lower bound of accuracy must reach this, 0..1.
    pub accuracy_threshold: f64,
    /// More violations than this and nothing is earned.
    pub violation_limit: u32,
    /// At least so many episodes.
    pub episodes_min: u32,
    /// Over at least so many days.
    pub days_min: f64,
    /// Share of incidents with a diagnosis must reach this, 0..1: silence earns nothing.
    pub coverage_min: f64,
}

impl Default for GateRule {
    fn default() -> Self {
        Self { accuracy_threshold: 0.92, violation_limit: 0, episodes_min: 100, days_min: 7.0, coverage_min: 0.5 }
    }
}

/// What the gate says, with what is still missing in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateReading {
    /// Share of right episodes; `None` without episodes.
    pub accuracy: Option<f64>,
    /// Lower bound of it at 95 %, valid however often one looks ([`EpisodeGroups::at_least`]).
    pub accuracy_low: f64,
    /// Its upper bound, of every episode by itself: what demotes.
    pub accuracy_high: f64,
    /// Share of adjudicated incidents that had a diagnosis.
    pub coverage: f64,
    /// What is still missing; empty means that the next phase is earned.
    pub missing: Vec<String>,
}

/// How often the gate may be mistaken about an agent, over all times at which anybody looks, in either direction.
pub const MISTAKE: f64 = 0.05;

/// Reads the gate.
#[must_use]
pub fn gate(state: &PhaseState, rule: &GateRule) -> GateReading {
    let low = state.groups.at_least(MISTAKE);
    // Taken one by one and at once: a demotion too many costs time, one too late does harm.
    let high = EpisodeGroups::of_one(state.correct, state.episodes.saturating_sub(state.correct)).at_most(MISTAKE);
    let seen = state.episodes + state.abstained;
    let coverage = if seen == 0 { 0.0 } else { f64::from(state.episodes) / f64::from(seen) };
    let days = match (state.first_at, state.last_at) {
        (Some(first), Some(last)) => last.since_ms(first) as f64 / 86_400_000.0,
        _ => 0.0,
    };
    let mut missing = Vec::new();
    if state.episodes < rule.episodes_min {
        missing.push(format!("{} more adjudicated episodes", rule.episodes_min - state.episodes));
    }
    if days < rule.days_min {
        missing.push(format!("{:.1} more days", rule.days_min - days));
    }
    if !state.groups.refute_at_most(rule.accuracy_threshold, MISTAKE) {
        missing.push(format!("accuracy is only sure to be above {low:.3}, {:.2} is asked for", rule.accuracy_threshold));
    }
    if coverage < rule.coverage_min {
        missing.push(format!("a diagnosis in {:.0} % of incidents, {:.0} % is asked for", coverage * 100.0, rule.coverage_min * 100.0));
    }
    if state.violations > rule.violation_limit {
        missing.push(format!("{} violations, {} are allowed", state.violations, rule.violation_limit));
    }
    let accuracy = (state.episodes > 0).then(|| f64::from(state.correct) / f64::from(state.episodes));
    GateReading { accuracy, accuracy_low: low, accuracy_high: high, coverage, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_earns_nothing() {
        let state = PhaseState {
            episodes: 200,
            correct: 200,
            groups: EpisodeGroups::of_one(200, 0),
            abstained: 400,
            first_at: Some(Timestamp(0)),
            last_at: Some(Timestamp(8 * 86_400_000)),
            ..PhaseState::default()
        };
        let reading = gate(&state, &GateRule::default());
        assert_eq!(reading.missing.len(), 1);
        assert!(reading.missing[0].contains("diagnosis in 33 %"));
        assert!(gate(&PhaseState { abstained: 0, ..state }, &GateRule::default()).missing.is_empty());
    }
}
