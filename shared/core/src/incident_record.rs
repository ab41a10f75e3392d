//! What an agent says about an incident on the bus's topic `incident.<id>`: all that a reader needs to follow it.

use crate::diagnosis::Diagnosis;
use crate::ids::{EntryId, IncidentId};
use crate::incident::Incident;
use serde::{Deserialize, Serialize};

/// The latest word on one incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// The incident as it stands.
    pub incident: Incident,
    /// Its diagnosis, once made.
    #[serde(default)]
    pub diagnosis: Option<Diagnosis>,
    /// What was decided, in words: `permitted`, `denied: …`, `abstained: …`.
    #[serde(default)]
    pub decision: Option<String>,
    /// The ledger entry that its proposal made.
    #[serde(default)]
    pub entry: Option<EntryId>,
}

impl IncidentRecord {
    /// What every incident's topic begins with.
    pub const TOPIC_PREFIX: &'static str = "incident.";

    /// The bus topic of an incident.
    #[must_use]
    pub fn topic(incident: &IncidentId) -> String {
        format!("{}{incident}", Self::TOPIC_PREFIX)
    }
}

/// The latest word on a cluster's telemetry, on the topic `freshness.<cluster>`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Event time of the newest signal.
    pub at: crate::time::Timestamp,
}

impl Freshness {
    /// What every cluster's topic begins with.
    pub const TOPIC_PREFIX: &'static str = "freshness.";

    /// The bus topic of a cluster.
    #[must_use]
    pub fn topic(cluster: &crate::ids::ClusterName) -> String {
        format!("{}{cluster}", Self::TOPIC_PREFIX)
    }
}
