//! What a claim stands on.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a piece of evidence comes from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// An anomaly.
    Anomaly,
    /// The absence of something that the cause would show.
    Absence,
    /// The service graph.
    Graph,
    /// A change: rollout, scaling, configuration.
    Change,
    /// The observer's facts.
    Facts,
    /// A runbook or post-mortem.
    Knowledge,
}

/// One piece of evidence. Its `id` is what a citation names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Unique within its diagnosis: `e1`, `e2`, …
    pub id: String,
    /// Where it comes from.
    pub source: EvidenceSource,
    /// One plain sentence.
    pub text: String,
    /// What it adds to the log-odds of the cause; negative speaks against.
    pub weight: f64,
    /// When it was observed.
    pub at: Timestamp,
}
