//! Whether what a manifest says stands in the cluster.

use picket_core::quantity;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether the object bears these fields of its manifest. What the server adds to them (defaults) is no difference, and quantities are equal
/// however they are written. Pointers that are none into an object of Kubernetes (a commit's own) are not looked at.
pub(super) fn bears(object: &Value, fields: &BTreeMap<String, Value>) -> bool {
    let of_object = |pointer: &str| pointer.starts_with("/spec/") || pointer.starts_with("/metadata/");
    fields.iter().filter(|(pointer, _)| of_object(pointer)).all(|(pointer, wanted)| contains(object.pointer(pointer), wanted))
}

fn contains(standing: Option<&Value>, wanted: &Value) -> bool {
    match (standing, wanted) {
        (None | Some(Value::Null), wanted) => wanted.is_null(),
        (Some(Value::Object(standing)), Value::Object(wanted)) => wanted.iter().all(|(key, value)| contains(standing.get(key), value)),
        (Some(Value::Array(standing)), Value::Array(wanted)) => {
            standing.len() == wanted.len() && standing.iter().zip(wanted).all(|(standing, wanted)| contains(Some(standing), wanted))
        }
        (Some(standing), wanted) => standing == wanted || quantity::of(standing).is_some_and(|amount| Some(amount) == quantity::of(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_no_difference_and_another_value_is() {
        let live = json!({"spec": {"replicas": 5, "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
            {"name": "cart", "image": "cart:1", "imagePullPolicy": "Always", "resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}]}}}});
        let bears = |pointer: &str, value: Value| bears(&live, &[(pointer.to_owned(), value)].into());
        assert!(bears("/spec/replicas", json!(5)) && !bears("/spec/replicas", json!(4)));
        assert!(bears("/spec/template/spec/containers/0/resources/limits/memory", json!("1024Mi")));
        assert!(bears("/spec/template/spec/containers/0/resources/limits/cpu", json!(1)));
        assert!(bears("/spec/template", json!({"spec": {"containers": [{"name": "cart", "image": "cart:1"}]}})));
        assert!(!bears("/spec/template", json!({"spec": {"containers": [{"name": "cart", "image": "cart:2"}]}})));
        assert!(!bears("/spec/template", json!({"spec": {"containers": []}})));
        assert!(bears("/spec/paused", Value::Null) && !bears("/spec/paused", json!(true)));
        assert!(bears("/commit/Picket-Action-Id", json!("act-1")), "it is the commit's");
    }
}
