//! What must hold of a target at the moment of the act: part of the catalogue of remedies, checked by the actuator before its claim, on the
//! very reading that its write is conditioned on.

use crate::action::RemediationKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many times what stands a memory limit, a request or a volume may become by one act.
pub const GROWTH_MAX: f64 = 4.0;

/// One thing that must be so, or the act would do nothing, or something else than was weighed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precondition {
    /// Nobody else's rollout of it is in progress: pods would be replaced twice, and nobody could tell whose the outcome is.
    NoForeignRollout,
    /// No autoscaler sets its replicas: it would set them back.
    NotAutoscaled,
    /// The autoscaler is that of this workload.
    ScalesTheService,
    /// No figure becomes more than [`GROWTH_MAX`] times what stands: nobody needs that at once, and a slip of a unit looks just like it.
    NoGreatLeap,
    /// The namespace's quotas have room for what the act adds: else the change is taken, and its pods are turned away.
    WithinQuota,
    /// cert-manager made the secret: the annotation means nothing to anybody else.
    IssuedByCertManager,
}

impl RemediationKind {
    /// What must hold of the target at the moment of the act. Taking one back needs the fields that it left, and nothing of this.
    #[must_use]
    pub const fn preconditions(self) -> &'static [Precondition] {
        match self {
            Self::RolloutRestart => &[Precondition::NoForeignRollout],
            Self::SetMemoryLimit | Self::SetResources => {
                &[Precondition::NoForeignRollout, Precondition::NoGreatLeap, Precondition::WithinQuota]
            }
            Self::ExpandVolume => &[Precondition::NoGreatLeap],
            Self::Scale => &[Precondition::NotAutoscaled, Precondition::WithinQuota],
            Self::SetReplicaBounds => &[Precondition::ScalesTheService],
            Self::RenewCertificate => &[Precondition::IssuedByCertManager],
            // A rollback is the remedy for a rollout that does not end, and a quarantine waits for nothing. Whether a volume can grow, its
            // storage class says to the dry run.
            Self::Rollback | Self::Quarantine => &[],
        }
    }
}
