//! One incident put to the models, and what has come back.

use super::answer::Answer;
use super::judge::find;
use super::question::Question;
use super::spend::Ticket;
use crate::reason::Weighed;
use picket_core::action::Digest;
use picket_core::cause::Cause;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::ServiceId;
use picket_core::opinion::{Stance, Unusable};
use picket_core::time::Timestamp;
use std::sync::Arc;

/// What the built-in reasoner named when the models were asked.
pub(super) type Subject = Option<(Cause, ServiceId)>;

/// The state of one model's call.
#[derive(Clone, Debug)]
pub(super) enum Call {
    /// Under way, with what was set aside for it.
    Running { key: Digest, ticket: Ticket },
    /// Over. Whether the answer stands is judged anew at each look: the incident goes on.
    Over(Result<Answer, Unusable>),
}

/// What one model has cost an incident.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Bill {
    pub tokens: u64,
    pub micro_usd: u64,
}

/// One incident's consultations: the latest, and the bill of all.
#[derive(Clone, Debug)]
pub(super) struct Consultation {
    pub subject: Subject,
    pub question: Arc<Question>,
    /// One per model of the panel.
    pub calls: Vec<Call>,
    pub bills: Vec<Bill>,
    /// How many times models were asked about this incident.
    pub rounds: u32,
    pub asked_at: Timestamp,
}

impl Consultation {
    /// True when the answers still bear on what is named now: it is what they were asked about, or it is what every one of them names.
    pub(super) fn bears_on(&self, subject: &Subject) -> bool {
        let mut answers = self.calls.iter().filter_map(|call| match call {
            Call::Over(Ok(answer)) => Some(answer),
            _ => None,
        });
        let names =
            |answer: &Answer| subject.as_ref().is_some_and(|(cause, service)| answer.cause == Some(*cause) && &answer.service == service);
        &self.subject == subject || (answers.clone().next().is_some() && answers.all(names))
    }

    pub(super) fn is_running(&self) -> bool {
        self.calls.iter().any(|call| matches!(call, Call::Running { .. }))
    }
}

/// What the built-in reasoner names.
pub(super) fn subject_of(diagnosis: &Diagnosis) -> Subject {
    match &diagnosis.verdict {
        Verdict::Cause { cause, service, .. } => Some((*cause, service.clone())),
        Verdict::Abstained { .. } => None,
    }
}

/// How what a model says stands to what the built-in reasoner names.
pub(super) fn stance(subject: &Subject, said: Option<(Cause, ServiceId)>, weighed: &[Weighed]) -> Stance {
    match (subject, said) {
        (_, None) => Stance::Unknown,
        (None, Some((cause, service))) => Stance::Suggests { cause, service },
        (Some((named, on)), Some((cause, service))) if *named == cause && *on == service => Stance::Agrees,
        (Some((named, on)), Some((cause, service))) => {
            // Rivals share the odds; what adds up to more than all of them is no choice between two but two faults.
            let together =
                find(weighed, *named, on).map_or(0.0, |w| w.probability) + find(weighed, cause, &service).map_or(0.0, |w| w.probability);
            if together > 1.0 { Stance::Compatible { cause, service } } else { Stance::Disagrees { cause, service } }
        }
    }
}
