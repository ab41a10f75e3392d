//! What an API server checks of the objects that picket changes. 400 for the wrong type, 422 for the wrong value.

use super::resource::Resource;
use super::status::Status;
use crate::quantity;
use serde_json::Value;

/// Checks an object that is to be stored; `old` is what stands.
pub(super) fn check(resource: &Resource, name: &str, old: Option<&Value>, new: &Value) -> Result<(), Status> {
    for field in ["labels", "annotations"] {
        let entries = &new["metadata"][field];
        let texts = entries.is_null() || entries.as_object().is_some_and(|map| map.values().all(Value::is_string));
        if !texts {
            return Err(Status::bad_request(format!("metadata.{field} holds something that is not text")));
        }
    }
    if !is_name(name) {
        return Err(Status::invalid(
            resource,
            name,
            "metadata.name",
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
        ));
    }
    let invalid = |field: &str, why: &str| Err(Status::invalid(resource, name, field, why));
    match resource.kind {
        "Deployment" => deployment(&invalid, old, new),
        "PersistentVolumeClaim" => claim(&invalid, old, new),
        "Secret" if old.is_some_and(|old| old["type"] != new["type"]) => invalid("type", "field is immutable"),
        "NetworkPolicy" => policy(&invalid, new),
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    bytes.len() <= 253
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-' || *b == b'.')
}

fn deployment(invalid: &dyn Fn(&str, &str) -> Result<(), Status>, old: Option<&Value>, new: &Value) -> Result<(), Status> {
    let spec = &new["spec"];
    match &spec["replicas"] {
        Value::Null => {}
        Value::Number(n) if n.as_i64().is_none() => return Err(Status::bad_request("spec.replicas is not a whole number")),
        Value::Number(n) if n.as_i64().is_some_and(|n| n < 0) => return invalid("spec.replicas", "must be greater than or equal to 0"),
        Value::Number(_) => {}
        _ => return Err(Status::bad_request("spec.replicas is not a number")),
    }
    let selector = spec["selector"]["matchLabels"].as_object();
    if selector.is_none_or(serde_json::Map::is_empty) {
        return invalid("spec.selector", "Required value");
    }
    if old.is_some_and(|old| old["spec"]["selector"] != spec["selector"]) {
        return invalid("spec.selector", "field is immutable");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_some_and(|selector| selector.iter().any(|(key, value)| labels.get(key) != Some(value))) {
        return invalid("spec.template.metadata.labels", "`selector` does not match template `labels`");
    }
    let containers = spec["template"]["spec"]["containers"].as_array();
    if containers.is_none_or(Vec::is_empty) {
        return invalid("spec.template.spec.containers", "Required value");
    }
    for (index, container) in containers.into_iter().flatten().enumerate() {
        let at = format!("spec.template.spec.containers[{index}]");
        if container["name"].as_str().is_none_or(str::is_empty) {
            return invalid(&format!("{at}.name"), "Required value");
        }
        resources(invalid, &format!("{at}.resources"), &container["resources"])?;
    }
    Ok(())
}

fn resources(invalid: &dyn Fn(&str, &str) -> Result<(), Status>, at: &str, resources: &Value) -> Result<(), Status> {
    let amount = |part: &str, name: &str| quantity::of_json(resources[part].get(name));
    for part in ["requests", "limits"] {
        for (name, _) in resources[part].as_object().into_iter().flatten() {
            match amount(part, name) {
                None => return Err(Status::bad_request(format!("{at}.{part}.{name} is no quantity"))),
                Some(value) if value < 0.0 => return invalid(&format!("{at}.{part}.{name}"), "must be greater than or equal to 0"),
                Some(_) => {}
            }
        }
    }
    for name in ["cpu", "memory"] {
        if let (Some(request), Some(limit)) = (amount("requests", name), amount("limits", name))
            && request > limit
        {
            return invalid(&format!("{at}.requests"), &format!("must be less than or equal to {name} limit"));
        }
    }
    Ok(())
}

fn claim(invalid: &dyn Fn(&str, &str) -> Result<(), Status>, old: Option<&Value>, new: &Value) -> Result<(), Status> {
    let size = |claim: &Value| quantity::of_json(claim["spec"]["resources"]["requests"].get("storage"));
    let Some(wanted) = size(new) else {
        return invalid("spec.resources.requests.storage", "Required value");
    };
    if wanted <= 0.0 {
        return invalid("spec.resources.requests.storage", "must be greater than zero");
    }
    let Some(old) = old else { return Ok(()) };
    if size(old).is_some_and(|stands| wanted < stands) {
        return invalid("spec.resources.requests.storage", "field can not be less than previous value");
    }
    let rest = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        if let Value::Object(spec) = &mut spec {
            spec.remove("resources");
        }
        spec
    };
    if rest(old) != rest(new) {
        return invalid("spec", "is immutable after creation except resources.requests");
    }
    Ok(())
}

fn policy(invalid: &dyn Fn(&str, &str) -> Result<(), Status>, new: &Value) -> Result<(), Status> {
    let spec = &new["spec"];
    if !spec["podSelector"].is_object() {
        return invalid("spec.podSelector", "Required value");
    }
    let types = spec["policyTypes"].as_array();
    if types.is_some_and(|types| types.iter().any(|t| t != "Ingress" && t != "Egress")) {
        return invalid("spec.policyTypes", "supported values: \"Ingress\", \"Egress\"");
    }
    Ok(())
}
