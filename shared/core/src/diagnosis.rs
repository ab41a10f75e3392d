//! What a reasoner says, and what is left of it after validation.

use crate::action::Action;
use crate::cause::Cause;
use crate::evidence::Evidence;
use crate::ids::{DocumentId, IncidentId, ServiceId};
use crate::opinion::Opinion;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A reasoner's answer, not yet believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The cause, from the closed catalogue; `None` means that the reasoner knows none.
    pub cause: Option<Cause>,
    /// The service where the cause lies.
    pub service: ServiceId,
    /// Probability that the reasoner gives it, 0..1.
    pub probability: f64,
    /// Ids of the evidence that it cites.
    pub citations: Vec<String>,
    /// Who reasoned: `evidence`, or a model's name.
    pub reasoner: String,
    /// Tokens spent, 0 for the built-in reasoner.
    pub tokens: u64,
    /// Money spent, in US dollars.
    pub cost_usd: f64,
}

/// One candidate with its probability, for "why not the other".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The cause.
    pub cause: Cause,
    /// Where.
    pub service: ServiceId,
    /// Posterior, 0..1.
    pub probability: f64,
}

/// Why picket says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Abstention {
    /// Nothing in the catalogue explains the evidence.
    UnknownCause,
    /// The best candidate is not sure enough.
    LowConfidence {
        /// Best calibrated confidence, in hundredths.
        percent: u8,
    },
    /// Two causes explain it about as well.
    Ambiguous {
        /// The two.
        between: [Cause; 2],
    },
    /// The structure speaks against it (not upstream, started later, evidence missing).
    Contradicted {
        /// In words.
        why: String,
    },
    /// A passing deviation: load that ebbs, a rollout that heals itself.
    SelfHealing {
        /// In words.
        why: String,
    },
    /// The evidence is too old.
    Stale,
    /// A cause is found and models are being asked about it: until they have answered, or the deadline has passed, nothing is done.
    AwaitingOpinion,
}

/// A validated diagnosis or an abstention with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Of which incident.
    pub incident: IncidentId,
    /// When it was made (event time).
    pub at: Timestamp,
    /// What was found.
    pub verdict: Verdict,
    /// Calibrated, 0..1; of the best candidate when it abstains.
    pub confidence: f64,
    /// Evidence, for and against (negative weight), each with its id.
    pub evidence: Vec<Evidence>,
    /// Best candidates, most probable first, at most five.
    pub ranking: Vec<Candidate>,
    /// Runbooks and post-mortems that support the action.
    pub documents: Vec<DocumentId>,
    /// Who reasoned.
    pub reasoner: String,
    /// One plain sentence for people.
    pub sentence: String,
    /// How long it took, in real time.
    pub latency_ms: f64,
    /// Money that models have cost for this incident so far, in US dollars.
    pub cost_usd: f64,
    /// What models contributed, and why it was not used where it was not; empty when none was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Opinion>,
}

impl Diagnosis {
    /// The probability that the cause which was named had before calibration, 0..1; `None` when none was.
    #[must_use]
    pub fn stated(&self) -> Option<f64> {
        let Verdict::Cause { cause, service, .. } = &self.verdict else { return None };
        self.ranking.iter().find(|c| c.cause == *cause && c.service == *service).map(|c| c.probability)
    }
}

/// Found, or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A cause.
    Cause {
        /// Which.
        cause: Cause,
        /// Where.
        service: ServiceId,
        /// What to do, when the catalogue knows a remedy for it.
        action: Option<Action>,
    },
    /// Nothing that could be acted on.
    Abstained {
        /// Why.
        why: Abstention,
    },
}
