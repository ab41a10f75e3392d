//! Changes by commits: the executor of picket that writes to a git repository instead of the Kubernetes API (docs/gitops.md).
//!
//! The merge is the effect. The branch's head takes the place of an object's version, a push from exactly that head is the compare-and-set,
//! trailers in commit messages are the stamp and the fence.

mod delivery;
mod executor;
mod forge;
mod git;
mod http;
mod manifest;
mod place;
mod plan;
mod pointer;
mod proof;
mod reading;
mod request;
mod routed;
mod settings;
mod trailer;
mod yaml;

pub use delivery::{ArgoCd, Controller, Delivery, DeliveryController, DeliveryWatch, Flux, ManagedBy, managed_by};
pub use executor::{Clock, GitOpsError, GitOpsExecutor};
pub use routed::{Routed, Routes, is_want_of_rights};
pub use settings::{ControllerKind, ControllerSettings, ForgeKind, ForgeSettings, GitOpsEntry, GitOpsProblem, GitOpsSettings, Route};
