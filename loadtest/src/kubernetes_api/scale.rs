//! The `scale` subresource of a deployment: its number of replicas as an object of its own, without annotations.

use serde_json::{Value, json};

/// As it is read.
pub(super) fn of(deployment: &Value) -> Value {
    let metadata = &deployment["metadata"];
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {"replicas": deployment["status"]["replicas"].as_i64().unwrap_or(0)},
    })
}

/// The deployment with what was written to its scale.
pub(super) fn onto(deployment: &Value, scale: &Value) -> Value {
    let mut new = deployment.clone();
    new["spec"]["replicas"] = scale["spec"]["replicas"].clone();
    if let Some(version) = scale["metadata"]["resourceVersion"].as_str() {
        new["metadata"]["resourceVersion"] = json!(version);
    }
    new
}
