//! What picket can do to a cluster, and to what.

use crate::ids::ServiceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The kind of an act: what cooldowns, caps and rules speak of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemediationKind {
    /// Replaces every pod, a few at a time.
    RolloutRestart,
    /// Back to the revision before.
    Rollback,
    /// Another number of replicas.
    Scale,
    /// A higher memory limit.
    SetMemoryLimit,
    /// Other requests and limits (rightsizing).
    SetResources,
    /// A larger volume claim.
    ExpandVolume,
    /// A new certificate.
    RenewCertificate,
    /// Cuts a workload off by NetworkPolicy.
    Quarantine,
    /// Other bounds for an autoscaler.
    SetReplicaBounds,
}

/// Whether an act can be taken back.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// The fields go back to what they were.
    Exact,
    /// Another act makes up for it.
    Compensating,
    /// It cannot be taken back: a stricter bar of confidence and evidence, and no automatic undo.
    None,
}

impl RemediationKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RolloutRestart,
        Self::Rollback,
        Self::Scale,
        Self::SetMemoryLimit,
        Self::SetResources,
        Self::ExpandVolume,
        Self::RenewCertificate,
        Self::Quarantine,
        Self::SetReplicaBounds,
    ];

    /// Its name in JSON and runbooks' front matter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RolloutRestart => "rollout_restart",
            Self::Rollback => "rollback",
            Self::Scale => "scale",
            Self::SetMemoryLimit => "set_memory_limit",
            Self::SetResources => "set_resources",
            Self::ExpandVolume => "expand_volume",
            Self::RenewCertificate => "renew_certificate",
            Self::Quarantine => "quarantine",
            Self::SetReplicaBounds => "set_replica_bounds",
        }
    }

    /// Whether it can be taken back (PROTOCOL.md, Undo).
    #[must_use]
    pub const fn reversibility(self) -> Reversibility {
        match self {
            Self::Scale | Self::SetMemoryLimit | Self::SetResources | Self::Quarantine | Self::SetReplicaBounds => Reversibility::Exact,
            Self::Rollback => Reversibility::Compensating,
            Self::RolloutRestart | Self::ExpandVolume | Self::RenewCertificate => Reversibility::None,
        }
    }
}

impl fmt::Display for RemediationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An act with its parameters. Targets are absolute (`replicas: 5`, never `+2`), so that a repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Remediation {
    /// Replaces every pod, a few at a time.
    RolloutRestart,
    /// Writes the pod template of that revision again.
    Rollback {
        /// The `deployment.kubernetes.io/revision` to go back to.
        to_revision: i64,
    },
    /// Sets the number of replicas.
    Scale {
        /// The target.
        replicas: u32,
        /// How many there were when this was proposed (for its cost).
        from: u32,
    },
    /// Sets a container's memory limit.
    SetMemoryLimit {
        /// The container.
        container: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// Sets a container's requests (and memory limit).
    SetResources {
        /// The container.
        container: String,
        /// CPU request, in thousandths of a core.
        cpu_request_millicores: u64,
        /// Memory request and limit.
        memory_bytes: u64,
    },
    /// Sets a volume claim's size.
    ExpandVolume {
        /// The PersistentVolumeClaim.
        claim: String,
        /// The size.
        size_bytes: u64,
    },
    /// Asks for a new certificate (cert-manager's annotation on the secret).
    RenewCertificate {
        /// The secret that holds it.
        secret: String,
    },
    /// Denies all traffic of the workload's pods but DNS.
    Quarantine,
    /// Sets between how many replicas the workload's autoscaler may choose.
    SetReplicaBounds {
        /// The HorizontalPodAutoscaler.
        autoscaler: String,
        /// The fewest, at least 1.
        min: u32,
        /// The most.
        max: u32,
        /// The most when this was proposed (for its cost).
        from_max: u32,
    },
}

impl Remediation {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RemediationKind {
        match self {
            Self::RolloutRestart => RemediationKind::RolloutRestart,
            Self::Rollback { .. } => RemediationKind::Rollback,
            Self::Scale { .. } => RemediationKind::Scale,
            Self::SetMemoryLimit { .. } => RemediationKind::SetMemoryLimit,
            Self::SetResources { .. } => RemediationKind::SetResources,
            Self::ExpandVolume { .. } => RemediationKind::ExpandVolume,
            Self::RenewCertificate { .. } => RemediationKind::RenewCertificate,
            Self::Quarantine => RemediationKind::Quarantine,
            Self::SetReplicaBounds { .. } => RemediationKind::SetReplicaBounds,
        }
    }
}

/// SHA-256 as 64 hex digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(pub String);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One act on one service: what is proposed, approved, permitted, claimed and done, told apart by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// The service that it changes. Its workload is the Deployment of the same name.
    pub service: ServiceId,
    /// What is done.
    pub remediation: Remediation,
}

impl Action {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RemediationKind {
        self.remediation.kind()
    }

    /// The digest of its canonical JSON: whoever holds the same digest means the same act.
    ///
    /// # Panics
    /// Never: the type has no map with keys that JSON refuses.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("an action is plain data"))
    }

    /// A short sentence for people: `scale east/shop/cart to 5 replicas`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let service = &self.service;
        match &self.remediation {
            Remediation::RolloutRestart => format!("restart {service}"),
            Remediation::Rollback { to_revision } => format!("roll {service} back to revision {to_revision}"),
            Remediation::Scale { replicas, from } => format!("scale {service} from {from} to {replicas} replicas"),
            Remediation::SetMemoryLimit { limit_bytes, .. } => {
                format!("set the memory limit of {service} to {} MiB", limit_bytes >> 20)
            }
            Remediation::SetResources { cpu_request_millicores, memory_bytes, .. } => {
                format!("set the requests of {service} to {cpu_request_millicores}m CPU and {} MiB", memory_bytes >> 20)
            }
            Remediation::ExpandVolume { claim, size_bytes } => {
                format!("expand volume {claim} of {service} to {:.1} GiB", *size_bytes as f64 / (1u64 << 30) as f64)
            }
            Remediation::RenewCertificate { secret } => format!("renew certificate {secret} of {service}"),
            Remediation::Quarantine => format!("quarantine {service} by NetworkPolicy"),
            Remediation::SetReplicaBounds { autoscaler, min, max, from_max } => {
                format!("let autoscaler {autoscaler} of {service} choose between {min} and {max} replicas (at most {from_max} before)")
            }
        }
    }
}
