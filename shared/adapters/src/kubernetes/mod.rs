//! Kubernetes: carries acts out (`RemediationExecutor`) and reads the cluster (`ClusterReader`).
//!
//! What an act means is decided once, in `plan`, and carried out by one `Executor` over the small port `Objects`: the API server
//! (`ApiObjects`, by the `kube` crate) or a memory (`InMemoryObjects`). Both pass the same conformance suite.
//!
//! Architecture invariant: every write is one compare-and-set on the version read before the claim, and is never repeated [M3, M4].

mod api;
mod client;
mod delivered;
mod error;
mod executor;
mod fences;
mod in_memory;
mod inspection;
mod objects;
mod patch;
mod plan;
mod preconditions;
mod quota;
mod reader;
mod rollout;
mod stamp;

#[cfg(test)]
mod against_server;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod requests;

pub use api::{ApiObjects, ApiWay, KubeClient};
pub use client::{ClientError, ClusterAccess, client, client_from_router};
pub use error::Unanswered;
pub use executor::Executor;
pub use in_memory::InMemoryObjects;
pub use inspection::{Enforcement, Rights};
pub use objects::{Kind, Mode, Objects};
pub use reader::{KubernetesReader, Reader};
pub use stamp::{ACTION_ID, FENCING_TOKEN, REPLICAS_BEFORE_ZERO, STAMPED_GENERATION};

/// Carries acts out in a real cluster.
pub type KubernetesExecutor = Executor<ApiObjects>;

/// Carries acts out in memory, by the same rules.
pub type InMemoryExecutor = Executor<InMemoryObjects>;
