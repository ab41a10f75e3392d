//! Who owns which field: `metadata.managedFields`, as server-side apply keeps it (Kubernetes, "Server-Side Apply"). A field that is applied
//! with another value than its owner gave it is a conflict, unless the change is forced.

use super::patch::merge_key;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Steps from the root to a field, as `fieldsV1` writes them: `f:spec`, `k:{"name":"cart"}`.
type Path = Vec<String>;

/// Who writes, and how.
#[derive(Copy, Clone)]
pub(super) struct Writer<'a> {
    pub manager: &'a str,
    pub operation: Operation,
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Apply { force: bool },
    Update,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Apply { .. } => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What no manager owns.
const NOBODYS: [&str; 7] = ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"];

/// The fields of an object with their values.
fn fields(object: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    let Value::Object(map) = object else { return found };
    for (key, value) in map.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "status")) {
        match value {
            Value::Object(metadata) if key == "metadata" => {
                for (key, value) in metadata.iter().filter(|(key, _)| !NOBODYS.contains(&key.as_str())) {
                    collect(vec!["f:metadata".to_owned()], key, value, &mut found);
                }
            }
            value => collect(Vec::new(), key, value, &mut found),
        }
    }
    found
}

fn collect(mut at: Path, key: &str, value: &Value, found: &mut BTreeMap<Path, Value>) {
    at.push(format!("f:{key}"));
    below(at, key, value, found);
}

fn below(at: Path, key: &str, value: &Value, found: &mut BTreeMap<Path, Value>) {
    match (value, merge_key(key)) {
        (Value::Object(map), _) if !map.is_empty() => map.iter().for_each(|(key, value)| collect(at.clone(), key, value, found)),
        (Value::Array(entries), Some(by)) if !entries.is_empty() && entries.iter().all(|entry| entry.get(by).is_some()) => {
            for entry in entries {
                let mut at = at.clone();
                at.push(format!("k:{}", json!({ by: entry[by] })));
                below(at, "", entry, found);
            }
        }
        _ => drop(found.insert(at, value.clone())),
    }
}

/// Of each manager and operation, the fields.
fn owners(object: &Value) -> BTreeMap<(String, String), BTreeSet<Path>> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut owners = BTreeMap::new();
    for entry in entries {
        let mut paths = BTreeSet::new();
        read(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        owners.insert((text(entry, "manager"), text(entry, "operation")), paths);
    }
    owners
}

fn read(node: &Value, at: &mut Path, paths: &mut BTreeSet<Path>) {
    match node.as_object() {
        Some(map) if !map.is_empty() => {
            for (step, node) in map {
                at.push(step.clone());
                read(node, at, paths);
                at.pop();
            }
        }
        _ => drop(paths.insert(at.clone())),
    }
}

fn written(paths: &BTreeSet<Path>) -> Value {
    let mut root = Value::Object(Map::new());
    for path in paths {
        let mut node = &mut root;
        for step in path {
            node = &mut node[step.as_str()];
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
        }
    }
    root
}

/// Puts on record who owns what once `new` stands in place of `old`. `applied` is what was applied, for an apply.
///
/// # Errors
/// Every field of `applied` that another manager owns with another value, by the manager's name.
pub(super) fn settle(
    writer: Writer<'_>,
    old: Option<&Value>,
    new: &mut Value,
    applied: Option<&Value>,
) -> Result<(), Vec<(String, String)>> {
    let (before, after) = (old.map(fields).unwrap_or_default(), fields(new));
    let mut owners = old.map(owners).unwrap_or_default();
    let me = (writer.manager.to_owned(), writer.operation.as_str().to_owned());
    let changed: BTreeSet<Path> =
        after.iter().filter(|(path, value)| before.get(*path) != Some(*value)).map(|(path, _)| path.clone()).collect();
    if let (Operation::Apply { force: false }, Some(applied)) = (writer.operation, applied) {
        let contested = fields(applied).into_keys().filter(|path| changed.contains(path));
        let conflicts = contested.filter_map(|path| {
            let owner = owners.iter().find(|(who, paths)| who.0 != me.0 && paths.contains(&path))?.0;
            Some((owner.0.clone(), path.iter().map(|step| step.replacen("f:", ".", 1)).collect()))
        });
        let conflicts: Vec<_> = conflicts.collect();
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
    }
    let mine = applied.map_or_else(|| changed.clone(), |applied| fields(applied).into_keys().collect());
    for (who, paths) in &mut owners {
        paths.retain(|path| after.contains_key(path) && (*who == me || !changed.contains(path)));
    }
    match (writer.operation, owners.entry(me)) {
        (Operation::Apply { .. }, entry) => drop(entry.insert_entry(mine)),
        (Operation::Update, entry) => entry.or_default().extend(mine),
    }
    let version = new["apiVersion"].clone();
    let entries = owners.iter().filter(|(_, paths)| !paths.is_empty()).map(|((manager, operation), paths)| {
        json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": written(paths)})
    });
    new["metadata"]["managedFields"] = entries.collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_and_read_back() {
        let object = json!({"kind": "Deployment", "metadata": {"name": "cart", "annotations": {"a.b/c": "1"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "cart", "args": ["x"]}]}}}});
        let paths: BTreeSet<Path> = fields(&object).into_keys().collect();
        let tree = written(&paths);
        assert_eq!(tree["f:spec"]["f:replicas"], json!({}));
        assert_eq!(tree["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"cart\"}"]["f:args"], json!({}));
        assert!(tree["f:metadata"].get("f:name").is_none());
        let mut again = BTreeSet::new();
        read(&tree, &mut Vec::new(), &mut again);
        assert_eq!(again, paths);
    }
}
