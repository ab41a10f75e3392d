//! Coming back from a backup (PROTOCOL.md, "Restore from backup" [M13]): what is asked for before anything is claimed again.

use crate::claim::ClaimRequest;
use crate::ids::{ClusterName, EntryId};
use crate::outcome::Report;
use crate::proposal::{Proposal, Work};
use crate::scope::FencingToken;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One claim, as the actuator's journal knows it. The restored ledger may be older than the claim, or know it as open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournaledAct {
    /// As it was sent to the lost life of the coordinator.
    pub claim: ClaimRequest,
    /// What was claimed.
    pub work: Work,
    /// Who wished it, and why.
    pub proposal: Box<Proposal>,
    /// Pods that were reserved for it.
    pub cost_pods: u32,
    /// The token that it was stamped with.
    pub token: FencingToken,
    /// How it went; `None` while the actuator is still proving it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// What a restored coordinator still waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreView {
    /// Who restored it.
    pub by: String,
    /// When, on the replicated clock.
    pub since: Timestamp,
    /// The longest cooldown and the act deadline of the lost life are over then.
    pub ready_at: Timestamp,
    /// Clusters whose sinks have not confirmed the new epoch.
    pub fences_missing: Vec<ClusterName>,
    /// Clusters whose actuator has not sent its journal, and nobody has waived it.
    pub journals_missing: Vec<ClusterName>,
    /// Acts of the lost life that this ledger did not know as claimed: each is Indeterminate now, and a person should look at it before the release.
    pub unknown_acts: Vec<EntryId>,
    /// How many they are; only the first are listed.
    pub unknown_acts_total: u64,
}
