//! What an act means for the files of a branch: pure, so that what was read before the claim is all that the write depends on [M3].

mod backward;
mod fields;
mod quarantine;

pub(crate) use fields::restarted_at;
pub(crate) use quarantine::file_name;

use crate::git::{Change, File};
use crate::manifest::{self, Manifest, Wanted};
use crate::pointer::{self, Fields, standing};
use crate::yaml::{self, Told};
use picket_core::action::{Action, Remediation};
use picket_core::outcome::{IN_GIT, ObjectRef};
use picket_core::proposal::Work;
use picket_core::quarantine::{closed_spec, policy_name};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// In receipts: the entry that the commit's trailer names.
pub(crate) const STAMP: &str = "/commit/Picket-Action-Id";

/// Everything that was read before the claim: [`picket_core::ports::Before::content`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Which branch of which repository.
    pub branch: String,
    /// The file that is changed, or made.
    pub path: String,
    /// It, when it is there.
    pub file: Option<File>,
    /// Rollback: the file as it was before; undo: as it was before the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
    /// Undo: the file as the act had left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// Quarantine: the labels that select the workload's pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<Value>,
    /// Quarantine: the kustomizations that must list the new file, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed_in: Vec<(File, String)>,
    /// The request that is merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Requested>,
}

/// A request whose checks are green.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requested {
    /// The head of its branch.
    pub commit: String,
    /// Restart: the time that stands in it.
    pub restarted_at: Option<String>,
}

/// What is to be committed, and what the receipt says of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// The files.
    pub changes: Vec<Change>,
    /// The fields before.
    pub before: Fields,
    /// The fields after.
    pub after: Fields,
}

/// The object that an act changes.
pub(crate) fn target(action: &Action) -> ObjectRef {
    let service = &action.service;
    let (kind, name) = match &action.remediation {
        Remediation::ExpandVolume { claim, .. } => ("PersistentVolumeClaim", claim.clone()),
        Remediation::RenewCertificate { secret } => ("Secret", secret.clone()),
        Remediation::SetReplicaBounds { autoscaler, .. } => ("HorizontalPodAutoscaler", autoscaler.clone()),
        Remediation::Quarantine => ("NetworkPolicy", policy_name(&service.name)),
        _ => ("Deployment", service.name.clone()),
    };
    ObjectRef { kind: format!("{IN_GIT}{kind}"), namespace: service.namespace.clone(), name }
}

/// As manifests name it.
pub(crate) fn wanted(at: &ObjectRef) -> Wanted<'_> {
    Wanted { kind: at.kind.strip_prefix(IN_GIT).unwrap_or(&at.kind), namespace: &at.namespace, name: &at.name }
}

/// What the work commits; `at` is the time of the commit.
///
/// # Errors
/// In words, when the files do not allow it.
pub(crate) fn plan(work: &Work, reading: &Reading, at: Timestamp) -> Told<Planned> {
    let action = work.action();
    let target = target(action);
    let found = reading.file.as_ref().map(|file| manifest::only(&file.text, wanted(&target))).transpose()?;
    if let Some(why) = found.as_ref().and_then(|manifest| hands_off(&manifest.object)) {
        return Err(why.to_owned());
    }
    let text = match work {
        Work::Undo { receipt, .. } => backward::text(action, reading, found.as_ref(), receipt)?,
        Work::Do { .. } => forward(action, reading, found.as_ref(), at)?,
    };
    let (keys, text) = text;
    let made = manifest::only(&text, wanted(&target)).map_err(|why| format!("it cannot be edited in place: {why}"))?;
    let old = found.map_or(Value::Null, |manifest| manifest.object);
    let (before, after) = (standing(&old, &keys), standing(&made.object, &keys));
    if before == after {
        return Err("it is so already".to_owned());
    }
    let mode = reading.file.as_ref().map_or_else(|| "100644".to_owned(), |file| file.mode.clone());
    let mut changes = vec![Change { path: reading.path.clone(), mode, text }];
    for (file, listed) in &reading.listed_in {
        changes.push(Change { path: file.path.clone(), mode: file.mode.clone(), text: yaml::append(&file.text, "resources", listed)? });
    }
    Ok(Planned { changes, before, after })
}

/// Why picket keeps its hands off this object, if it does.
pub(crate) fn hands_off(object: &Value) -> Option<&'static str> {
    let managed = object.pointer("/metadata/labels").and_then(|labels| labels.get("picket.dev/managed"))?;
    (managed == &json!("false") || managed == &json!(false)).then_some("it is labelled picket.dev/managed=false")
}

/// The pointers of the receipt, and the file's new text.
type Text = (Vec<String>, String);

fn forward(action: &Action, reading: &Reading, found: Option<&Manifest>, at: Timestamp) -> Told<Text> {
    match &action.remediation {
        Remediation::RenewCertificate { .. } => Err("a certificate's renewal is asked of the cluster: nothing in git says it".to_owned()),
        Remediation::Quarantine => {
            if found.is_some_and(|policy| !quarantine::is_ours(&policy.object)) {
                return Err("a policy of this name exists and is not picket's".to_owned());
            }
            let labels = reading.pod_labels.as_ref().ok_or("the labels of the workload's pods are not known")?;
            Ok((vec!["/spec".to_owned()], quarantine::file(&action.service, &closed_spec(labels))))
        }
        Remediation::Rollback { .. } => {
            let file = reading.file.as_ref().ok_or("it does not exist")?;
            let earlier = reading.earlier.as_ref().ok_or("the branch's history knows no other pod template of it")?;
            let pointer = "/spec/template".to_owned();
            Ok((vec![pointer.clone()], spliced(file, wanted(&target(action)), &pointer, earlier)?))
        }
        remediation => {
            let (file, found) = reading.file.as_ref().zip(found).ok_or("it does not exist")?;
            let requested = reading.request.as_ref().and_then(|request| request.restarted_at.clone());
            let stamp = requested.map_or_else(|| fields::rfc3339(at), Ok)?;
            let fields = fields::forward(remediation, &found.object, &stamp)?;
            let text = edited(file, found, &fields)?;
            Ok((fields.into_keys().collect(), text))
        }
    }
}

/// The file with the fields set, read back.
pub(super) fn edited(file: &File, found: &Manifest, fields: &Fields) -> Told<String> {
    let (mut text, mut expected) = (file.text.clone(), found.object.clone());
    for (pointer, value) in fields {
        if found.object.pointer(pointer).unwrap_or(&Value::Null) != value {
            text = yaml::set(&text, found.index, pointer, value)?;
            pointer::set(&mut expected, pointer, value).ok_or_else(|| format!("{pointer} leads nowhere"))?;
        }
    }
    checked(text, found.index, &expected)
}

/// The file with one entry as it is in the earlier text, read back.
pub(super) fn spliced(file: &File, wanted: Wanted<'_>, pointer: &str, earlier: &str) -> Told<String> {
    let (found, old) = (manifest::only(&file.text, wanted)?, manifest::only(earlier, wanted)?);
    let text = yaml::splice(&file.text, found.index, pointer, earlier, old.index)?;
    let mut expected = found.object;
    let value = old.object.pointer(pointer).ok_or_else(|| format!("{pointer} was not there"))?;
    pointer::set(&mut expected, pointer, value).ok_or_else(|| format!("{pointer} leads nowhere"))?;
    checked(text, found.index, &expected)
}

/// An edit by places in the text is believed once the text was read again.
fn checked(text: String, index: usize, expected: &Value) -> Told<String> {
    let documents = yaml::parse(&text).map_err(|why| format!("it cannot be edited in place: {why}"))?;
    let made = documents.get(index).and_then(|document| document.root.as_ref()).map(yaml::value).transpose()?;
    if made.as_ref() == Some(expected) { Ok(text) } else { Err("it cannot be edited in place without changing more".to_owned()) }
}
