//! JSON pointers and merge patches (RFC 6901, RFC 7396).

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields by JSON pointer; `null` stands for "absent".
pub(super) type Fields = BTreeMap<String, Value>;

/// Escapes one step of a pointer.
pub(super) fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The values that stand at the pointers of `fields`.
pub(super) fn standing<'a>(object: &Value, pointers: impl IntoIterator<Item = &'a String>) -> Fields {
    pointers.into_iter().map(|pointer| (pointer.clone(), object.pointer(pointer).cloned().unwrap_or(Value::Null))).collect()
}

/// The object with the fields set; missing maps on the way are made, lists are not.
///
/// # Errors
/// In words, when a pointer leads through something that is not there and is no map.
pub(super) fn with(object: &Value, fields: &Fields) -> Result<Value, String> {
    let mut object = object.clone();
    for (pointer, value) in fields {
        set(&mut object, pointer, value).ok_or_else(|| format!("{pointer} leads nowhere"))?;
    }
    Ok(object)
}

fn set(object: &mut Value, pointer: &str, value: &Value) -> Option<()> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let mut at = object;
    for key in parent.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")) {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(map) => map.entry(key).or_insert(Value::Null),
            Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    let last = last.replace("~1", "/").replace("~0", "~");
    match at {
        Value::Object(map) if value.is_null() => {
            map.remove(&last);
        }
        Value::Object(map) => {
            map.insert(last, value.clone());
        }
        Value::Array(list) => *list.get_mut(last.parse::<usize>().ok()?)? = value.clone(),
        _ => return None,
    }
    Some(())
}

/// The merge patch that makes `to` of `from`: maps are compared key by key, lists are written whole.
pub(super) fn merge_patch(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let mut patch = Map::new();
    for key in from.keys().filter(|key| to.get(*key).is_none_or(Value::is_null)) {
        if !from[key].is_null() {
            patch.insert(key.clone(), Value::Null);
        }
    }
    for (key, value) in to.iter().filter(|(_, value)| !value.is_null()) {
        match from.get(key) {
            Some(old) if old == value => {}
            Some(old) => {
                patch.insert(key.clone(), merge_patch(old, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

/// Applies a merge patch.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_leads_exactly_from_one_to_the_other() {
        let from = json!({"a": {"x": 1, "y": [1, {"z": 2}]}, "b": "old", "gone": {"k": 1}});
        let to = json!({"a": {"x": 1, "y": [1, {"z": 3}]}, "b": {"now": "a map"}, "new": true});
        let patch = merge_patch(&from, &to);
        let mut made = from.clone();
        merge(&mut made, &patch);
        assert_eq!(made, to);
        assert_eq!(merge_patch(&to, &to), json!({}));
        assert!(patch["a"].get("x").is_none(), "what stays is not in it");
    }

    #[test]
    fn fields_are_set_made_and_removed() {
        let object = json!({"spec": {"list": [{"name": "a"}]}});
        let fields = Fields::from([
            ("/metadata/annotations/a.b~1c".to_owned(), json!("v")),
            ("/spec/list/0/limits/memory".to_owned(), json!("1Gi")),
            ("/spec/list/0/name".to_owned(), Value::Null),
        ]);
        let made = with(&object, &fields).unwrap();
        assert_eq!(made, json!({"metadata": {"annotations": {"a.b/c": "v"}}, "spec": {"list": [{"limits": {"memory": "1Gi"}}]}}));
        assert_eq!(standing(&made, fields.keys())["/spec/list/0/name"], Value::Null);
        assert!(with(&object, &Fields::from([("/spec/list/5/x".to_owned(), json!(1))])).is_err());
    }
}
