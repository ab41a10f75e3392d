//! Whether pods of a Deployment are being replaced, and by whom.

use super::reader::count;
use super::stamp;
use picket_core::facts::PODS_MAX;
use serde_json::Value;

/// Some pods are not of the newest template yet, or the controller has not seen it.
pub(super) fn is_in_progress(deployment: &Value) -> bool {
    // A Deployment of absurdly many must not keep its whole cluster from being read.
    let desired = count(deployment, "/spec/replicas").unwrap_or(1).min(PODS_MAX);
    let observed = deployment.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or(0);
    let updated = count(deployment, "/status/updatedReplicas").unwrap_or(0);
    observed < generation(deployment) || updated < desired || count(deployment, "/status/replicas").unwrap_or(0) > updated
}

/// The newest template is picket's: its stamp names this very generation.
pub(super) fn is_pickets(deployment: &Value) -> bool {
    stamp::read(deployment, stamp::STAMPED_GENERATION) == Some(generation(deployment).to_string().as_str())
}

/// Somebody else's rollout is in progress.
pub(super) fn is_foreign(deployment: &Value) -> bool {
    is_in_progress(deployment) && !is_pickets(deployment)
}

fn generation(deployment: &Value) -> i64 {
    deployment.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0)
}
