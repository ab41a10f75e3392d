//! Fences: of one target, and of the namespaces that acts may write in (docs/decisions/0011).
//!
//! A fence on a target moves its version, so that a write that was conditioned on the one before can land nowhere; that needs no help of the
//! server. A fence on a namespace counts where the admission policy holds writes in it against it: for writes that nobody here knows of.

use super::executor::{blank, version};
use super::objects::{Kind, Mode, Objects};
use super::{plan, quarantine, stamp};
use picket_core::action::{Action, Remediation};
use picket_core::outcome::ObjectRef;
use picket_core::ports::{PortError, PortResult};
use picket_core::scope::FencingToken;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Times that a fence is tried on an object that changes under it, before it is left for later.
pub(super) const TRIES: usize = 5;

/// Raises the fence on exactly that version, and changes nothing else.
pub(super) async fn raise<O: Objects>(objects: &O, at: &ObjectRef, resource_version: &str, fence: FencingToken) -> PortResult<()> {
    let annotations = json!({ stamp::FENCING_TOKEN: fence.to_string() });
    if resource_version.is_empty() {
        // Nothing was there: the name is taken by a policy that does nothing, and a late create finds it taken.
        let mut inert = blank(at);
        inert["metadata"]["annotations"] = annotations;
        inert["spec"] = quarantine::released_spec();
        return objects.create(at, &inert, Mode::Commit).await.map(drop);
    }
    let patch = json!({"metadata": {"resourceVersion": resource_version, "annotations": annotations}});
    objects.patch(at, &patch, Mode::Commit).await.map(drop)
}

/// The fence of a namespace: what a write in it must bear at least.
pub(super) async fn of_namespace<O: Objects>(objects: &O, namespace: &str) -> PortResult<FencingToken> {
    Ok(found(objects, &Kind::namespace(namespace)).await?.as_ref().and_then(stamp::token).unwrap_or_default())
}

/// Raises the fence of an act's target to `token` or above, whatever stands there.
pub(super) async fn of_target<O: Objects>(objects: &O, action: &Action, token: FencingToken) -> PortResult<()> {
    let at = plan::target(action);
    let fence = token.max(of_namespace(objects, &at.namespace).await?);
    stand(objects, &at, fence, matches!(action.remediation, Remediation::Quarantine)).await
}

/// Raises the fence of every namespace that holds something which picket may act on.
pub(super) async fn of_namespaces<O: Objects>(objects: &O, token: FencingToken) -> PortResult<()> {
    let deployments = objects.list(Kind::Deployment, None).await?;
    let touched = deployments.iter().filter(|deployment| plan::hands_off(deployment).is_none());
    let namespaces: BTreeSet<&str> = touched.filter_map(|deployment| deployment.pointer("/metadata/namespace")?.as_str()).collect();
    for name in namespaces {
        stand(objects, &Kind::namespace(name), token, false).await?;
    }
    Ok(())
}

/// Raises it until a read shows it. What does not exist has no version that a write could ask for, unless the write `creates` it.
async fn stand<O: Objects>(objects: &O, at: &ObjectRef, fence: FencingToken, creates: bool) -> PortResult<()> {
    for _ in 0..TRIES {
        let current = found(objects, at).await?;
        if current.is_none() && !creates || current.as_ref().and_then(stamp::token).is_some_and(|standing| standing >= fence) {
            return Ok(());
        }
        match raise(objects, at, &version(current.as_ref()), fence).await {
            // The next turn reads it back.
            Ok(()) | Err(PortError::Conflict { .. } | PortError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(restless(at))
}

async fn found<O: Objects>(objects: &O, at: &ObjectRef) -> PortResult<Option<Value>> {
    match objects.get(at).await {
        Ok(object) => Ok(Some(object)),
        Err(PortError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fence is left for later.
pub(super) fn restless(at: &ObjectRef) -> PortError {
    PortError::Unavailable { what: format!("fence of {} {}/{}", at.kind, at.namespace, at.name), why: "it changes all the time".to_owned() }
}
