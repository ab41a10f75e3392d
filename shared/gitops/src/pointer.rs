//! JSON pointers (RFC 6901).

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields by pointer; `null` stands for "absent".
pub(crate) type Fields = BTreeMap<String, Value>;

/// The steps of a pointer, unescaped.
pub(crate) fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// A step, escaped.
pub(crate) fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What stands at the pointers.
pub(crate) fn standing<'a>(object: &Value, pointers: impl IntoIterator<Item = &'a String>) -> Fields {
    let at = |pointer: &String| object.pointer(pointer).cloned().unwrap_or(Value::Null);
    pointers.into_iter().map(|pointer| (pointer.clone(), at(pointer))).collect()
}

/// Sets one field, making maps that are missing; `null` removes it, and the maps that it leaves empty. `None` when it leads nowhere.
pub(crate) fn set(object: &mut Value, pointer: &str, value: &Value) -> Option<()> {
    let steps = steps(pointer);
    if value.is_null() { remove(object, &steps) } else { write(object, &steps, value) }
}

fn write(object: &mut Value, steps: &[String], value: &Value) -> Option<()> {
    let mut at = object;
    for step in steps {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(map) => map.entry(step.clone()).or_insert(Value::Null),
            Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    *at = value.clone();
    Some(())
}

fn remove(object: &mut Value, steps: &[String]) -> Option<()> {
    let (first, rest) = steps.split_first()?;
    let next = match object {
        Value::Object(map) if rest.is_empty() => return map.remove(first).map(drop),
        Value::Object(map) => map.get_mut(first)?,
        Value::Array(list) => list.get_mut(first.parse::<usize>().ok()?)?,
        _ => return None,
    };
    remove(next, rest)?;
    if next.as_object().is_some_and(Map::is_empty)
        && let Value::Object(map) = object
    {
        map.remove(first);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_set_and_removed_with_what_they_leave_empty() {
        let mut object = json!({"spec": {"list": [{"name": "a"}]}});
        set(&mut object, "/spec/list/0/limits/memory", &json!("1Gi")).unwrap();
        set(&mut object, "/a~1b", &json!(1)).unwrap();
        assert_eq!(object, json!({"spec": {"list": [{"name": "a", "limits": {"memory": "1Gi"}}]}, "a/b": 1}));
        assert_eq!(standing(&object, [&"/a~1b".to_owned()])["/a~1b"], 1);
        set(&mut object, "/spec/list/0/limits/memory", &Value::Null).unwrap();
        assert_eq!(object, json!({"spec": {"list": [{"name": "a"}]}, "a/b": 1}));
        assert!(set(&mut object, "/spec/list/7/x", &json!(1)).is_none());
        assert_eq!(steps("/a~1b/c"), ["a/b", "c"]);
        assert_eq!(step("a/b~c"), "a~1b~0c");
    }
}
