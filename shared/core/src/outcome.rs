//! What was done, and how it turned out.

use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An object of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Kind: `Deployment`, `PersistentVolumeClaim`, `Secret`, `NetworkPolicy`; below [`IN_GIT`] for a manifest in a repository.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// What the kind of an object begins with that stands in a git repository, and comes to the cluster from there.
pub const IN_GIT: &str = "git/";

impl ObjectRef {
    /// The object of the cluster that a manifest in a repository stands for; `None` for one that is written to directly.
    #[must_use]
    pub fn delivered(&self) -> Option<Self> {
        let kind = self.kind.strip_prefix(IN_GIT)?;
        Some(Self { kind: kind.to_owned(), ..self.clone() })
    }
}

/// What the actuator observed before and after its write: JSON pointers into the object and their values (`null` = absent).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The object that was written.
    pub object: ObjectRef,
    /// The fields before.
    pub before: BTreeMap<String, serde_json::Value>,
    /// The fields after; an undo needs every one to equal this still.
    pub after: BTreeMap<String, serde_json::Value>,
    /// The version that the write was conditioned on.
    pub resource_version_before: String,
    /// The version that it made.
    pub resource_version_after: String,
    /// When (coordinator time, as the actuator knew it).
    pub applied_at: Timestamp,
}

/// What the actuator reports of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// It took effect.
    Applied {
        /// What changed.
        receipt: Receipt,
    },
    /// It did not, and never will: the fence was raised on exactly the version before [M1].
    NoEffect {
        /// Why it was not done.
        why: String,
    },
    /// Neither could be proven, or only some writes landed.
    CannotTell {
        /// What is known.
        why: String,
        /// What landed, when that is reversible.
        landed: Option<Receipt>,
        /// Nothing more can land: the fence was raised, or the version that the write asks for is gone.
        #[serde(default)]
        fenced: bool,
    },
}

impl Report {
    /// Nothing of the claim is on its way any more.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        match self {
            Self::Applied { .. } | Self::NoEffect { .. } => true,
            Self::CannotTell { fenced, .. } => *fenced,
        }
    }
}

/// The observer's grade of an applied act (I10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The service is as it was before the incident.
    Recovered {
        /// In words, with the figures.
        why: String,
    },
    /// Nothing changed.
    NoEffect {
        /// In words.
        why: String,
    },
    /// It is worse than before the act.
    Regressed {
        /// In words.
        why: String,
    },
    /// Too little data.
    Inconclusive {
        /// In words.
        why: String,
    },
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Recovered { .. } => "recovered",
            Self::NoEffect { .. } => "no_effect",
            Self::Regressed { .. } => "regressed",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }

    /// The sentence with it.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Recovered { why } | Self::NoEffect { why } | Self::Regressed { why } | Self::Inconclusive { why } => why,
        }
    }
}

/// Was the diagnosis right, was the action right, and who says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adjudication {
    /// Of which incident.
    pub incident: crate::ids::IncidentId,
    /// Of which agent.
    pub agent: crate::ids::AgentKind,
    /// The episode, `service|cause`: the same within 24 h counts once.
    pub episode: String,
    /// True when cause and action were right.
    pub correct: bool,
    /// True when picket named a cause, false when it abstained.
    pub diagnosed: bool,
    /// The probability that the agent gave the cause that it named, before calibration, 0..1: what calibration is fitted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<f64>,
    /// Who says so.
    pub by: String,
    /// When (coordinator time).
    pub at: Timestamp,
}

impl Adjudication {
    /// What episodes of one day may have in common: their cause.
    #[must_use]
    pub fn cause(&self) -> &str {
        self.episode.rsplit('|').next().unwrap_or_default()
    }
}
