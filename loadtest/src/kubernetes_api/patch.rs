//! The four kinds of patch.

use serde_json::{Map, Value};

/// JSON merge patch (RFC 7396).
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            map_of(target).remove(key);
        } else {
            merge(map_of(target).entry(key.clone()).or_insert(Value::Null), value);
        }
    }
    map_of(target);
}

/// The value as a map; anything else becomes an empty one.
fn map_of(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// By which key Kubernetes' types merge the entries of a list; `None`: the list is replaced.
pub(super) fn merge_key(field: &str) -> Option<&'static str> {
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "ports" => Some("containerPort"),
        "conditions" => Some("type"),
        "ownerReferences" => Some("uid"),
        _ => None,
    }
}

/// Strategic merge patch; server-side apply merges the same way here.
pub(super) fn strategic(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if patch.get("$patch").and_then(Value::as_str) == Some("replace") {
        *target = Value::Object(patch.iter().filter(|(key, _)| *key != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect());
        return;
    }
    for (key, value) in patch
        .iter()
        .filter(|(key, _)| !key.starts_with("$patch") && !key.starts_with("$setElementOrder") && !key.starts_with("$retainKeys"))
    {
        if value.is_null() {
            map_of(target).remove(key);
            continue;
        }
        let present = map_of(target).entry(key.clone()).or_insert(Value::Null);
        match (merge_key(key), present, value) {
            (Some(by), Value::Array(present), Value::Array(entries)) if entries.iter().all(|e| e.get(by).is_some()) => {
                merge_list(present, entries, by)
            }
            (_, present, value) => strategic(present, value),
        }
    }
    map_of(target);
}

fn merge_list(present: &mut Vec<Value>, entries: &[Value], by: &str) {
    for entry in entries {
        let at = present.iter().position(|p| p.get(by) == entry.get(by));
        let deletes = entry.get("$patch").and_then(Value::as_str) == Some("delete");
        match at {
            Some(at) if deletes => {
                present.remove(at);
            }
            Some(at) => strategic(&mut present[at], entry),
            None if deletes => {}
            None => {
                let mut made = Value::Null;
                strategic(&mut made, entry);
                present.push(made);
            }
        }
    }
}

/// Why a JSON patch was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatchError {
    /// It is none: 400.
    Malformed(String),
    /// A test failed or a path leads nowhere: 422.
    DoesNotApply(String),
}

/// JSON patch (RFC 6902). Nothing is changed when any operation fails.
pub(super) fn json_patch(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations = patch.as_array().ok_or_else(|| PatchError::Malformed("a JSON patch is a list of operations".into()))?;
    let mut made = target.clone();
    for (index, operation) in operations.iter().enumerate() {
        apply(&mut made, operation).map_err(|error| match error {
            PatchError::Malformed(why) => PatchError::Malformed(format!("operation {index}: {why}")),
            PatchError::DoesNotApply(why) => PatchError::DoesNotApply(format!("operation {index}: {why}")),
        })?;
    }
    *target = made;
    Ok(())
}

fn apply(target: &mut Value, operation: &Value) -> Result<(), PatchError> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).ok_or_else(|| PatchError::Malformed(format!("`{key}` is missing")));
    let value = || operation.get("value").cloned().ok_or_else(|| PatchError::Malformed("`value` is missing".into()));
    let path = text("path")?;
    let nowhere = |path: &str| PatchError::DoesNotApply(format!("{path} is missing"));
    match text("op")? {
        "add" => add(target, path, value()?).ok_or_else(|| nowhere(path)),
        "remove" => remove(target, path).map(drop).ok_or_else(|| nowhere(path)),
        "replace" => {
            let value = value()?;
            *target.pointer_mut(path).ok_or_else(|| nowhere(path))? = value;
            Ok(())
        }
        "move" => {
            let from = text("from")?;
            if path.starts_with(&format!("{from}/")) {
                return Err(PatchError::DoesNotApply(format!("{from} cannot move into itself")));
            }
            let moved = remove(target, from).ok_or_else(|| nowhere(from))?;
            add(target, path, moved).ok_or_else(|| nowhere(path))
        }
        "copy" => {
            let from = text("from")?;
            let copied = target.pointer(from).cloned().ok_or_else(|| nowhere(from))?;
            add(target, path, copied).ok_or_else(|| nowhere(path))
        }
        "test" => {
            let wanted = value()?;
            let stands = target.pointer(path).ok_or_else(|| nowhere(path))?;
            if *stands == wanted { Ok(()) } else { Err(PatchError::DoesNotApply(format!("testing value {path} failed"))) }
        }
        other => Err(PatchError::Malformed(format!("`{other}` is no operation"))),
    }
}

fn parent<'a, 'p>(target: &'a mut Value, path: &'p str) -> Option<(&'a mut Value, String)> {
    let (parent, last): (&'p str, &'p str) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    let (parent, key) = parent(target, path)?;
    match parent {
        Value::Object(map) => {
            map.insert(key, value);
        }
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => {
            let at: usize = key.parse().ok().filter(|at| *at <= list.len())?;
            list.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = parent(target, path)?;
    match parent {
        Value::Object(map) => map.remove(&key),
        Value::Array(list) => {
            let at: usize = key.parse().ok().filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strategic_merges_containers_by_name() {
        let mut object = json!({"containers": [{"name": "a", "image": "1", "args": ["x", "y"]}, {"name": "b"}], "finalizers": ["f"]});
        strategic(
            &mut object,
            &json!({"containers": [{"name": "a", "image": "2", "args": ["z"]}, {"name": "b", "$patch": "delete"}, {"name": "c"}], "finalizers": ["g"]}),
        );
        assert_eq!(object, json!({"containers": [{"name": "a", "image": "2", "args": ["z"]}, {"name": "c"}], "finalizers": ["g"]}));
        merge(&mut object, &json!({"containers": [{"name": "only"}], "finalizers": null}));
        assert_eq!(object, json!({"containers": [{"name": "only"}]}));
    }

    #[test]
    fn a_json_patch_is_all_or_nothing() {
        let start = json!({"a": [1, 2], "b": {"c~d": 1}});
        let mut object = start.clone();
        let failing = json!([{"op": "add", "path": "/a/-", "value": 3}, {"op": "test", "path": "/b/c~0d", "value": 2}]);
        assert!(matches!(json_patch(&mut object, &failing), Err(PatchError::DoesNotApply(_))));
        assert_eq!(object, start);
        let good = json!([
            {"op": "test", "path": "/b/c~0d", "value": 1}, {"op": "add", "path": "/a/0", "value": 0}, {"op": "remove", "path": "/a/2"},
            {"op": "replace", "path": "/a/1", "value": 9}, {"op": "copy", "from": "/a", "path": "/d"}, {"op": "move", "from": "/b", "path": "/e"},
        ]);
        json_patch(&mut object, &good).unwrap();
        assert_eq!(object, json!({"a": [0, 9], "d": [0, 9], "e": {"c~d": 1}}));
        for (bad, malformed) in
            [(json!({}), true), (json!([{"op": "fly", "path": ""}]), true), (json!([{"op": "remove", "path": "/x"}]), false)]
        {
            let error = json_patch(&mut object, &bad).unwrap_err();
            assert_eq!(matches!(error, PatchError::Malformed(_)), malformed, "{bad}");
        }
    }
}
