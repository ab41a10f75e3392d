//! Fences: of one target, and of the namespaces that acts may write in (docs/decisions/0011).
//!
//! A fence on a target moves its version, so that a write that was conditioned on the one before can land nowhere; that needs no help of the
//! server. A fence on a namespace counts where the admission policy holds writes in it against it: for writes that nobody here knows of.

use super::executor::{blank, version};
use super::objects::{Kind, Mode, Objects};
use super::{plan, stamp};
use picket_core::action::{Action, Remediation};
use picket_core::outcome::ObjectRef;
use picket_core::ports::{PortError, PortResult};
use picket_core::quarantine;
use picket_core::scope::FencingToken;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Times that a fence is tried on an object that changes under it, before it is left for later.
pub(super) const TRIES: usize = 5;
/// A name that stands for any: rights that are given for a whole namespace.
const ANY: &str = "any";

/// Raises the fence on exactly that version, and changes nothing else.
pub(super) async fn raise<O: Objects>(objects: &O, at: &ObjectRef, resource_version: &str, fence: FencingToken) -> PortResult<()> {
    let annotations = json!({ stamp::FENCING_TOKEN: fence.to_string() });
    if resource_version.is_empty() {
        // Nothing was there: the name is taken by a policy that does nothing, and a late create finds it taken.
        let mut inert = blank(at);
        inert["metadata"]["annotations"] = annotations;
        inert["spec"] = quarantine::lifted_spec();
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

/// Raises the fence of every namespace that holds something which picket may act on, and tries whether the server goes by it.
pub(super) async fn of_namespaces<O: Objects>(objects: &O, token: FencingToken) -> PortResult<()> {
    let deployments = objects.list(Kind::Deployment, None).await?;
    let touched = deployments.iter().filter(|deployment| plan::hands_off(deployment).is_none());
    let mut namespaces: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for deployment in touched {
        if let Some(namespace) = deployment.pointer("/metadata/namespace").and_then(Value::as_str) {
            namespaces.entry(namespace).or_default().push(deployment);
        }
    }
    let mut raised = Vec::new();
    for (name, deployments) in &namespaces {
        match stand(objects, &Kind::namespace(name), token, false).await {
            Ok(()) => raised.push((*name, deployments)),
            // Whoever may write nothing there has nothing under way there, and needs no fence.
            Err(PortError::Refused { .. }) if !may_write_in(objects, name, deployments).await? => {}
            Err(error) => return Err(error),
        }
    }
    for (name, deployments) in raised {
        goes_by(objects, name, deployments, token).await?;
    }
    Ok(())
}

/// Rights may be given by name: those to the workloads are asked one by one.
async fn may_write_in<O: Objects>(objects: &O, namespace: &str, deployments: &[&Value]) -> PortResult<bool> {
    for (verb, kind) in plan::WRITES {
        if objects.may(verb, &kind.named(namespace, ANY)).await? {
            return Ok(true);
        }
    }
    for name in deployments.iter().filter_map(|deployment| deployment.pointer("/metadata/name")?.as_str()) {
        if objects.may("patch", &Kind::Deployment.named(namespace, name)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The server reads a namespace's fence from a cache: for a moment after the raise it still lets lower tokens through. A write under one is
/// tried, dry, and until it is refused the fence does not stand.
async fn goes_by<O: Objects>(objects: &O, namespace: &str, deployments: &[&Value], token: FencingToken) -> PortResult<()> {
    let lower = FencingToken(token.0.saturating_sub(1));
    // One that bears a token of its own as high as that would be refused for it; if all do, each is fenced by itself.
    let Some(name) = deployments
        .iter()
        .filter(|deployment| stamp::token(deployment).is_none_or(|standing| standing <= lower))
        .find_map(|deployment| deployment.pointer("/metadata/name")?.as_str())
    else {
        return Ok(());
    };
    let at = Kind::Deployment.named(namespace, name);
    if is_refused(objects, &at, json!(lower.to_string())).await? {
        return Ok(());
    }
    if is_refused(objects, &at, Value::Null).await? {
        let what = format!("the fence of namespace {namespace}");
        return Err(PortError::Unavailable { what, why: format!("the API server still lets token {lower} through") });
    }
    // A server that takes a write without any token checks none: the claim and the actuator's own check are all that holds there.
    tracing::warn!(namespace, "the API server enforces no fencing tokens: is deploy/kubernetes/admission.yaml installed?");
    Ok(())
}

/// Whether the server turns a write with this token away. One that is gone meanwhile takes no write either.
pub(super) async fn is_refused<O: Objects>(objects: &O, at: &ObjectRef, token: Value) -> PortResult<bool> {
    let patch = json!({"metadata": {"annotations": { stamp::FENCING_TOKEN: token }}});
    match objects.patch(at, &patch, Mode::DryRun).await {
        Ok(_) => Ok(false),
        Err(PortError::Refused { .. } | PortError::NotFound { .. }) => Ok(true),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use super::super::{Executor, InMemoryObjects};
    use super::*;
    use picket_core::ports::RemediationExecutor as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A server whose policies see a namespace's annotations late, or that has none.
    struct Server {
        objects: InMemoryObjects,
        /// Dry runs that are let through before the policies see what stands.
        late: AtomicUsize,
        policies: bool,
        /// May write nothing but objects of this kind, by that name where one is given.
        only: Option<(Kind, Option<&'static str>)>,
    }

    impl Server {
        fn allows(&self, at: &ObjectRef) -> bool {
            self.only.is_none_or(|(kind, name)| kind.as_str() == at.kind && name.is_none_or(|name| name == at.name))
        }
    }

    impl Objects for Server {
        async fn get(&self, at: &ObjectRef) -> PortResult<Value> {
            self.objects.get(at).await
        }
        async fn list(&self, kind: Kind, namespace: Option<&str>) -> PortResult<Vec<Value>> {
            self.objects.list(kind, namespace).await
        }
        async fn patch(&self, at: &ObjectRef, patch: &Value, mode: Mode) -> PortResult<Value> {
            if !self.allows(at) {
                return Err(PortError::Refused { what: at.kind.clone(), why: "is forbidden".into() });
            }
            let bears_token = !patch["metadata"]["annotations"][stamp::FENCING_TOKEN].is_null();
            let late = mode == Mode::DryRun && bears_token && self.late.load(Ordering::Relaxed) > 0;
            if late {
                self.late.fetch_sub(1, Ordering::Relaxed);
            }
            if mode == Mode::DryRun && (late || !self.policies) { Ok(Value::Null) } else { self.objects.patch(at, patch, mode).await }
        }
        async fn create(&self, at: &ObjectRef, object: &Value, mode: Mode) -> PortResult<Value> {
            self.objects.create(at, object, mode).await
        }
        async fn may(&self, _verb: &str, at: &ObjectRef) -> PortResult<bool> {
            Ok(self.allows(at))
        }
    }

    fn server(late: usize, policies: bool, only: Option<(Kind, Option<&'static str>)>) -> Executor<Server> {
        let objects = InMemoryObjects::default();
        objects.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
        objects.put(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {}}));
        Executor::new(Server { objects, late: late.into(), policies, only })
    }

    #[tokio::test]
    async fn a_fence_stands_once_the_server_goes_by_it() {
        let server = server(2, true, None);
        for _ in 0..2 {
            let answer = server.fence_all(FencingToken(9)).await;
            assert!(matches!(&answer, Err(PortError::Unavailable { why, .. }) if why.contains("token 8")), "{answer:?}");
        }
        server.fence_all(FencingToken(9)).await.unwrap();
    }

    #[tokio::test]
    async fn a_server_without_policies_holds_up_no_stop() {
        server(0, false, None).fence_all(FencingToken(9)).await.unwrap();
    }

    #[tokio::test]
    async fn where_nothing_may_be_written_no_fence_is_missed() {
        let rights = |kind, name| server(0, true, Some((kind, name)));
        rights(Kind::Pod, None).fence_all(FencingToken(9)).await.unwrap();
        rights(Kind::Deployment, Some("pay")).fence_all(FencingToken(9)).await.unwrap();
        for (kind, name) in [(Kind::Secret, None), (Kind::Deployment, Some("cart"))] {
            let answer = rights(kind, name).fence_all(FencingToken(9)).await;
            assert!(matches!(&answer, Err(PortError::Refused { what, .. }) if what == "Namespace"), "{answer:?}: {kind:?} may be written");
        }
    }
}
