//! The catalogue's preconditions, looked up in a cluster at the moment of the act.

use super::objects::{Kind, Objects};
use super::{quota, reader, rollout, stamp};
use picket_core::action::{Action, Remediation};
use picket_core::ports::{PortError, PortResult};
use picket_core::precondition::{GROWTH_MAX, Precondition};
use picket_core::quantity;
use serde_json::Value;

/// Why the act must not be done to this target now, and make `planned` of it; `None` when nothing is in its way.
pub(super) async fn broken<O: Objects>(objects: &O, action: &Action, target: &Value, planned: &Value) -> PortResult<Option<String>> {
    for precondition in action.kind().preconditions() {
        let why = match precondition {
            Precondition::NoForeignRollout => {
                rollout::is_foreign(target).then(|| "somebody else's rollout of it is in progress".to_owned())
            }
            Precondition::NotAutoscaled => autoscaler_of(objects, action).await?.map(|name| format!("its replicas are set by {name}")),
            Precondition::ScalesTheService => {
                (!reader::scales(target, &action.service.name)).then(|| format!("it does not set the replicas of {}", action.service))
            }
            Precondition::NoGreatLeap => great_leap(action, target),
            Precondition::WithinQuota => beyond_quota(objects, action, target, planned).await?,
            Precondition::IssuedByCertManager => stamp::read(target, "cert-manager.io/certificate-name")
                .is_none()
                .then(|| "cert-manager did not make it, so nobody would renew it".to_owned()),
        };
        if why.is_some() {
            return Ok(why);
        }
    }
    Ok(None)
}

/// The first figure that would become too much more than it is. One that is not set yet has nothing to be measured by.
fn great_leap(action: &Action, target: &Value) -> Option<String> {
    let container = |name: &str| target.pointer("/spec/template/spec/containers")?.as_array()?.iter().find(|c| c["name"] == name);
    let standing = |object: Option<&Value>, pointer: &str| quantity::of(object?.pointer(pointer)?);
    let bytes = |bytes: u64| bytes as f64;
    let figures = match &action.remediation {
        Remediation::SetMemoryLimit { container: name, limit_bytes } => {
            vec![("memory limit", standing(container(name), "/resources/limits/memory"), bytes(*limit_bytes))]
        }
        Remediation::SetResources { container: name, cpu_request_millicores, memory_bytes } => vec![
            ("CPU request", standing(container(name), "/resources/requests/cpu"), *cpu_request_millicores as f64 / 1000.0),
            ("memory request", standing(container(name), "/resources/requests/memory"), bytes(*memory_bytes)),
            ("memory limit", standing(container(name), "/resources/limits/memory"), bytes(*memory_bytes)),
        ],
        Remediation::ExpandVolume { size_bytes, .. } => {
            vec![("size", standing(Some(target), "/spec/resources/requests/storage"), bytes(*size_bytes))]
        }
        _ => Vec::new(),
    };
    let leap = figures.into_iter().find(|(_, standing, wanted)| standing.is_some_and(|standing| *wanted > standing * GROWTH_MAX));
    leap.map(|(figure, _, _)| format!("its {figure} would become more than {GROWTH_MAX} times what it is"))
}

async fn beyond_quota<O: Objects>(objects: &O, action: &Action, target: &Value, planned: &Value) -> PortResult<Option<String>> {
    let added = quota::added(target, planned);
    if added.is_empty() {
        return Ok(None);
    }
    let namespace = &action.service.namespace;
    let quotas = objects.list(Kind::ResourceQuota, Some(namespace)).await.map_err(|error| match error {
        // In words of its own: this is no want of rights to the write, and no reason to go another way.
        PortError::Refused { why, .. } => {
            tracing::debug!(%why, namespace, "quotas were not read");
            PortError::Refused {
                what: format!("a look at the quotas of namespace {namespace}"),
                why: "the role is not that of deploy/kubernetes/rbac.yaml".to_owned(),
            }
        }
        other => other,
    })?;
    Ok(quota::exceeded(&quotas, planned, &added))
}

async fn autoscaler_of<O: Objects>(objects: &O, action: &Action) -> PortResult<Option<String>> {
    let service = &action.service;
    let all = objects.list(Kind::HorizontalPodAutoscaler, Some(&service.namespace)).await?;
    let own = all.iter().find(|autoscaler| reader::scales(autoscaler, &service.name));
    Ok(own.map(|a| format!("the HorizontalPodAutoscaler {}", a["metadata"]["name"].as_str().unwrap_or("without a name"))))
}
