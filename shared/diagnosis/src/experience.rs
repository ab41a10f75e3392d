//! What picket's own post-mortems say of a remedy: told beside the evidence, and against a remedy that did not help before.

use crate::reason::{Weighed, cause_words};
use crate::validate::Rejection;
use picket_core::action::Action;
use picket_core::ports::DiagnosisContext;
use picket_core::post_mortem::PostMortem;

/// After so many failures in a row a person is asked instead.
const FAILURES_MAX: u32 = 2;
/// A failure older than this bars nothing: service and remedy may have changed since.
const REMEMBERED_MS: i64 = 86_400_000;

/// The experience with this action for this cause on this service.
pub(crate) fn experience<'a>(chosen: &Weighed, action: Option<&Action>, context: &'a DiagnosisContext) -> Option<&'a PostMortem> {
    let action = action?;
    context.post_mortems.iter().find(|p| p.is_about(&action.service, chosen.cause, action.kind()))
}

/// Refuses what was done for the same trouble and did not help, time after time.
pub(crate) fn not_in_vain(chosen: &Weighed, action: Option<&Action>, context: &DiagnosisContext) -> Result<(), Rejection> {
    match experience(chosen, action, context) {
        Some(p) if p.failures_in_a_row >= FAILURES_MAX && context.now.since_ms(p.at) <= REMEMBERED_MS => {
            let (remedy, cause, service) = (p.remedy, cause_words(p.cause), &p.service.name);
            let (failures, incident) = (p.failures_in_a_row, &p.incident);
            Err(Rejection::Contradicted(format!(
                "{remedy} did not help against {cause} on {service} the last {failures} times ({incident}: {})",
                p.outcome
            )))
        }
        _ => Ok(()),
    }
}

/// In one sentence.
pub(crate) fn told(p: &PostMortem) -> String {
    let helped = if p.recovered { "helped" } else { "did not help" };
    let times = if p.times > 1 { format!(", tried {} times", p.times) } else { String::new() };
    format!("post-mortem of {}: {} {helped} ({}){times}", p.incident, p.remedy, p.outcome)
}
