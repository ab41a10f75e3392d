//! Reads a model's answer. Whatever is not exactly what was asked for is not used.

use super::prompt::{NO_ACTION, UNKNOWN, passage_id, service_id};
use super::question::Question;
use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::ids::ServiceId;
use picket_core::opinion::Unusable;
use std::collections::BTreeSet;

/// No answer that was asked for comes near this.
const ANSWER_MAX_BYTES: usize = 16 * 1024;

/// A model's answer in picket's own terms, not yet believed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// The cause; `None` when it knows none.
    pub cause: Option<Cause>,
    /// Where.
    pub service: ServiceId,
    /// Probability that it gives its answer, 0..=1. Nobody has calibrated it: it is shown and counts for nothing.
    pub probability: f64,
    /// Ids as they were put to it.
    pub citations: Vec<String>,
    /// Passages among them, by place.
    pub passages: BTreeSet<usize>,
    /// The kind of remedy that it names.
    pub action: Option<RemediationKind>,
}

/// Reads the text of an answer to `question`.
pub(super) fn read(text: &str, question: &Question) -> Result<Answer, Unusable> {
    if text.len() > ANSWER_MAX_BYTES {
        return Err(Unusable::TooLong);
    }
    let wrong = |why: &str| Unusable::Malformed { why: why.to_owned() };
    let value: serde_json::Value = serde_json::from_str(text.trim()).map_err(|_| wrong("it is not JSON"))?;
    let object = value.as_object().ok_or_else(|| wrong("it is no object"))?;
    if object.keys().any(|key| !["cause", "service", "probability", "citations", "action"].contains(&key.as_str())) {
        return Err(wrong("it has fields that were not asked for"));
    }
    let text = |key: &str| object.get(key).and_then(|v| v.as_str()).ok_or_else(|| wrong(&format!("its `{key}` is no text")));
    let probability =
        object.get("probability").and_then(serde_json::Value::as_f64).ok_or_else(|| wrong("its `probability` is no number"))?;
    if !probability.is_finite() || !(0.0..=1.0).contains(&probability) {
        return Err(wrong("its `probability` is not between 0 and 1"));
    }
    let cited = object.get("citations").and_then(|v| v.as_array()).ok_or_else(|| wrong("its `citations` are no list"))?;
    let citations: Vec<String> = cited.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    if citations.len() != cited.len() {
        return Err(wrong("a citation is no text"));
    }
    let cause = named(text("cause")?, UNKNOWN, &Cause::ALL, Cause::as_str, "cause")?;
    let offered: Vec<_> = question.actions.iter().copied().collect();
    let action = named(text("action")?, NO_ACTION, &offered, RemediationKind::as_str, "action")?;
    let said = text("service")?;
    let place = (0..question.services.len()).find(|i| service_id(*i) == said).ok_or_else(|| off("service"))?;
    let evidence: BTreeSet<_> = question.evidence.iter().map(|e| e.id.as_str()).collect();
    let passages: BTreeSet<_> = (0..question.passages.len()).filter(|i| citations.contains(&passage_id(*i))).collect();
    let passage_ids: BTreeSet<_> = passages.iter().map(|i| passage_id(*i)).collect();
    let exists = |id: &String| evidence.contains(id.as_str()) || passage_ids.contains(id);
    if !citations.iter().all(exists) || (cause.is_some() && !citations.iter().any(|id| evidence.contains(id.as_str()))) {
        return Err(Unusable::Uncited);
    }
    Ok(Answer { cause, service: question.services[place].clone(), probability, citations, passages, action })
}

fn off(what: &str) -> Unusable {
    // What it said instead is not repeated: it may be somebody else's words, and this reaches people and records.
    Unusable::OffCatalogue { why: format!("its {what} is none that was offered") }
}

fn named<T: Copy>(text: &str, nothing: &str, all: &[T], name: fn(T) -> &'static str, what: &str) -> Result<Option<T>, Unusable> {
    match all.iter().copied().find(|one| name(*one) == text) {
        None if text == nothing => Ok(None),
        None => Err(off(what)),
        found => Ok(found),
    }
}
