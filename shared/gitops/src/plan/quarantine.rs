//! The NetworkPolicy that cuts a workload off, in a file of its own, and the same once it is lifted.

use crate::yaml;
use picket_core::ids::ServiceId;
use serde_json::{Value, json};

/// The label by which picket knows its own policy.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Name of the policy of a service: the direct executor's.
pub(crate) fn policy_name(service: &str) -> String {
    format!("picket-quarantine-{service}")
}

/// Name of its file.
pub(crate) fn file_name(service: &str) -> String {
    format!("{}.yaml", policy_name(service))
}

/// Whether the policy is picket's.
pub(super) fn is_ours(policy: &Value) -> bool {
    policy.pointer("/metadata/labels").and_then(|labels| labels.get(MANAGED_BY)).and_then(Value::as_str) == Some("picket")
}

/// Denies everything to and from the pods but name resolution. Policies add up: what another allows these pods stays allowed.
pub(super) fn closed(pod_labels: &Value) -> Value {
    let dns = [json!({"protocol": "UDP", "port": 53}), json!({"protocol": "TCP", "port": 53})];
    json!({"podSelector": {"matchLabels": pod_labels}, "policyTypes": ["Ingress", "Egress"], "egress": [{"ports": dns}]})
}

/// Selects no pod. The file stays: where the controller does not prune, a file that is gone would leave the policy standing.
pub(crate) fn lifted() -> Value {
    json!({
        "podSelector": {"matchLabels": {"picket.dev/quarantine": "lifted"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{}],
        "egress": [{}],
    })
}

/// The whole file.
pub(super) fn file(service: &ServiceId, spec: &Value) -> String {
    let head = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"});
    let metadata = json!({"metadata": {
        "name": policy_name(&service.name), "namespace": service.namespace, "labels": {(MANAGED_BY): "picket"}}});
    // Three pieces, so that the order is the one people expect.
    [head, metadata, json!({ "spec": spec })].iter().map(yaml::emit).collect()
}
