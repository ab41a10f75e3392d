//! An incident as the page shows it.

use crate::wire::{Anomaly, Candidate, Diagnosis, Entry, Evidence, Incident, State, Tone};
use crate::words;
use picket_core::diagnosis::Verdict;
use picket_core::incident::IncidentStatus;
use picket_core::incident_record::IncidentRecord;

/// Anomalies shown of one incident; the rest is a number.
const ANOMALIES_SHOWN: usize = 12;

/// Shows one incident, with the ledger entry that came of it when there is one.
#[must_use]
pub fn view(record: &IncidentRecord, entry: Option<&Entry>) -> Incident {
    let incident = &record.incident;
    let open = incident.status == IncidentStatus::Open;
    let symptoms: Vec<_> = incident.symptoms_of(&incident.service).into_iter().map(words::symptom).collect();
    Incident {
        id: incident.id.to_string(),
        agent: incident.agent.to_string(),
        service: incident.service.to_string(),
        services: incident.services.iter().map(ToString::to_string).collect(),
        severity: incident.severity.number(),
        open,
        state: state(record, entry, open),
        opened_at_ms: incident.opened_at.0,
        onset_ms: incident.onset.0,
        updated_at_ms: incident.updated_at.0,
        sentence: sentence(record, &symptoms),
        symptoms,
        anomalies: incident.anomalies.iter().take(ANOMALIES_SHOWN).map(anomaly).collect(),
        anomalies_more: incident.anomalies.len().saturating_sub(ANOMALIES_SHOWN),
        decision: decision(record, entry),
        entry: record.entry.as_ref().map(ToString::to_string),
        diagnosis: record.diagnosis.as_ref().map(diagnosis),
    }
}

fn state(record: &IncidentRecord, entry: Option<&Entry>, open: bool) -> State {
    let of = |id: &str, words: &str, tone| State { id: id.to_owned(), words: words.to_owned(), tone, over: !open };
    let abstained = record.diagnosis.as_ref().is_some_and(|d| matches!(d.verdict, Verdict::Abstained { .. }));
    match entry {
        // What a person must do outlives the symptoms.
        Some(entry) if matches!(entry.state.tone, Tone::Asks | Tone::Bad) && !entry.state.over => {
            State { over: false, ..entry.state.clone() }
        }
        Some(entry) if !open && entry.state.id == "settled" => of("recovered", "recovered", Tone::Good),
        Some(entry) if open => State { over: false, ..entry.state.clone() },
        Some(entry) if !entry.state.over => State { over: false, ..entry.state.clone() },
        _ if !open => of("resolved", "resolved", Tone::Good),
        _ if abstained => of("abstained", "abstained", Tone::Quiet),
        _ if record.diagnosis.is_some() => of("diagnosed", "diagnosed", Tone::Quiet),
        _ => of("detected", "being diagnosed", Tone::Quiet),
    }
}

fn sentence(record: &IncidentRecord, symptoms: &[String]) -> String {
    if let Some(diagnosis) = record.diagnosis.as_ref().filter(|d| !d.sentence.is_empty()) {
        return diagnosis.sentence.clone();
    }
    let what = if symptoms.is_empty() { "something unusual".to_owned() } else { symptoms.join(", ") };
    format!("{} shows {what}; the diagnosis is under way.", record.incident.service)
}

fn decision(record: &IncidentRecord, entry: Option<&Entry>) -> String {
    let Some(entry) = entry else {
        return record.decision.clone().unwrap_or_else(|| "No decision yet.".to_owned());
    };
    let mut text = format!("To {}: {}", entry.action, entry.state.words);
    if !entry.asked_because.is_empty() {
        text = format!("{text}; {}", entry.asked_because);
    } else if let Some(broken) = entry.rules.iter().find(|r| !r.holds) {
        text = format!("{text}, because {}", broken.reason);
    } else if !entry.outcome.is_empty() {
        text = format!("{text}; {}", entry.outcome);
    }
    format!("{text}.")
}

fn anomaly(of: &picket_core::anomaly::Anomaly) -> Anomaly {
    Anomaly {
        service: of.service.to_string(),
        symptom: words::symptom(of.symptom),
        series: of.series.clone(),
        value: finite(of.value),
        expected: finite(of.expected),
        score: finite(of.score),
        onset_ms: of.onset.0,
    }
}

fn diagnosis(of: &picket_core::diagnosis::Diagnosis) -> Diagnosis {
    let (cause, service, action, abstained) = match &of.verdict {
        Verdict::Cause { cause, service, action } => {
            (Some(words::cause(*cause)), service.to_string(), action.as_ref().map(picket_core::action::Action::sentence), None)
        }
        Verdict::Abstained { why } => (None, String::new(), None, Some(words::abstention(why))),
    };
    let mut evidence: Vec<_> = of
        .evidence
        .iter()
        .map(|e| Evidence {
            id: e.id.clone(),
            source: words::source(e.source),
            text: e.text.clone(),
            weight: finite(e.weight),
            at_ms: e.at.0,
        })
        .collect();
    // What weighs most, for or against, is read first.
    evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    Diagnosis {
        at_ms: of.at.0,
        cause,
        service,
        action,
        abstained,
        confidence: finite(of.confidence),
        evidence,
        ranking: of
            .ranking
            .iter()
            .map(|c| Candidate { cause: words::cause(c.cause), service: c.service.to_string(), probability: finite(c.probability) })
            .collect(),
        documents: of.documents.iter().map(ToString::to_string).collect(),
        reasoner: of.reasoner.clone(),
        latency_ms: finite(of.latency_ms),
        cost_usd: finite(of.cost_usd),
    }
}

/// JSON has no infinity: a page that cannot be read is worse than a zero.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
