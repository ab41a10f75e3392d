//! The structural validator: whoever reasoned, a hypothesis stands only if graph, time, key evidence and runbooks allow it (I12).

use crate::reason::Weighed;
use crate::signs::{Observer, callees_of, callers_of, standing};
use crate::weights::profile;
use picket_core::action::Action;
use picket_core::cause::Cause;
use picket_core::diagnosis::Hypothesis;
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::{DocumentId, ServiceId};
use picket_core::incident::Incident;
use picket_core::knowledge::Passage;
use picket_core::ports::DiagnosisContext;
use std::collections::BTreeSet;

/// A cause may be seen this much later than its effect: the effect may be measured by a quicker detector.
const LATER_MS: i64 = 60_000;

/// Why a hypothesis is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It names no cause.
    NoCause,
    /// It cites nothing that speaks for it, or something that does not exist: discarded.
    Uncited,
    /// The structure speaks against it.
    Contradicted(String),
    /// The evidence for another cause, which cannot be true beside it, is not absent.
    Rivalled(Cause),
}

/// Share of the odds from which the evidence for a rival is there.
const RIVAL_PRESENT: f64 = 0.25;

/// Checks that the evidence for rivals is absent: one that holds a quarter of the odds is not, however likely the first is.
///
/// At the usual thresholds a cause that is sure enough leaves no rival so much; where they were set lower, this still holds.
pub fn unrivalled(weighed: &Weighed) -> Result<(), Rejection> {
    match weighed.rival {
        Some((rival, share)) if share >= RIVAL_PRESENT => Err(Rejection::Rivalled(rival)),
        _ => Ok(()),
    }
}

/// Checks a hypothesis and its action; gives the documents that support them.
pub fn validate(
    hypothesis: &Hypothesis,
    action: Option<&Action>,
    evidence: &[Evidence],
    passages: &[Passage],
    incident: &Incident,
    context: &DiagnosisContext,
) -> Result<Vec<DocumentId>, Rejection> {
    let cause = hypothesis.cause.ok_or(Rejection::NoCause)?;
    cited(hypothesis, evidence)?;
    let contradicted = |why: String| Err(Rejection::Contradicted(why));
    let service = &hypothesis.service;
    if !hypothesis.probability.is_finite() || !(0.0..=1.0).contains(&hypothesis.probability) {
        return contradicted(format!("its probability {} is not a number between 0 and 1", hypothesis.probability));
    }
    if !belongs(service, incident) {
        return contradicted(format!("{service} is not part of the incident"));
    }
    key_evidence(cause, service, incident, context)?;
    if !profile(cause).standalone {
        upstream(cause, service, incident, context)?;
        in_time(service, incident, context)?;
    }
    if let Some(action) = action {
        if !belongs(&action.service, incident) {
            return contradicted(format!("the action is on {}, outside the incident's blast radius", action.service));
        }
        if &action.service != service {
            return contradicted(format!("the action is on {}, the cause on {service}", action.service));
        }
        if !cause.remedies().contains(&action.kind()) {
            return contradicted(format!("{} is no remedy for {cause}", action.kind()));
        }
    }
    supported(cause, action, passages)
}

fn cited(hypothesis: &Hypothesis, evidence: &[Evidence]) -> Result<(), Rejection> {
    let find = |id: &String| evidence.iter().find(|e| &e.id == id);
    let all_exist = hypothesis.citations.iter().all(|id| find(id).is_some());
    // A place on the graph or a passage of a runbook is no observation.
    let observed =
        |e: &Evidence| e.weight > 0.0 && matches!(e.source, EvidenceSource::Anomaly | EvidenceSource::Change | EvidenceSource::Facts);
    if !all_exist || !hypothesis.citations.iter().filter_map(find).any(observed) {
        return Err(Rejection::Uncited);
    }
    Ok(())
}

fn belongs(service: &ServiceId, incident: &Incident) -> bool {
    incident.services.contains(service)
        || incident.anomalies.iter().any(|a| &a.service == service || a.peer.as_ref() == Some(service))
        || incident.subgraph.iter().any(|(caller, callee)| caller == service || callee == service)
}

fn key_evidence(cause: Cause, service: &ServiceId, incident: &Incident, context: &DiagnosisContext) -> Result<(), Rejection> {
    let observer = Observer::new(service, incident, context);
    for group in profile(cause).key {
        let seen: Vec<_> = group.iter().map(|sign| observer.observe(*sign)).collect();
        if !seen.iter().any(|s| s.present == Some(true)) {
            let missing: Vec<_> = seen.into_iter().map(|s| s.text).collect();
            return Err(Rejection::Contradicted(format!("{cause} needs evidence that is missing: {}", missing.join("; "))));
        }
    }
    Ok(())
}

/// Blame goes from callers to callees: somebody harmed must be the service itself or call it.
fn upstream(cause: Cause, service: &ServiceId, incident: &Incident, context: &DiagnosisContext) -> Result<(), Rejection> {
    let callers = callers_of(service, incident, context);
    // Load goes the other way: a surge harms what is called.
    let callees = if cause == Cause::LoadSurge { callees_of(service, incident, context) } else { BTreeSet::new() };
    let reached = |s: &ServiceId| s == service || callers.contains(s) || callees.contains(s);
    if incident.anomalies.iter().any(|a| !standing(a.symptom) && reached(&a.service)) {
        return Ok(());
    }
    Err(Rejection::Contradicted(format!("no service that shows a symptom calls {service}, directly or not")))
}

fn in_time(service: &ServiceId, incident: &Incident, context: &DiagnosisContext) -> Result<(), Rejection> {
    let Some(began) =
        incident.anomalies.iter().filter(|a| &a.service == service || a.peer.as_ref() == Some(service)).map(|a| a.onset).min()
    else {
        return Ok(());
    };
    let callers = callers_of(service, incident, context);
    // The last caller to be harmed decides: an earlier one may have had trouble of its own.
    let harmed = |caller: &ServiceId| {
        incident.anomalies.iter().filter(|a| &a.service == caller && picket_core::severity::has_impact(a.symptom)).map(|a| a.onset).min()
    };
    let Some((latest, caller)) = callers.iter().filter_map(|c| harmed(c).map(|onset| (onset, c))).max_by_key(|(onset, _)| *onset) else {
        return Ok(());
    };
    let late = began.since_ms(latest);
    if late > LATER_MS {
        return Err(Rejection::Contradicted(format!(
            "{service} went bad {} s after {caller}, which calls it: an effect does not come first",
            late / 1000
        )));
    }
    Ok(())
}

/// Whether a passage is about that cause and names the action as its remedy.
pub(crate) fn supports(passage: &Passage, cause: Cause, action: Option<&Action>) -> bool {
    passage.cause == Some(cause) && action.is_none_or(|a| passage.remedies.contains(&a.kind()))
}

fn supported(cause: Cause, action: Option<&Action>, passages: &[Passage]) -> Result<Vec<DocumentId>, Rejection> {
    let mut documents: Vec<DocumentId> = Vec::new();
    for passage in passages {
        if supports(passage, cause, action) && !documents.contains(&passage.document) {
            documents.push(passage.document.clone());
        }
    }
    match action {
        Some(action) if documents.is_empty() => {
            Err(Rejection::Contradicted(format!("no runbook that was found supports {} for {cause}", action.kind())))
        }
        _ => Ok(documents),
    }
}
