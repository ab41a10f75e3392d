//! Whether a namespace's ResourceQuotas have room for what an act adds.
//!
//! The API server counts pods, not workloads: it lets the change of a Deployment through and then turns its pods away, and the rollout
//! hangs. So this is looked up before the claim (Kubernetes documentation, "Resource Quotas", "Deployments: Max Unavailable, Max Surge").

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

/// A millionth is no millicore and no byte: sums of binary fractions that fit exactly must not be refused for their last bit.
const ROUNDING: f64 = 1e-6;

/// Amounts of counted things.
pub(super) type Amounts = BTreeMap<&'static str, f64>;

/// Of each counted thing, how much more the Deployment asks for `after` than `before`, at the end or on the way there; what it asks no more
/// of is left out.
pub(super) fn added(before: &Value, after: &Value) -> Amounts {
    let standing = of_one_pod(before);
    // A rollout that may take no old pod down begins with a new one beside them.
    let replaces = before.pointer("/spec/template") != after.pointer("/spec/template") && replicas(after) > 0.0;
    let beside = replaces && max_unavailable(after) == 0.0;
    let more = |(name, one): (&'static str, f64)| {
        let in_the_end = one * replicas(after) - standing[name] * replicas(before);
        (name, if beside { in_the_end.max(one) } else { in_the_end })
    };
    of_one_pod(after).into_iter().map(more).filter(|(_, amount)| *amount > 0.0).collect()
}

fn replicas(deployment: &Value) -> f64 {
    deployment.pointer("/spec/replicas").map_or(Some(1.0), Value::as_f64).unwrap_or(0.0)
}

/// Pods that a rollout may take down before new ones are ready: a number, or a percentage rounded down; a quarter when nothing is said.
fn max_unavailable(deployment: &Value) -> f64 {
    if deployment.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate") {
        return replicas(deployment);
    }
    match deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable") {
        Some(Value::Number(pods)) => pods.as_f64().unwrap_or(0.0),
        said => {
            let percent = said.and_then(Value::as_str).unwrap_or("25%").trim_end_matches('%').parse::<f64>().unwrap_or(0.0);
            (replicas(deployment) * percent / 100.0).floor()
        }
    }
}

/// What the containers of one pod ask for. A request that is not set is that of the limit.
fn of_one_pod(deployment: &Value) -> Amounts {
    let sum = |list: &str, resource: &str| {
        let of = |container: &Value, list: &str| quantity::of(container.get("resources")?.get(list)?.get(resource)?);
        let one = |container: &Value| of(container, list).or_else(|| of(container, "limits")).unwrap_or(0.0);
        containers(deployment).iter().map(one).sum::<f64>()
    };
    BTreeMap::from([
        ("pods", 1.0),
        ("requests.cpu", sum("requests", "cpu")),
        ("requests.memory", sum("requests", "memory")),
        ("limits.cpu", sum("limits", "cpu")),
        ("limits.memory", sum("limits", "memory")),
    ])
}

fn containers(deployment: &Value) -> &[Value] {
    deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Why the quotas have no room for what makes `after` of a Deployment; `None` when they have.
pub(super) fn exceeded(quotas: &[Value], after: &Value, added: &Amounts) -> Option<String> {
    quotas.iter().filter(|quota| is_about(quota, after)).find_map(|quota| {
        let hard = quota.pointer("/spec/hard").and_then(Value::as_object)?;
        hard.iter().find_map(|(key, hard)| {
            let (_, name) = COUNTED.iter().find(|(known, _)| known == key)?;
            let (more, hard) = (added.get(name)?, quantity::of(hard)?);
            // What its controller has not counted yet may be used up.
            let used = quota.pointer("/status/used").and_then(|used| quantity::of(used.get(key)?)).unwrap_or(hard);
            let name = quota["metadata"]["name"].as_str().unwrap_or("without a name");
            let why = || format!("ResourceQuota {name} allows {hard} of {key}, {used} are used, and the act adds {more}");
            (used + more > hard + ROUNDING).then(why)
        })
    })
}

/// Whether the quota counts the Deployment's pods. Of priority classes nothing is known here: such a quota is the server's to enforce.
fn is_about(quota: &Value, deployment: &Value) -> bool {
    let resources = containers(deployment).iter().filter_map(|container| container.get("resources"));
    let best_effort = resources.into_iter().all(|r| ["requests", "limits"].iter().all(|list| r.get(list).is_none_or(is_empty)));
    let scopes = quota.pointer("/spec/scopes").and_then(Value::as_array).into_iter().flatten();
    let counts = |scope: &Value| match scope.as_str() {
        Some("NotTerminating") => true,
        Some("BestEffort") => best_effort,
        Some("NotBestEffort") => !best_effort,
        _ => false,
    };
    scopes.into_iter().all(counts) && quota.pointer("/spec/scopeSelector").is_none_or(Value::is_null)
}

fn is_empty(resources: &Value) -> bool {
    resources.as_object().is_none_or(serde_json::Map::is_empty)
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
    fn a_rollout_that_may_take_no_pod_down_needs_room_for_one_more() {
        let of = |replicas: u32, strategy: Value| {
            let with = |memory: &str| {
                let mut deployment = deployment(replicas, memory);
                deployment["spec"]["strategy"] = strategy.clone();
                deployment
            };
            added(&with("512Mi"), &with("520Mi")).get("limits.memory").map(|bytes| bytes / f64::from(1 << 20))
        };
        let rolling = |most: Value| json!({"type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": most }});
        assert_eq!((of(3, Value::Null), of(4, Value::Null)), (Some(520.0), Some(32.0)), "a quarter of three is none");
        assert_eq!(
            (of(3, rolling(json!("50%"))), of(3, rolling(json!(0))), of(3, rolling(json!(1)))),
            (Some(24.0), Some(520.0), Some(24.0))
        );
        assert_eq!(of(3, json!({"type": "Recreate"})), Some(24.0));
    }

    #[test]
    fn the_first_quota_without_room_is_named() {
        let after = deployment(5, "512Mi");
        let more = added(&deployment(3, "512Mi"), &after);
        let full = |hard: Value, used: Value| exceeded(&[quota(&json!({ "hard": hard }), &used)], &after, &more);
        assert_eq!(full(json!({"pods": 20, "limits.memory": "8Gi"}), json!({"pods": "18", "limits.memory": "7Gi"})), None);
        let told = full(json!({"count/pods": "20"}), json!({"count/pods": "19"})).unwrap();
        assert!(told.contains("ResourceQuota team allows 20 of count/pods"), "{told}");
        assert!(full(json!({"memory": "8Gi"}), json!({"memory": "7500Mi"})).is_some());
        assert!(full(json!({"cpu": "8"}), json!({})).is_some(), "not counted yet");
        assert_eq!(full(json!({"services": "1", "limits.memory": "lots"}), json!({"services": "1"})), None, "nothing of the act's");
        let exactly = [("requests.cpu", 0.2 + 0.1 - 0.1)].into();
        let hundreds = quota(&json!({"hard": {"cpu": "300m"}}), &json!({"cpu": "100m"}));
        assert_eq!(exceeded(&[hundreds], &after, &exactly), None, "what fits exactly fits");
    }

    #[test]
    fn a_quota_counts_the_pods_of_its_scopes() {
        let bare = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "cart"}]}}}});
        for (scopes, usual, best_effort) in [
            (json!(["NotTerminating"]), true, true),
            (json!(["BestEffort"]), false, true),
            (json!(["NotBestEffort"]), true, false),
            (json!(["PriorityClass"]), false, false),
        ] {
            let scoped = quota(&json!({"hard": {"pods": "1"}, "scopes": scopes}), &json!({"pods": "1"}));
            let counts = |after: &Value| exceeded(std::slice::from_ref(&scoped), after, &[("pods", 1.0)].into()).is_some();
            assert_eq!((counts(&deployment(3, "1Gi")), counts(&bare)), (usual, best_effort), "{scopes}");
        }
    }
}
