//! One incident on an agent's desk: what was tried, what comes next.

use picket_core::action::{Action, RemediationKind};
use picket_core::coordination::LedgerEntry;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::EntryId;
use picket_core::incident::{Incident, IncidentStatus};
use picket_core::ledger::EntryState;
use picket_core::outcome::Outcome;
use picket_core::severity::has_impact;
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

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
    tried: BTreeSet<RemediationKind>,
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
            tried: BTreeSet::new(),
        }
    }

    /// Anomalies are still seen.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.incident.status == IncidentStatus::Open
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
        self.stage = Stage::Waiting;
    }

    /// The ledger's news about this case's entry.
    pub(super) fn take_state(&mut self, entry: &LedgerEntry, now: Timestamp, attempts_max: u32) {
        use EntryState as S;
        self.decision = Some(match &entry.outcome {
            Some(outcome) => format!("{:?}: {}", entry.state, outcome.why()),
            None => format!("{:?}", entry.state),
        });
        match entry.state {
            S::Settled if matches!(entry.outcome, Some(Outcome::Recovered { .. })) => self.stage = Stage::Done,
            S::Settled | S::RolledBack => {
                self.tried.insert(entry.work.action().kind());
                self.retry(now, attempts_max);
            }
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
            Stage::Diagnose => now.since_ms(self.since) >= page_after_ms,
            Stage::Waiting => false,
        };
        stuck && self.is_open() && !self.paged
    }

    pub(super) fn page_text(&self) -> String {
        let sentence = self.diagnosis.as_ref().map_or("not diagnosed yet", |d| d.sentence.as_str());
        format!("{} {}: {sentence} ({})", self.incident.severity, self.incident.service, self.decision.as_deref().unwrap_or("no decision"))
    }
}
