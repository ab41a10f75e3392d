//! The NetworkPolicy that cuts a workload off, and the same policy once it is lifted.

use serde_json::{Value, json};

/// Name of the policy of a service.
#[must_use]
pub fn policy_name(service: &str) -> String {
    format!("picket-quarantine-{service}")
}

/// Its spec: denies everything to and from the pods but name resolution.
///
/// Network policies add up: what another policy allows these pods stays allowed. Cutting that off too needs an admin policy.
#[must_use]
pub fn closed_spec(pod_labels: &Value) -> Value {
    let dns = [json!({"protocol": "UDP", "port": 53}), json!({"protocol": "TCP", "port": 53})];
    json!({
        "podSelector": {"matchLabels": pod_labels},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{"ports": dns}],
    })
}

/// Its spec once lifted: it allows all, and selects no pod.
///
/// It is not deleted: picket's role has no such verb, and where a controller does not prune, a file that is gone would leave the policy
/// standing. An allow-all on the service's pods would open what the site's own policies close, because policies add up.
#[must_use]
pub fn lifted_spec() -> Value {
    json!({
        "podSelector": {"matchLabels": {"picket.dev/quarantine": "lifted"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{}],
        "egress": [{}],
    })
}
