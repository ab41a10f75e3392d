//! Evicting a pod: deleting it, unless a PodDisruptionBudget says no.

use super::resource::Place;
use super::status::Status;
use crate::store::{ObjectKey, ObjectStore};
use serde_json::Value;
use std::sync::Arc;

/// Whether the pod may go. As a real server: two budgets for one pod are an error.
pub(super) fn check(store: &ObjectStore, place: &Place, pod: &Value) -> Result<(), Status> {
    let namespace = place.namespace.as_deref();
    let budgets = store.list("policy/v1", "PodDisruptionBudget", namespace);
    let mut covering = budgets.iter().filter(|budget| selects(budget, pod));
    let Some(budget) = covering.next() else { return Ok(()) };
    if covering.next().is_some() {
        return Err(Status::internal("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."));
    }
    // A pod that is not ready takes nothing from a budget that is kept.
    let pods: Vec<Arc<Value>> = store.list("v1", "Pod", namespace).into_iter().filter(|other| selects(budget, other)).collect();
    let healthy = pods.iter().filter(|pod| is_ready(pod)).count() as i64;
    let needed = needed(budget, pods.len() as i64);
    let after = healthy - i64::from(is_ready(pod));
    if after >= needed {
        return Ok(());
    }
    let name = budget["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::disruption_budget(place, &format!("The disruption budget {name} needs {needed} healthy pods and has {healthy} currently")))
}

/// Removes it.
pub(super) fn evict(store: &mut ObjectStore, place: &Place) -> Result<(), Status> {
    let (namespace, name) = (place.namespace.as_deref().unwrap_or_default(), place.name.as_deref().unwrap_or_default());
    store.delete(&ObjectKey::new("v1", "Pod", namespace, name), None).map(drop).map_err(|error| Status::of_store(place.resource, error))
}

fn selects(budget: &Value, pod: &Value) -> bool {
    let wanted = budget["spec"]["selector"]["matchLabels"].as_object();
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value)))
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Healthy pods that must stay: whole numbers or percentages, rounded up, as the disruption controller does.
fn needed(budget: &Value, pods: i64) -> i64 {
    let amount = |value: &Value| {
        let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
        percent.map_or_else(|| value.as_i64().unwrap_or(0), |percent| (percent * pods + 99) / 100)
    };
    match (&budget["spec"]["minAvailable"], &budget["spec"]["maxUnavailable"]) {
        (Value::Null, Value::Null) => 0,
        (Value::Null, most) => pods - amount(most),
        (least, _) => amount(least),
    }
}
