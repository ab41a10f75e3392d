//! Judges a model's answer by the same structural checks as the built-in reasoner's, and by what the evidence itself weighs.

use super::answer::Answer;
use super::question::Question;
use crate::engine::object;
use crate::reason::Weighed;
use crate::size::remedy_for;
use crate::validate::{Rejection, validate};
use picket_core::cause::Cause;
use picket_core::diagnosis::Hypothesis;
use picket_core::evidence::Evidence;
use picket_core::ids::ServiceId;
use picket_core::incident::Incident;
use picket_core::opinion::Unusable;
use picket_core::ports::DiagnosisContext;

/// What a sound answer says; `None` when the model knows no cause.
///
/// Its citations must speak for its cause by the built-in reasoner's weights, not by its own word; the remedy it names must be the one that is
/// computed for that cause here; a remedy needs a cited passage that supports it.
pub(super) fn judge(
    model: &str,
    answer: &Answer,
    question: &Question,
    incident: &Incident,
    context: &DiagnosisContext,
) -> Result<Option<(Cause, ServiceId)>, Unusable> {
    let Some(cause) = answer.cause else { return Ok(None) };
    // Too improbable to be weighed at all: nothing that was observed speaks for it.
    let weighed = find(&question.weighed, cause, &answer.service).ok_or(Unusable::Uncited)?;
    let remedy = remedy_for(cause, &answer.service, object(incident, weighed), context);
    let action = match answer.action {
        None => None,
        Some(kind) if remedy.as_ref().is_some_and(|r| r.kind() == kind) => remedy,
        Some(kind) => return Err(Unusable::OffCatalogue { why: format!("{kind} is not the remedy for {cause} here") }),
    };
    let evidence: Vec<Evidence> = question.evidence.iter().map(|e| Evidence { weight: weight(weighed, &e.text), ..e.clone() }).collect();
    let cited = answer.citations.iter().filter(|id| question.evidence.iter().any(|e| &&e.id == id)).cloned();
    let hypothesis = Hypothesis {
        cause: Some(cause),
        service: answer.service.clone(),
        probability: answer.probability,
        citations: cited.collect(),
        reasoner: model.to_owned(),
        tokens: 0,
        cost_usd: 0.0,
    };
    let passages: Vec<_> = answer.passages.iter().filter_map(|i| question.passages.get(*i).cloned()).collect();
    match validate(&hypothesis, action.as_ref(), &evidence, &passages, incident, context) {
        Ok(_) => Ok(Some((cause, answer.service.clone()))),
        Err(Rejection::Contradicted(why)) => Err(Unusable::Contradicted { why }),
        Err(Rejection::NoCause | Rejection::Uncited | Rejection::Rivalled(_)) => Err(Unusable::Uncited),
    }
}

pub(super) fn find<'a>(weighed: &'a [Weighed], cause: Cause, service: &ServiceId) -> Option<&'a Weighed> {
    weighed.iter().find(|w| w.cause == cause && &w.service == service)
}

fn weight(weighed: &Weighed, text: &str) -> f64 {
    weighed.evidence.iter().find(|e| e.text == text).map_or(0.0, |e| e.weight)
}
