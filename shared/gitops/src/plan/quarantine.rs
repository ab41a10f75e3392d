//! The NetworkPolicy that cuts a workload off, in a file of its own.

use crate::yaml;
use picket_core::ids::ServiceId;
use picket_core::quarantine::policy_name;
use serde_json::{Value, json};

/// The label by which picket knows its own policy.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Name of its file.
pub(crate) fn file_name(service: &str) -> String {
    format!("{}.yaml", policy_name(service))
}

/// Whether the policy is picket's.
pub(super) fn is_ours(policy: &Value) -> bool {
    policy.pointer("/metadata/labels").and_then(|labels| labels.get(MANAGED_BY)).and_then(Value::as_str) == Some("picket")
}

/// The whole file.
pub(super) fn file(service: &ServiceId, spec: &Value) -> String {
    let head = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"});
    let metadata = json!({"metadata": {
        "name": policy_name(&service.name), "namespace": service.namespace, "labels": {(MANAGED_BY): "picket"}}});
    // Three pieces, so that the order is the one people expect.
    [head, metadata, json!({ "spec": spec })].iter().map(yaml::emit).collect()
}
