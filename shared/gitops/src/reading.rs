//! Reads what an act needs of a branch: the target, and what lies around it.

use crate::git::{Entry, File, Query};
use crate::manifest::{self, Manifest};
use crate::place::Place;
use crate::plan::{self, Reading};
use crate::settings::GitOpsEntry;
use crate::trailer::{self, Trailers};
use picket_core::action::{Action, Remediation, RemediationKind};
use picket_core::outcome::{IN_GIT, ObjectRef, Receipt};
use picket_core::ports::{PortError, PortResult};
use picket_core::proposal::Work;

/// Commits of a file that are looked through for another pod template.
const HISTORY_MAX: usize = 50;

/// The files below the configured folder, as far as they matter.
struct Folder {
    manifests: Vec<File>,
    kustomizations: Vec<File>,
    charts: Vec<String>,
}

/// Reads the branch at `head` for the work.
pub(crate) async fn read(place: &Place, work: &Work, head: &str) -> PortResult<Reading> {
    let action = work.action();
    let at = plan::target(action);
    let mut reading = Reading { branch: place.mirror.name(), ..Reading::default() };
    if matches!(action.remediation, Remediation::RenewCertificate { .. }) {
        return Err(refused(&at, "a certificate's renewal is asked of the cluster: nothing in git says it"));
    }
    if let Remediation::Quarantine = action.remediation {
        policy(place, action, head, &mut reading).await?;
    } else {
        let folder = folder(place, head, &at.name).await?;
        let (file, _) = found(place, &folder, &at, action.kind())?;
        reading.path.clone_from(&file.path);
        reading.file = Some(file);
    }
    match work {
        Work::Do { action } if matches!(action.remediation, Remediation::Rollback { .. }) => {
            reading.earlier = other_template(place, head, &reading, &at).await?;
        }
        Work::Undo { receipt, .. } => before_the_act(place, head, &at, receipt, &mut reading).await?,
        Work::Do { .. } => {}
    }
    Ok(reading)
}

async fn folder(place: &Place, head: &str, name: &str) -> PortResult<Folder> {
    let below = place.entry.folder();
    let entries = place.mirror.entries(head, below).await?;
    let naming = place.mirror.holding(head, below, name).await?;
    let is_yaml = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml");
    let is_manifest = |entry: &&Entry| is_yaml(&entry.path) && !manifest::is_kustomization(&entry.path) && naming.contains(&entry.path);
    let manifests: Vec<Entry> = entries.iter().filter(is_manifest).cloned().collect();
    let kustomizations: Vec<Entry> = entries.iter().filter(|entry| manifest::is_kustomization(&entry.path)).cloned().collect();
    let charts = entries.iter().filter(|entry| entry.path.rsplit('/').next() == Some("Chart.yaml"));
    Ok(Folder {
        charts: charts.map(|entry| manifest::folder_of(&entry.path).to_owned()).collect(),
        manifests: place.mirror.files(&manifests).await?,
        kustomizations: place.mirror.files(&kustomizations).await?,
    })
}

/// The one manifest of the object, when a change of it is what reaches the cluster.
fn found(place: &Place, folder: &Folder, at: &ObjectRef, kind: RemediationKind) -> PortResult<(File, Manifest)> {
    let told = |why: String| refused(at, &why);
    let wanted = plan::wanted(at);
    let (index, manifest) = manifest::find(&folder.manifests, wanted)
        .map_err(told)?
        .ok_or_else(|| refused(at, &format!("no manifest below `{}` of {} is of it", place.entry.folder(), place.mirror.name())))?;
    let file = &folder.manifests[index];
    if let Some(chart) = folder.charts.iter().find(|chart| is_below(&file.path, chart)) {
        return Err(refused(at, &format!("{} belongs to the Helm chart in `{chart}`", file.path)));
    }
    if let Some(why) = manifest::obstacle(&folder.kustomizations, wanted.kind, wanted.name, kind) {
        return Err(refused(at, &why));
    }
    if let Some(why) = elsewhere(&place.entry, folder, &file.path, &manifest, at).map_err(told)? {
        return Err(refused(at, &why));
    }
    Ok((file.clone(), manifest))
}

/// Why a manifest may be of another namespace.
fn elsewhere(entry: &GitOpsEntry, folder: &Folder, path: &str, manifest: &Manifest, at: &ObjectRef) -> Result<Option<String>, String> {
    let said = manifest::namespace_of(&folder.kustomizations, path)?;
    Ok(match said {
        Some(other) if other != at.namespace => Some(format!("a kustomization puts {path} into the namespace {other}")),
        None if !manifest.names_namespace && entry.namespaces.len() > 1 => {
            Some(format!("{path} does not say its namespace, and the folder is of several"))
        }
        _ => None,
    })
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The policy's file lies beside the manifest of the Deployment, and is listed where that is listed.
async fn policy(place: &Place, action: &Action, head: &str, reading: &mut Reading) -> PortResult<()> {
    let service = &action.service;
    let at = plan::target(action);
    let deployment = ObjectRef { kind: format!("{}Deployment", IN_GIT), namespace: service.namespace.clone(), name: service.name.clone() };
    let folder = folder(place, head, &service.name).await?;
    let (file, manifest) = found(place, &folder, &deployment, action.kind())?;
    if let Some(why) = plan::hands_off(&manifest.object) {
        return Err(refused(&deployment, why));
    }
    reading.pod_labels = manifest.object.pointer("/spec/selector/matchLabels").filter(|labels| labels.is_object()).cloned();
    let name = plan::file_name(&service.name);
    reading.path = manifest::joined(manifest::folder_of(&file.path), &name);
    // The policy's name holds the service's: it was read with the rest.
    let told = |why: String| refused(&at, &why);
    reading.file = match manifest::find(&folder.manifests, plan::wanted(&at)).map_err(told)? {
        Some((index, _)) if folder.manifests[index].path == reading.path => Some(folder.manifests[index].clone()),
        Some((index, _)) => return Err(refused(&at, &format!("{} holds a policy of this name", folder.manifests[index].path))),
        None if place.mirror.file(head, &reading.path).await?.is_some() => {
            return Err(refused(&at, &format!("{} is something else", reading.path)));
        }
        None => None,
    };
    let listing = manifest::listing(&folder.kustomizations, &file.path, &name).map_err(told)?;
    let there = manifest::listing(&folder.kustomizations, &reading.path, &name).map_err(told)?;
    let missing = listing.into_iter().filter(|(file, _)| !there.iter().any(|(other, _)| other.path == file.path));
    reading.listed_in = missing.map(|(file, listed)| (file.clone(), listed)).collect();
    Ok(())
}

/// The file as it was when it last had another pod template, along the branch's first parents.
async fn other_template(place: &Place, head: &str, reading: &Reading, at: &ObjectRef) -> PortResult<Option<String>> {
    let Some(file) = &reading.file else { return Ok(None) };
    let wanted = plan::wanted(at);
    let template = |text: &str| manifest::only(text, wanted).ok().and_then(|manifest| manifest.object.pointer("/spec/template").cloned());
    let now = template(&file.text);
    let (path, allowed_signers) = (Some(file.path.as_str()), place.allowed_signers());
    let query = Query { until: head, since: None, holding: None, path, max: HISTORY_MAX, allowed_signers };
    let mut made_by = None;
    for commit in place.mirror.commits(query).await? {
        let Some(earlier) = place.mirror.file(&commit.id, &file.path).await? else { return Ok(None) };
        match template(&earlier.text) {
            // Before this there was something that cannot be read: the history does not say.
            None => return Ok(None),
            Some(other) if Some(&other) != now.as_ref() => {
                // The one before a rollback is what it was rolled back from.
                let is_rollback = |by: &Trailers| by.act.as_deref() == Some(RemediationKind::Rollback.as_str()) && by.undoes.is_none();
                let rolled_back = made_by.as_ref().is_some_and(is_rollback);
                return if rolled_back { Err(refused(at, "it was rolled back already")) } else { Ok(Some(earlier.text)) };
            }
            Some(_) => made_by = place.is_ours(&commit).then(|| trailer::read(&commit.message)),
        }
    }
    Ok(None)
}

/// [M5]: the act's commit must be on the branch, and the last of picket's on this object.
async fn before_the_act(place: &Place, head: &str, at: &ObjectRef, receipt: &Receipt, reading: &mut Reading) -> PortResult<()> {
    let (act, before) = (receipt.resource_version_after.as_str(), receipt.resource_version_before.as_str());
    if !place.mirror.is_ancestor(act, head).await? {
        return Err(refused(at, "the act's commit is not on the branch any more"));
    }
    let commit = place.mirror.commit_of(act, place.allowed_signers()).await?;
    let stamp = receipt.after.get(plan::STAMP).and_then(serde_json::Value::as_str);
    if stamp.is_none() || trailer::read(&commit.message).action_id.as_deref() != stamp {
        return Err(refused(at, "the act's commit does not bear the receipt's stamp"));
    }
    let target = trailer::named(at);
    let later = place.acts_between(act, head, &reading.path).await?;
    if later.iter().any(|trailers| trailers.action_id.is_some() && trailers.target.as_ref() == Some(&target)) {
        return Err(refused(at, "another act has changed it since"));
    }
    if place.mirror.is_ancestor(before, act).await? {
        reading.earlier = place.mirror.file(before, &reading.path).await?.map(|file| file.text);
        reading.left = place.mirror.file(act, &reading.path).await?.map(|file| file.text);
    }
    Ok(())
}

pub(crate) fn refused(at: &ObjectRef, why: &str) -> PortError {
    let kind = at.kind.strip_prefix(IN_GIT).unwrap_or(&at.kind);
    PortError::Refused { what: format!("{kind} {}/{} in git", at.namespace, at.name), why: why.to_owned() }
}
