//! What the observer vouches for. Limits are computed from this, never from what an agent says.

use crate::ids::{ClusterName, ServiceId};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pods of one service that can be told of: a reading with more is refused, so whoever reads counts no further.
pub const PODS_MAX: u32 = 1_000_000;
/// Labels of one service that are told: a reading of a cluster must stay small.
pub const LABELS_MAX: usize = 8;

/// One reading of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterFacts {
    /// Which cluster.
    pub cluster: ClusterName,
    /// Rises with every observer that takes over; facts are ordered by (`observer_epoch`, `seq`).
    pub observer_epoch: u64,
    /// Rises with every reading of one observer.
    pub seq: u64,
    /// Coordinator time obtained *before* reading: the facts' age is now − `echo` [M9].
    pub echo: Timestamp,
    /// Version of the service graph that the dependants were taken from.
    pub graph_version: u64,
    /// The services.
    pub services: BTreeMap<ServiceId, ServiceFacts>,
}

impl ClusterFacts {
    /// Ready pods of the whole fleet.
    #[must_use]
    pub fn fleet_ready(&self) -> u32 {
        self.services.values().map(|s| s.ready).sum()
    }

    /// Pods that somebody else is disrupting right now.
    #[must_use]
    pub fn disrupted_by_others(&self) -> u32 {
        self.services.values().map(|s| s.disrupted_by_others).sum()
    }
}

/// What is known of one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceFacts {
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that exist.
    pub total: u32,
    /// Pods that are wanted.
    pub desired: u32,
    /// Pods that are not ready for a reason that is not picket's.
    pub disrupted_by_others: u32,
    /// Importance, 1 (highest) to 3; label `picket.dev/tier`.
    pub tier: u8,
    /// Services that call it, directly or not.
    pub dependants: Vec<ServiceId>,
    /// Namespaces that its failure touches, its own among them.
    pub namespaces_touched: Vec<String>,
    /// User-facing error budget burn rate (1 = exactly spent at the period's end); 0 when unknown.
    pub error_budget_burn: f64,
    /// Pods that the PodDisruptionBudgets of its pods let go at once; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruptions_allowed: Option<u32>,
    /// Somebody else's rollout is in progress.
    pub foreign_rollout: bool,
    /// Label `picket.dev/managed: "false"`: picket must not touch it.
    pub protected: bool,
    /// Labels under `picket.dev/`, without that prefix, for the user's rules; at most [`LABELS_MAX`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
