//! Whether a namespace's ResourceQuotas have room for what an act adds.
//!
//! The API server counts pods, not workloads: it lets the change of a Deployment through and then turns its pods away, after the rollout
//! has taken old ones down. So this is looked up before the claim (Kubernetes documentation, "Resource Quotas").

use picket_core::quantity;
use serde_json::Value;
use std::collections::BTreeMap;

/// What quotas count, by the names that they use.
const COUNTED: [(&str, &str); 8] = [
    ("pods", "pods"),
    ("count/pods", "pods"),
    ("cpu", "requests.cpu"),
    ("requests.cpu", "requests.cpu"),
    ("memory", "requests.memory"),
    ("requests.memory", "requests.memory"),
    ("limits.cpu", "limits.cpu"),
    ("limits.memory", "limits.memory"),
];

/// Of each counted thing, how much more the Deployment asks for `after` than `before`; what it asks no more of is left out.
pub(super) fn added(before: &Value, after: &Value) -> BTreeMap<&'static str, f64> {
    let (before, mut added) = (demand(before), demand(after));
    for (name, amount) in &mut added {
        *amount -= before.get(name).copied().unwrap_or(0.0);
    }
    added.retain(|_, amount| *amount > 0.0);
    added
}

/// Replicas times what the containers of one pod ask for. A request that is not set is that of the limit.
fn demand(deployment: &Value) -> BTreeMap<&'static str, f64> {
    let replicas = deployment.pointer("/spec/replicas").map_or(Some(1.0), Value::as_f64).unwrap_or(0.0);
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let sum = |list: &str, resource: &str| {
        let of = |container: &Value, list: &str| amount(container.get("resources")?.get(list)?.get(resource)?);
        let one = |container: &Value| of(container, list).or_else(|| of(container, "limits")).unwrap_or(0.0);
        replicas * containers.iter().map(one).sum::<f64>()
    };
    BTreeMap::from([
        ("pods", replicas),
        ("requests.cpu", sum("requests", "cpu")),
        ("requests.memory", sum("requests", "memory")),
        ("limits.cpu", sum("limits", "cpu")),
        ("limits.memory", sum("limits", "memory")),
    ])
}

fn amount(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| quantity::parse(value.as_str()?))
}

/// Why the quotas have no room for it; `None` when they have.
pub(super) fn exceeded(quotas: &[Value], added: &BTreeMap<&'static str, f64>) -> Option<String> {
    quotas.iter().filter(|quota| is_for_all_pods(quota)).find_map(|quota| {
        let hard = quota.pointer("/spec/hard").and_then(Value::as_object)?;
        hard.iter().find_map(|(key, hard)| {
            let (_, name) = COUNTED.iter().find(|(known, _)| known == key)?;
            let (more, hard) = (added.get(name)?, amount(hard)?);
            // What its controller has not counted yet may be used up.
            let used = quota.pointer("/status/used").and_then(|used| amount(used.get(key)?)).unwrap_or(hard);
            let name = quota["metadata"]["name"].as_str().unwrap_or("without a name");
            (used + more > hard).then(|| format!("ResourceQuota {name} allows {hard} of {key}, {used} are used, and the act adds {more}"))
        })
    })
}

/// Quotas of other scopes (best effort, terminating, a priority class) count pods that no act of picket's adds, or that nobody can tell here.
fn is_for_all_pods(quota: &Value) -> bool {
    let scopes = quota.pointer("/spec/scopes").and_then(Value::as_array).into_iter().flatten();
    let usual = |scope: &Value| matches!(scope.as_str(), Some("NotTerminating" | "NotBestEffort"));
    scopes.into_iter().all(usual) && quota.pointer("/spec/scopeSelector").is_none_or(Value::is_null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(replicas: u32, memory: &str) -> Value {
        json!({"spec": {"replicas": replicas, "template": {"spec": {"containers": [
            {"resources": {"requests": {"cpu": "250m"}, "limits": {"memory": memory, "cpu": "1"}}}, {"name": "proxy"}]}}}})
    }

    fn quota(spec: &Value, used: &Value) -> Value {
        json!({"metadata": {"name": "team"}, "spec": spec, "status": {"used": used}})
    }

    #[test]
    fn what_an_act_adds_is_counted_by_replicas() {
        let more = added(&deployment(3, "512Mi"), &deployment(5, "512Mi"));
        let gib = f64::from(1 << 30);
        let expected = [("limits.cpu", 2.0), ("limits.memory", gib), ("pods", 2.0), ("requests.cpu", 0.5), ("requests.memory", gib)];
        assert_eq!(more, BTreeMap::from(expected));
        let larger = added(&deployment(4, "512Mi"), &deployment(4, "768Mi"));
        assert_eq!(larger, BTreeMap::from([("limits.memory", gib), ("requests.memory", gib)]), "a request that is not set is the limit");
        assert_eq!(added(&deployment(5, "512Mi"), &deployment(3, "512Mi")), BTreeMap::new());
    }

    #[test]
    fn the_first_quota_without_room_is_named() {
        let more = added(&deployment(3, "512Mi"), &deployment(5, "512Mi"));
        let full = |hard: Value, used: Value| exceeded(&[quota(&json!({ "hard": hard }), &used)], &more);
        assert_eq!(full(json!({"pods": 20, "limits.memory": "8Gi"}), json!({"pods": "18", "limits.memory": "7Gi"})), None);
        assert!(
            full(json!({"count/pods": "20"}), json!({"count/pods": "19"})).unwrap().contains("ResourceQuota team allows 20 of count/pods")
        );
        assert!(full(json!({"memory": "8Gi"}), json!({"memory": "7500Mi"})).is_some());
        assert!(full(json!({"cpu": "8"}), json!({})).is_some(), "not counted yet");
        assert_eq!(full(json!({"services": "1", "limits.memory": "lots"}), json!({"services": "1"})), None, "nothing of the act's");
        for (scopes, counts) in [(json!(["NotTerminating"]), true), (json!(["BestEffort"]), false)] {
            let scoped = quota(&json!({"hard": {"pods": "1"}, "scopes": scopes}), &json!({"pods": "1"}));
            assert_eq!(exceeded(&[scoped], &more).is_some(), counts, "{scopes}");
        }
    }
}
