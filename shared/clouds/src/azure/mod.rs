//! Azure: AKS agent pools and VM scale sets, by the resource manager's REST API.
//!
//! Both take `If-Match` with the ETag that a read returned, so an act is one compare-and-set that carries its stamp, as on Kubernetes, and
//! effect and absence are proven the same way. The write is accepted at once and carried out later: what was accepted stands in the model.

mod api;
mod credentials;
mod error;
mod executor;
mod operation;
mod permissions;
mod resource;
mod stamp;

pub(crate) use executor::{Azure, AzureTarget};
