//! What picket saw, said and did in a run beside the truth, line by line: for whoever wants to know why a score is what it is.

use picket_core::coordination::LedgerEntry;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::{IncidentId, ServiceId};
use picket_core::incident::{Incident, IncidentStatus};
use picket_core::incident_record::IncidentRecord;
use picket_core::time::Timestamp;
use picket_loadtest::truth::TruthRecord;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Everything that was said of the incidents of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By incident and the service that was named as its root: a root that moves is another claim.
    latest: BTreeMap<(IncidentId, ServiceId), Incident>,
    /// Incidents that were reopened, as they were before.
    before: Vec<Incident>,
    /// Every diagnosis whose verdict differs from the one before it on the same incident.
    diagnoses: Vec<Diagnosis>,
    lines: BTreeMap<IncidentId, Vec<(Timestamp, String)>>,
}

impl History {
    /// Takes the newest word on an incident.
    pub fn take(&mut self, record: IncidentRecord, now: Timestamp) {
        let id = record.incident.id.clone();
        let lines = self.lines.entry(id.clone()).or_default();
        let mut say = |line: String| {
            if lines.iter().rev().take(3).all(|(_, known)| *known != line) {
                lines.push((now, line));
            }
        };
        if let Some(diagnosis) = record.diagnosis {
            let last = self.diagnoses.iter().rev().find(|d| d.incident == id);
            if last.is_none_or(|d| d.at != diagnosis.at && different(&d.verdict, &diagnosis.verdict)) {
                let why = match &diagnosis.verdict {
                    Verdict::Cause { .. } => format!("{:.2} {}", diagnosis.confidence, diagnosis.sentence),
                    Verdict::Abstained { why } => {
                        let ranking: Vec<_> = diagnosis
                            .ranking
                            .iter()
                            .take(3)
                            .map(|c| format!("{} {} {:.2}", c.cause, c.service.name, c.probability))
                            .collect();
                        format!("{why:?} [{}]", ranking.join(", "))
                    }
                };
                say(why);
                self.diagnoses.push(diagnosis);
            }
        }
        if let Some(decision) = record.decision.filter(|d| !d.starts_with("abstained")) {
            say(format!("-> {decision}"));
        }
        let mut incident = record.incident;
        let first = self.latest.keys().all(|(known, _)| known != &id);
        let place = (id, incident.service.clone());
        incident.opened_at = match self.latest.get(&place) {
            // Open again after it was resolved: said anew, at this moment. The earlier word stands beside it.
            Some(known) if known.status == IncidentStatus::Resolved && incident.status == IncidentStatus::Open => {
                self.before.push(known.clone());
                now
            }
            Some(known) => known.opened_at,
            None if first => incident.opened_at,
            None => now,
        };
        self.latest.insert(place, incident);
    }

    /// The incidents as last seen, and every diagnosis in order.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Incident>, Vec<Diagnosis>) {
        (self.before.into_iter().chain(self.latest.into_values()).collect(), self.diagnoses)
    }

    /// All of it as text, seconds from `start`.
    #[must_use]
    pub fn text(&self, start: Timestamp, truths: &[TruthRecord], ledger: &[LedgerEntry]) -> String {
        let mut out = String::new();
        let s = |at: Timestamp| at.since_ms(start) / 1000;
        let maybe = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| s(at).to_string());
        let mut truths: Vec<_> = truths.iter().collect();
        truths.sort_by_key(|t| t.onset);
        for t in truths {
            let (kind, luck) = (t.kind.as_str(), t.luck);
            let (from, end, back, by) = (s(t.onset), maybe(t.end), maybe(t.sli_back), t.remedied_by);
            _ = writeln!(out, "TRUTH {from:>4}..{end} back {back} {kind} {} {luck:?} by {by:?}", t.service);
        }
        let mut incidents: Vec<_> = self.latest.values().collect();
        incidents.sort_by_key(|i| (i.opened_at, &i.id));
        for i in incidents {
            _ = writeln!(out, "INCIDENT {:>4}..{} {} {} {} {:?}", s(i.opened_at), s(i.updated_at), i.id, i.service, i.severity, i.status);
            for a in &i.anomalies {
                let peer = a.peer.as_ref().map(|p| format!(" of {}", p.name)).unwrap_or_default();
                let (service, symptom) = (&a.service.name, a.symptom);
                let (from, to, v, e) = (s(a.onset), s(a.last_seen), a.value, a.expected);
                _ = writeln!(out, "    {from}..{to} {service} {symptom:?}{peer} {v:.3} usual {e:.3} {:?}", a.detector);
            }
            for (at, line) in self.lines.get(&i.id).into_iter().flatten() {
                _ = writeln!(out, "  @{} {line}", s(*at));
            }
        }
        for e in ledger {
            let steps: Vec<_> = e.history.iter().map(|(at, state)| format!("{} {state:?}", s(*at))).collect();
            let why: Vec<_> = e.violations.iter().map(|v| v.reason.as_str()).collect();
            let outcome = e.outcome.as_ref().map(|o| format!(" {}: {}", o.as_str(), o.why())).unwrap_or_default();
            let (agent, cause, incident) = (e.proposal.agent, e.proposal.cause, &e.proposal.incident);
            let what = e.work.action().sentence();
            _ = writeln!(out, "LEDGER {agent} {cause} {incident} {what}: {}{outcome} {}", steps.join(", "), why.join("; "));
        }
        out
    }
}

/// Another cause, place or reason; figures inside a reason may differ.
fn different(a: &Verdict, b: &Verdict) -> bool {
    match (a, b) {
        (Verdict::Cause { cause: a, service: s, .. }, Verdict::Cause { cause: b, service: t, .. }) => (a, s) != (b, t),
        (Verdict::Abstained { why: a }, Verdict::Abstained { why: b }) => std::mem::discriminant(a) != std::mem::discriminant(b),
        _ => true,
    }
}
