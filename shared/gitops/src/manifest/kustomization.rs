//! Kustomize: what a kustomization changes after the manifest, and which one lists it.

use super::{folder_of, joined};
use crate::git::File;
use crate::yaml::{self, Told};
use picket_core::action::RemediationKind;
use serde_json::Value;

/// The names that Kustomize looks for.
pub(crate) fn is_kustomization(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("kustomization.yaml" | "kustomization.yml" | "Kustomization"))
}

fn read(file: &File) -> Told<Value> {
    let documents = yaml::parse(&file.text).map_err(|why| format!("{}: {why}", file.path))?;
    let root = documents.first().and_then(|document| document.root.as_ref());
    root.map_or(Ok(Value::Null), yaml::value).map_err(|why| format!("{}: {why}", file.path))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Why a change of the manifest would not be what reaches the cluster.
///
/// # Errors
/// As the reason, when a kustomization cannot be read.
pub(crate) fn obstacle(kustomizations: &[File], kind: &str, name: &str, remediation: RemediationKind) -> Option<String> {
    kustomizations.iter().find_map(|file| match read(file) {
        Ok(kustomization) => overrides(&kustomization, kind, name, remediation).map(|why| format!("{} {why}", file.path)),
        Err(why) => Some(why),
    })
}

fn overrides(kustomization: &Value, kind: &str, name: &str, remediation: RemediationKind) -> Option<String> {
    if ["namePrefix", "nameSuffix"].iter().any(|key| kustomization.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty())) {
        return Some("changes names".to_owned());
    }
    if remediation == RemediationKind::Scale && list(kustomization, "replicas").any(|r| r.get("name").and_then(Value::as_str) == Some(name))
    {
        return Some(format!("sets the replicas of {name}"));
    }
    if remediation == RemediationKind::Rollback && list(kustomization, "images").next().is_some() {
        return Some("sets images: the history of the manifest is not that of what ran".to_owned());
    }
    let keys = ["patches", "patchesStrategicMerge", "patchesJson6902"];
    let meant = keys.iter().flat_map(|key| list(kustomization, key)).any(|patch| is_meant(patch, kind, name));
    meant.then(|| format!("patches {name}"))
}

/// Whether a patch may be of the object: it names it, or it goes by something else than a name.
fn is_meant(patch: &Value, kind: &str, name: &str) -> bool {
    let field = |key: &str| patch.get("target").and_then(|target| target.get(key)).and_then(Value::as_str);
    let by_selector = patch.get("target").is_some() && field("name").is_none() && field("kind").is_none_or(|of| of == kind);
    // Names of targets are regular expressions: a literal one names itself, and for others caution is enough.
    let by_pattern = field("name").is_some_and(|of| of.contains(['*', '.', '|', '[', '(']) && field("kind").is_none_or(|k| k == kind));
    by_selector || by_pattern || patch.to_string().contains(name)
}

/// Whether a kustomization's namespace is not the object's, or, when that is asked for, is not said.
pub(crate) fn namespace_of(kustomizations: &[File], manifest: &str) -> Told<Option<String>> {
    let mut folder = folder_of(manifest);
    loop {
        for file in kustomizations.iter().filter(|file| folder_of(&file.path) == folder) {
            if let Some(namespace) = read(file)?.get("namespace").and_then(Value::as_str) {
                return Ok(Some(namespace.to_owned()));
            }
        }
        if folder.is_empty() {
            return Ok(None);
        }
        folder = folder_of(folder);
    }
}

/// The kustomizations that list the manifest, each with the text by which it would list a file `name` beside it.
///
/// # Errors
/// In words, when one cannot be read.
pub(crate) fn listing<'a>(kustomizations: &'a [File], manifest: &str, name: &str) -> Told<Vec<(&'a File, String)>> {
    let mut found = Vec::new();
    for file in kustomizations {
        let read = read(file)?;
        let listed = list(&read, "resources").filter_map(Value::as_str).find(|path| joined(folder_of(&file.path), path) == manifest);
        if let Some(path) = listed {
            let beside = path.rsplit_once('/').map_or_else(|| name.to_owned(), |(folder, _)| format!("{folder}/{name}"));
            found.push((file, beside));
        }
    }
    Ok(found)
}
