//! The API server of a simulated cluster: the paths, status codes, versions, dry runs and watches of Kubernetes over the simulator's
//! store, so that a real client cannot tell.
//!
//! Who may do what, and what is admitted, is decided by the files that picket ships: `deploy/kubernetes/rbac.yaml` and `admission.yaml`.
//!
//! Left out on purpose: what an apply no longer names is not removed, paging of lists (the limit is ignored, as a server may), protobuf and YAML
//! bodies, subresources but evictions and scales.

mod access;
mod admission;
mod discovery;
mod eviction;
mod ownership;
mod patch;
mod resource;
mod scale;
mod selector;
mod server;
mod status;
mod validation;
mod watch;

#[cfg(test)]
mod tests;

pub use access::ApiTokens;

use crate::SimCluster;
use access::Credentials;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use std::sync::{Arc, Mutex};

/// Largest body of a request, as in a real API server.
const BODY_BYTES_MAX: usize = 3 << 20;

/// Serves one cluster's API to an observer and an actuator.
pub fn router(cluster: Arc<Mutex<SimCluster>>, tokens: ApiTokens) -> Router {
    build(cluster, Credentials { tokens, admin: None })
}

/// Serves it to a person too, who may do everything and whom the fence does not bind.
pub fn router_with_admin(cluster: Arc<Mutex<SimCluster>>, tokens: ApiTokens, admin_token: String) -> Router {
    build(cluster, Credentials { tokens, admin: Some(admin_token) })
}

fn build(cluster: Arc<Mutex<SimCluster>>, credentials: Credentials) -> Router {
    let state = server::Server { cluster, credentials: Arc::new(credentials) };
    Router::new().fallback(server::serve).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(state)
}
