//! What became of an act that picket took: written when it was graded, read at the next diagnosis of the same trouble.

use crate::action::{Digest, RemediationKind};
use crate::cause::Cause;
use crate::ids::{IncidentId, ServiceId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The latest experience with one remedy for one cause on one service. It informs; it licenses no act: runbooks do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostMortem {
    /// Whose trouble it was.
    pub service: ServiceId,
    /// Of what.
    pub cause: Cause,
    /// What was done.
    pub remedy: RemediationKind,
    /// The last incident of it.
    pub incident: IncidentId,
    /// When its act was graded (event time).
    pub at: Timestamp,
    /// It helped.
    pub recovered: bool,
    /// The grade in words.
    pub outcome: String,
    /// Times that the remedy was tried for it.
    pub times: u32,
    /// Of these, the last ones in a row that did not help.
    pub failures_in_a_row: u32,
}

impl PostMortem {
    /// What every topic of post-mortems begins with.
    pub const TOPIC_PREFIX: &'static str = "post_mortem.";

    /// The bus topic of one service, cause and remedy: experience is counted, not piled up.
    #[must_use]
    pub fn topic(service: &ServiceId, cause: Cause, remedy: RemediationKind) -> String {
        let digest = Digest::of(format!("{service}|{cause}|{remedy}").as_bytes());
        format!("{}{}", Self::TOPIC_PREFIX, digest.0.get(..16).unwrap_or(&digest.0))
    }

    /// True when it is about that.
    #[must_use]
    pub fn is_about(&self, service: &ServiceId, cause: Cause, remedy: RemediationKind) -> bool {
        &self.service == service && self.cause == cause && self.remedy == remedy
    }

    /// The experience after one more: `before` is what was known.
    #[must_use]
    pub fn after(self, before: Option<&Self>) -> Self {
        let (times, failures) = before.map_or((0, 0), |b| (b.times, b.failures_in_a_row));
        let failures_in_a_row = if self.recovered { 0 } else { failures.saturating_add(1) };
        Self { times: times.saturating_add(1), failures_in_a_row, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experience_is_counted_and_a_success_forgets_failures() {
        let service = ServiceId::new("east", "shop", "cart");
        let one = |recovered| PostMortem {
            service: service.clone(),
            cause: Cause::StuckProcess,
            remedy: RemediationKind::RolloutRestart,
            incident: "i".into(),
            at: Timestamp(0),
            recovered,
            outcome: String::new(),
            times: 0,
            failures_in_a_row: 0,
        };
        let first = one(false).after(None);
        let second = one(false).after(Some(&first));
        assert_eq!((second.times, second.failures_in_a_row), (2, 2));
        let third = one(true).after(Some(&second));
        assert_eq!((third.times, third.failures_in_a_row), (3, 0));
        assert!(third.is_about(&service, Cause::StuckProcess, RemediationKind::RolloutRestart));
        let topic = |cause| PostMortem::topic(&service, cause, RemediationKind::RolloutRestart);
        assert_ne!(topic(Cause::StuckProcess), topic(Cause::MemoryLeak));
    }
}
