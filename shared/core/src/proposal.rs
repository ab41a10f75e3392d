//! What an agent asks for. It is a wish: nothing in it is believed but the wish itself.

use crate::action::{Action, Digest};
use crate::cause::Cause;
use crate::ids::{AgentKind, IncidentId, ProposalId};
use crate::outcome::Receipt;
use crate::scope::Scope;
use crate::severity::Severity;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A proposed act with the reasons for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// Chosen by the agent; a retry carries the same.
    pub id: ProposalId,
    /// Who proposes. Must be the identity in the certificate.
    pub agent: AgentKind,
    /// For which incident.
    pub incident: IncidentId,
    /// Because of what.
    pub cause: Cause,
    /// The agent's grade; the coordinator takes the graver of its own and this.
    pub severity: Severity,
    /// Calibrated confidence, 0..1.
    pub confidence: f64,
    /// How many services the incident degrades.
    pub services_degraded: u32,
    /// The symptoms, for the coordinator's own severity.
    pub symptoms: Vec<crate::anomaly::Symptom>,
    /// What to do.
    pub action: Action,
    /// Coordinator time obtained *before* the evidence was read [M9]: its age is now − this.
    pub evidence_echo: Timestamp,
    /// True when the evidence came on `replay.>`: forces Observe.
    pub replay: bool,
    /// Saving, in US dollars a month (FinOps).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_saving_usd: Option<f64>,
    /// One plain sentence for whoever approves.
    pub sentence: String,
}

/// What a ledger entry stands for: an act, or taking one back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Do it.
    Do {
        /// What.
        action: Action,
    },
    /// Take the parent's act back.
    Undo {
        /// The parent's action.
        action: Action,
        /// What the parent changed: the undo writes `before` where `after` still stands [M5].
        receipt: Receipt,
    },
}

impl Work {
    /// The action, done or taken back.
    #[must_use]
    pub const fn action(&self) -> &Action {
        match self {
            Self::Do { action } | Self::Undo { action, .. } => action,
        }
    }

    /// What permits, approvals and claims name.
    ///
    /// # Panics
    /// Never: plain data.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("work is plain data"))
    }

    /// The scopes it needs, sorted.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        vec![Scope::of(&self.action().service)]
    }
}
