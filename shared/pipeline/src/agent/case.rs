//! One incident on an agent's desk: what was tried, what comes next.

use picket_core::action::{Action, RemediationKind};
use picket_core::anomaly::Symptom;
use picket_core::coordination::LedgerEntry;
use picket_core::diagnosis::{Abstention, Diagnosis, Verdict};
use picket_core::ids::EntryId;
use picket_core::incident::{Incident, IncidentStatus};
use picket_core::ledger::EntryState;
use picket_core::outcome::Outcome;
use picket_core::severity::has_impact;
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

/// Trouble this long after a recovery is no echo of before.
const RELAPSE_MS: i64 = 10_000;

/// What is being waited for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The next diagnosis.
    Diagnose,
    /// The ledger.
    Waiting,
    /// Nothing: picket has done what it can.
    Done,
}

/// What a diagnosis leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    Propose(Action),
    Abstain(String),
    Exhausted(String),
}

/// One incident and everything said and done about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// As correlation last saw it.
    pub incident: Incident,
    /// The latest diagnosis.
    pub diagnosis: Option<Diagnosis>,
    /// What was decided, in words.
    pub decision: Option<String>,
    /// The latest ledger entry.
    pub entry: Option<EntryId>,
    /// Proposals made.
    pub attempts: u32,
    /// A person was paged.
    pub paged: bool,
    pub(super) next_at: Timestamp,
    since: Timestamp,
    stage: Stage,
    /// What would help must not be done again yet: somebody else should not be kept waiting.
    barred: bool,
    tried: BTreeSet<RemediationKind>,
    /// When an act of it was graded as a recovery, and which.
    recovered: Option<(Timestamp, RemediationKind)>,
    /// Proposals sent, with those that were denied for the moment: makes their ids differ.
    pub(super) proposals: u32,
}

impl Case {
    pub(super) fn new(incident: Incident, first_at: Timestamp, now: Timestamp) -> Self {
        Self {
            incident,
            diagnosis: None,
            decision: None,
            entry: None,
            attempts: 0,
            paged: false,
            next_at: first_at,
            since: now,
            stage: Stage::Diagnose,
            barred: false,
            tried: BTreeSet::new(),
            recovered: None,
            proposals: 0,
        }
    }

    /// The trouble is back after it was gone: work begins anew, with what was tried in mind.
    pub(super) fn reopen(&mut self, next_at: Timestamp, now: Timestamp) {
        if self.stage == Stage::Done {
            (self.stage, self.next_at, self.since, self.paged) = (Stage::Diagnose, next_at, now, false);
        }
    }

    /// Anomalies are still seen.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.incident.status == IncidentStatus::Open
    }

    /// The recovery did not last: the same trouble is seen well after it. What seemed to help counts as tried.
    pub(super) fn relapse(&mut self, now: Timestamp) {
        let Some((at, kind)) = self.recovered else { return };
        let back =
            self.incident.anomalies.iter().any(|a| !matches!(a.symptom, Symptom::TrafficHigh) && a.last_seen.since_ms(at) >= RELAPSE_MS);
        if self.stage == Stage::Done && back {
            self.tried.insert(kind);
            (self.recovered, self.stage, self.next_at, self.since) = (None, Stage::Diagnose, now, now);
        }
    }

    /// An act of it is on its way or being watched.
    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.is_open() && self.stage == Stage::Diagnose && now >= self.next_at
    }

    /// Services that show an impact, at least one.
    pub(super) fn services_degraded(&self) -> u32 {
        let hit: BTreeSet<_> = self.incident.anomalies.iter().filter(|a| has_impact(a.symptom)).map(|a| &a.service).collect();
        u32::try_from(hit.len().max(1)).unwrap_or(u32::MAX)
    }

    pub(super) fn next_step(&self, diagnosis: &Diagnosis) -> Progress {
        match &diagnosis.verdict {
            Verdict::Abstained { why } => Progress::Abstain(format!("{why:?}")),
            Verdict::Cause { action: None, cause, .. } => Progress::Abstain(format!("{cause} has no remedy that can be sized here")),
            Verdict::Cause { cause, .. } if cause.agent() != self.incident.agent => {
                Progress::Abstain(format!("{cause} is the {} agent's business", cause.agent()))
            }
            Verdict::Cause { action: Some(action), .. } if self.tried.contains(&action.kind()) => {
                Progress::Exhausted(format!("{} was tried and did not help", action.kind()))
            }
            Verdict::Cause { action: Some(action), .. } => Progress::Propose(action.clone()),
        }
    }

    pub(super) const fn give_up(&mut self) {
        self.stage = Stage::Done;
    }

    pub(super) const fn wait(&mut self) {
        (self.stage, self.barred) = (Stage::Waiting, false);
    }

    pub(super) const fn bar(&mut self) {
        self.barred = true;
    }

    /// The ledger's news about this case's entry.
    pub(super) fn take_state(&mut self, entry: &LedgerEntry, now: Timestamp, attempts_max: u32) {
        use EntryState as S;
        self.decision = Some(match &entry.outcome {
            Some(outcome) => format!("{:?}: {}", entry.state, outcome.why()),
            None => format!("{:?}", entry.state),
        });
        match entry.state {
            S::Settled if matches!(entry.outcome, Some(Outcome::Recovered { .. })) => {
                self.stage = Stage::Done;
                self.recovered = Some((now, entry.work.action().kind()));
            }
            S::Settled | S::RolledBack => {
                self.tried.insert(entry.work.action().kind());
                self.retry(now, attempts_max);
            }
            // The answer to a proposal said so already; only one that had been queued or was shown to a person hears it here.
            S::Denied if self.stage != Stage::Waiting => {}
            S::Failed | S::Expired | S::Denied => self.retry(now, attempts_max),
            S::Cancelled | S::Inconclusive | S::Indeterminate | S::UndoFailed | S::Shadowed => self.stage = Stage::Done,
            S::Queued | S::AwaitingApproval | S::Approved | S::Permitted | S::Claimed | S::Observing | S::Undoing => {
                self.stage = Stage::Waiting
            }
        }
    }

    fn retry(&mut self, now: Timestamp, attempts_max: u32) {
        self.stage = if self.attempts < attempts_max { Stage::Diagnose } else { Stage::Done };
        self.next_at = now;
    }

    pub(super) fn needs_person(&self, now: Timestamp, page_after_ms: i64) -> bool {
        let stuck = match self.stage {
            Stage::Done => !self.decision.as_deref().is_some_and(|d| d.starts_with("Settled")),
            Stage::Diagnose if self.barred => true,
            // Waiting for what heals by itself, or for a model, is work, too; but not for ever.
            Stage::Diagnose if self.waits_on_purpose() => now.since_ms(self.since) >= 2 * page_after_ms,
            Stage::Diagnose => now.since_ms(self.since) >= page_after_ms,
            Stage::Waiting => false,
        };
        stuck && self.is_open() && !self.paged && !self.is_hint()
    }

    /// Nothing is known to be wrong: worth a look by day, and nobody's sleep.
    fn is_hint(&self) -> bool {
        self.incident.anomalies.iter().all(|a| a.symptom == Symptom::MetricUnusual) && !self.incident.anomalies.is_empty()
    }

    fn waits_on_purpose(&self) -> bool {
        let verdict = self.diagnosis.as_ref().map(|d| &d.verdict);
        matches!(verdict, Some(Verdict::Abstained { why: Abstention::SelfHealing { .. } | Abstention::AwaitingOpinion }))
    }

    pub(super) fn page_text(&self) -> String {
        let sentence = self.diagnosis.as_ref().map_or("not diagnosed yet", |d| d.sentence.as_str());
        format!("{} {}: {sentence} ({})", self.incident.severity, self.incident.service, self.decision.as_deref().unwrap_or("no decision"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::ids::{AgentKind, ServiceId};
    use picket_core::severity::Severity;

    fn case() -> Case {
        let incident = Incident {
            id: "i".into(),
            agent: AgentKind::Sre,
            fingerprint: "f".into(),
            service: ServiceId::new("east", "shop", "cart"),
            services: Vec::new(),
            severity: Severity::Three,
            opened_at: Timestamp(0),
            onset: Timestamp(0),
            updated_at: Timestamp(0),
            status: IncidentStatus::Open,
            anomalies: Vec::new(),
            subgraph: Vec::new(),
        };
        Case::new(incident, Timestamp(5_000), Timestamp(0))
    }

    fn abstained(why: Abstention) -> Diagnosis {
        Diagnosis {
            incident: "i".into(),
            at: Timestamp(0),
            verdict: Verdict::Abstained { why },
            confidence: 0.0,
            sentence: String::new(),
            evidence: Vec::new(),
            ranking: Vec::new(),
            documents: Vec::new(),
            reasoner: String::new(),
            latency_ms: 0.0,
            cost_usd: 0.0,
            opinions: Vec::new(),
        }
    }

    #[test]
    fn trouble_that_is_back_is_worked_on_again() {
        let mut case = case();
        case.give_up();
        assert!(!case.is_due(Timestamp(60_000)));
        case.reopen(Timestamp(65_000), Timestamp(60_000));
        assert!(!case.is_due(Timestamp(60_000)) && case.is_due(Timestamp(65_000)));
        case.wait();
        case.reopen(Timestamp(80_000), Timestamp(75_000));
        assert!(case.is_in_flight(), "an act under way is waited for");
    }

    #[test]
    fn a_recovery_that_does_not_last_is_no_end() {
        let anomaly = |last_seen_s: i64| picket_core::anomaly::Anomaly {
            service: ServiceId::new("east", "shop", "cart"),
            pod: None,
            symptom: Symptom::MemoryHigh,
            detector: picket_core::anomaly::DetectorKind::Forecast,
            series: String::new(),
            score: 5.0,
            direction: picket_core::anomaly::Direction::Up,
            value: 0.9,
            expected: 0.7,
            onset: Timestamp(0),
            last_seen: Timestamp(last_seen_s * 1000),
            peer: None,
            object: None,
        };
        let mut case = case();
        case.give_up();
        case.recovered = Some((Timestamp(100_000), RemediationKind::RolloutRestart));
        case.incident.anomalies = vec![anomaly(95)];
        case.relapse(Timestamp(105_000));
        assert!(!case.is_due(Timestamp(105_000)), "an echo of before");
        case.incident.anomalies = vec![anomaly(120)];
        case.relapse(Timestamp(120_000));
        assert!(case.is_due(Timestamp(120_000)));
        assert!(case.tried.contains(&RemediationKind::RolloutRestart), "what seemed to help did not");
    }

    #[test]
    fn a_person_is_asked_at_once_when_the_remedy_is_barred() {
        let mut case = case();
        case.bar();
        assert!(case.needs_person(Timestamp(1_000), 30_000));
        case.wait();
        assert!(!case.needs_person(Timestamp(40_000), 30_000), "it was allowed after all");
    }

    #[test]
    fn nobody_is_woken_soon_for_what_is_expected_to_heal_by_itself() {
        let mut case = case();
        case.diagnosis = Some(abstained(Abstention::UnknownCause));
        assert!(case.needs_person(Timestamp(30_000), 30_000));
        case.diagnosis = Some(abstained(Abstention::SelfHealing { why: "it ebbs".into() }));
        assert!(!case.needs_person(Timestamp(30_000), 30_000));
        assert!(case.needs_person(Timestamp(60_000), 30_000));
    }
}
