//! What correlation hands to diagnosis.

use crate::anomaly::{Anomaly, Symptom};
use crate::ids::{AgentKind, IncidentId, ServiceId};
use crate::severity::Severity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an incident stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Anomalies are still seen.
    Open,
    /// No anomaly for the quiet period.
    Resolved,
}

/// Anomalies that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The agent that tends it.
    pub agent: AgentKind,
    /// Same service and root symptom: what deduplication compares.
    pub fingerprint: String,
    /// The service that shows the root symptom.
    pub service: ServiceId,
    /// Every service that shows an anomaly, `service` first.
    pub services: Vec<ServiceId>,
    /// How bad; only rises while open.
    pub severity: Severity,
    /// When it was opened (event time): detection.
    pub opened_at: Timestamp,
    /// Onset of its first anomaly.
    pub onset: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Its anomalies, first onset first; at most [`Incident::ANOMALIES_MAX`].
    pub anomalies: Vec<Anomaly>,
    /// Calls among its services and their neighbours (caller, callee).
    pub subgraph: Vec<(ServiceId, ServiceId)>,
}

impl Incident {
    /// Bound on the anomalies kept: a storm adds services, not memory.
    pub const ANOMALIES_MAX: usize = 200;

    /// Its symptoms on one service, each once.
    #[must_use]
    pub fn symptoms_of(&self, service: &ServiceId) -> Vec<Symptom> {
        let mut found: Vec<_> = self.anomalies.iter().filter(|a| &a.service == service).map(|a| a.symptom).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// All its symptoms, each once.
    #[must_use]
    pub fn symptoms(&self) -> Vec<Symptom> {
        let mut found: Vec<_> = self.anomalies.iter().map(|a| a.symptom).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A change somebody made, seen in telemetry or in the cluster's API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// On which service.
    pub service: ServiceId,
    /// What kind.
    pub kind: ChangeKind,
    /// When.
    pub at: Timestamp,
    /// In words: `revision 4 (v1.8.2) rolled out`.
    pub what: String,
}

/// Kinds of change.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new revision.
    Deployment,
    /// Another number of replicas.
    Scaling,
    /// Configuration or flags.
    Configuration,
    /// Picket's own act.
    Picket,
}
