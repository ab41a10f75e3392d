//! What language models are asked beside the built-in reasoner, what they answer, and what became of each answer.

use crate::cause::Cause;
use crate::ids::ServiceId;
use serde::{Deserialize, Serialize};

/// One question to a model: redacted already, nothing secret in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRequest {
    /// What the model is to do. Written by picket alone: no telemetry and no runbook in it.
    pub instructions: String,
    /// The incident as JSON: data, quoted.
    pub data: String,
    /// JSON schema of the answer: closed catalogues only.
    pub schema: serde_json::Value,
    /// Tokens that the answer may have, those that the model thinks with included.
    pub output_tokens_max: u32,
}

/// Tokens that a call was billed for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// What came back from a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReply {
    /// The answer's text, whole, or why there is none.
    pub text: Result<String, Unusable>,
    /// What it was billed, failed calls included where the server says so; `None` when nobody knows (no answer came).
    pub usage: Option<Usage>,
}

/// Why a model's answer is not used. Each of these leaves the diagnosis to the built-in reasoner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Unusable {
    /// The model declined.
    #[error("it declined to answer")]
    Refused,
    /// The answer reached its limit of tokens.
    #[error("its answer was cut off at the limit of tokens")]
    Truncated,
    /// The answer is not what the schema asks for.
    #[error("its answer is not what was asked for: {why}")]
    Malformed {
        /// In which way.
        why: String,
    },
    /// It names something that is in no catalogue, or an action that is not the cause's remedy here.
    #[error("its answer leaves the catalogue: {why}")]
    OffCatalogue {
        /// What.
        why: String,
    },
    /// It cites nothing, something that does not exist, or nothing that speaks for its cause.
    #[error("it cites no evidence for what it says")]
    Uncited,
    /// Graph, time, key evidence or runbooks speak against it.
    #[error("the structure speaks against it: {why}")]
    Contradicted {
        /// In words.
        why: String,
    },
    /// Too many requests or the provider is overloaded, until the deadline.
    #[error("the provider's limit of requests was met")]
    RateLimited,
    /// No answer within the deadline.
    #[error("it did not answer within the deadline")]
    TimedOut,
    /// The server could not be reached or failed.
    #[error("it could not be reached: {why}")]
    Unavailable {
        /// What happened.
        why: String,
    },
    /// The server will not take the request: a wrong key, an unknown model.
    #[error("its server refused the request: {why}")]
    Rejected {
        /// What it said.
        why: String,
    },
    /// The answer is longer than any that was asked for.
    #[error("its server's answer is too long")]
    TooLong,
    /// The call might have gone over the cap of the hour.
    #[error("the spend cap of the hour is used up")]
    HourSpent,
    /// The call might have gone over the cap of the incident.
    #[error("the spend cap of the incident is used up")]
    IncidentSpent,
}

impl Unusable {
    /// Its name in metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::OffCatalogue { .. } => "off_catalogue",
            Self::Uncited => "uncited",
            Self::Contradicted { .. } => "contradicted",
            Self::RateLimited => "rate_limited",
            Self::TimedOut => "timed_out",
            Self::Unavailable { .. } => "unavailable",
            Self::Rejected { .. } => "rejected",
            Self::TooLong => "too_long",
            Self::HourSpent => "hour_spent",
            Self::IncidentSpent => "incident_spent",
        }
    }
}

/// How a model's answer stands to the built-in reasoner's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stance", rename_all = "snake_case")]
pub enum Stance {
    /// The call is under way.
    Pending,
    /// The same cause on the same service.
    Agrees,
    /// Another cause that may be true at the same time: faults overlap.
    Compatible {
        /// Which.
        cause: Cause,
        /// Where.
        service: ServiceId,
    },
    /// Another cause, and the evidence allows it.
    Disagrees {
        /// Which.
        cause: Cause,
        /// Where.
        service: ServiceId,
    },
    /// It knows no cause.
    Unknown,
    /// The built-in reasoner names no cause; the model does, and the structure allows it. A hint for people, never an act.
    Suggests {
        /// Which.
        cause: Cause,
        /// Where.
        service: ServiceId,
    },
    /// Not used.
    Unusable {
        /// Why not.
        why: Unusable,
    },
}

/// What one model contributed to a diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// The model's name, as configured.
    pub model: String,
    /// How it stands to the built-in reasoner's answer.
    #[serde(flatten)]
    pub stance: Stance,
    /// Ids of the evidence and passages that it cites, as they were put to it.
    pub citations: Vec<String>,
    /// Tokens that this incident has cost with this model so far.
    pub tokens: u64,
    /// Money that this incident has cost with this model so far, in US dollars.
    pub cost_usd: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_is_written_and_read_back() {
        let service = ServiceId::new("east", "shop", "cart");
        let stances = [
            Stance::Pending,
            Stance::Agrees,
            Stance::Unknown,
            Stance::Disagrees { cause: Cause::MemoryLeak, service },
            Stance::Unusable { why: Unusable::Malformed { why: "no JSON".into() } },
            Stance::Unusable { why: Unusable::TimedOut },
        ];
        for stance in stances {
            let opinion = Opinion { model: "m".into(), stance, citations: vec!["e1".into()], tokens: 3, cost_usd: 0.25 };
            let text = serde_json::to_string(&opinion).unwrap();
            assert_eq!(serde_json::from_str::<Opinion>(&text).unwrap(), opinion, "{text}");
        }
    }
}
