//! Carries acts out: prepare, one write, proof (PROTOCOL.md: Act, Proof, Undo).

use super::objects::{Kind, Mode, Objects};
use super::patch::{Fields, merge_patch, standing, with};
use super::plan::{self, Reading};
use super::{fences, preconditions, stamp};
use picket_core::action::{Action, Remediation};
use picket_core::claim::ClaimedAction;
use picket_core::ids::EntryId;
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use serde_json::{Value, json};

/// Carries acts out on any store of objects.
#[derive(Clone, Debug)]
pub struct Executor<O> {
    objects: O,
}

impl<O: Objects> Executor<O> {
    /// The store comes with write credentials.
    #[must_use]
    pub const fn new(objects: O) -> Self {
        Self { objects }
    }

    /// What it writes through.
    pub(super) const fn objects(&self) -> &O {
        &self.objects
    }

    /// The target, or `None` where the act creates it.
    async fn target(&self, work: &Work, at: &ObjectRef) -> PortResult<Option<Value>> {
        let creates = matches!(work, Work::Do { action } if matches!(action.remediation, Remediation::Quarantine));
        match self.objects.get(at).await {
            Ok(object) => Ok(Some(plan::tidied(at, object))),
            Err(PortError::NotFound { .. }) if creates => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads what the act needs beside its target.
    async fn material(&self, action: &Action, reading: &mut Reading) -> PortResult<()> {
        let service = &action.service;
        match &action.remediation {
            Remediation::Rollback { to_revision } => {
                let sets = self.objects.list(Kind::ReplicaSet, Some(&service.namespace)).await?;
                let deployment = reading.target.as_ref().unwrap_or(&Value::Null);
                reading.template = template_of(deployment, &sets, *to_revision);
            }
            Remediation::Quarantine => {
                let at = Kind::Deployment.named(&service.namespace, &service.name);
                let deployment = self.objects.get(&at).await?;
                if let Some(why) = plan::hands_off(&deployment) {
                    return Err(refused(&at, why));
                }
                if reading.target.as_ref().is_some_and(|policy| stamp::token(policy).is_none()) {
                    return Err(refused(&plan::target(action), "a policy of this name exists and is not picket's"));
                }
                reading.pod_labels = deployment.pointer("/spec/selector/matchLabels").cloned();
            }
            _ => {}
        }
        Ok(())
    }

    /// One compare-and-set on the version in `reading`.
    async fn write(&self, at: &ObjectRef, reading: &Reading, fields: &Fields, mode: Mode) -> PortResult<Value> {
        let malformed = |why: String| refused(at, &why);
        match &reading.target {
            Some(target) => {
                let mut patch = merge_patch(target, &with(target, fields).map_err(malformed)?);
                patch["metadata"]["resourceVersion"] = target["metadata"]["resourceVersion"].clone();
                // A fence may have raised the target to this very token: no difference, and still what the write comes under.
                if let Some(token) = fields.get(&stamp::annotation(stamp::FENCING_TOKEN)) {
                    patch["metadata"]["annotations"][stamp::FENCING_TOKEN] = token.clone();
                }
                self.objects.patch(at, &patch, mode).await
            }
            None => self.objects.create(at, &with(&blank(at), fields).map_err(malformed)?, mode).await,
        }
    }
}

impl<O: Objects> RemediationExecutor for Executor<O> {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        let action = work.action();
        let at = plan::target(action);
        let mut reading = Reading { target: self.target(work, &at).await?, ..Reading::default() };
        if let Some(why) = reading.target.as_ref().and_then(plan::hands_off) {
            return Err(refused(&at, why));
        }
        if matches!(work, Work::Do { .. }) {
            self.material(action, &mut reading).await?;
        }
        let told = |why: String| refused(&at, &why);
        let fields = plan::fields(work, &reading, &EntryId::from("dry-run"), Timestamp(0)).map_err(told)?;
        if let (Work::Do { .. }, Some(target)) = (work, &reading.target) {
            let planned = with(target, &fields).map_err(told)?;
            if let Some(why) = preconditions::broken(&self.objects, action, target, &planned).await? {
                return Err(told(why));
            }
        }
        let verb = if reading.target.is_some() { "patch" } else { "create" };
        if !self.objects.may(verb, &at).await? {
            return Err(refused(&at, &format!("the actuator's credentials do not allow `{verb}`")));
        }
        let token = reading.target.as_ref().and_then(stamp::token);
        let mut tried = fields.clone();
        let lowest = token.unwrap_or_default().max(fences::of_namespace(&self.objects, &at.namespace).await?);
        tried.insert(stamp::annotation(stamp::FENCING_TOKEN), json!(lowest.to_string()));
        let shown = self.write(&at, &reading, &tried, Mode::DryRun).await?;
        // The server's own spelling: an equal quantity written otherwise is no change.
        let after = standing(&shown, fields.keys());
        if reading.target.as_ref().is_some_and(|target| standing(target, fields.keys()) == after) {
            return Err(refused(&at, "it is so already"));
        }
        reading.expected = after.into_iter().filter(|(pointer, _)| !plan::is_volatile(pointer)).collect();
        let content = serde_json::to_value(&reading).map_err(|e| refused(&at, &e.to_string()))?;
        Ok(Before { resource_version: version(reading.target.as_ref()), object: at, token, content })
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        let (work, at) = (claimed.work(), &before.object);
        let reading = reading_of(work, before)?;
        // The sink refuses this too; asking it would cost a write that cannot succeed (I3).
        if before.token.is_some_and(|standing| standing > claimed.token()) {
            return Err(refused(at, "it has accepted a higher fencing token"));
        }
        let mut fields = plan::fields(work, &reading, claimed.entry(), now).map_err(|why| refused(at, &why))?;
        let planned: Vec<String> = fields.keys().cloned().collect();
        fields.extend(stamp::fields(at, reading.target.as_ref(), claimed.entry(), claimed.token()));
        let made = self.write(at, &reading, &fields, Mode::Commit).await?;
        let after = standing(&made, &planned);
        Ok(receipt(before, &reading, claimed.entry(), after, version(Some(&made)), now))
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        let at = &before.object;
        let reading = reading_of(work, before)?;
        let created = before.resource_version.is_empty();
        let floor = fences::of_namespace(&self.objects, &at.namespace).await?;
        let mut condition = before.resource_version.clone();
        let mut standing_token = before.token;
        for attempt in 0..fences::TRIES {
            let current = match self.objects.get(at).await {
                Ok(current) => Some(current),
                Err(PortError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            if let Some(current) = &current {
                if stamp::is_of(current, entry) {
                    return effect(entry, work, before, &reading, current, now);
                }
                // The first try is on the version before. Where that is gone, the write can never land; that it has not landed already
                // follows from an object without a change of substance, and the fence goes on what stands now.
                if attempt > 0 {
                    if created
                        && stamp::token(current) >= Some(stamp::above(token, None))
                        && stamp::read(current, stamp::ACTION_ID).is_none()
                    {
                        return Ok(Proof::Absence); // An earlier proof has taken the name.
                    }
                    if !reading.target.as_ref().is_some_and(|target| plan::unchanged_since(at, target, current)) {
                        return Ok(Proof::Neither(format!("{} {}/{} was changed by somebody else since", at.kind, at.namespace, at.name)));
                    }
                    condition = version(Some(current));
                    standing_token = stamp::token(current);
                }
            } else if !created {
                return Ok(Proof::Neither(format!("{} {}/{} does not exist any more", at.kind, at.namespace, at.name)));
            }
            match fences::raise(&self.objects, at, &condition, stamp::above(token, standing_token).max(floor)).await {
                Ok(()) => return Ok(Proof::Absence),
                Err(PortError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(fences::restless(at))
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        fences::of_target(&self.objects, work.action(), token).await
    }

    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        fences::of_namespaces(&self.objects, token).await
    }
}

fn effect(entry: &EntryId, work: &Work, before: &Before, reading: &Reading, current: &Value, now: Timestamp) -> PortResult<Proof> {
    let fields = plan::fields(work, reading, entry, now).map_err(|why| refused(&before.object, &why))?;
    // What the server had shown it would store; what stands may be somebody else's by now, and an undo must notice that.
    let mut after = standing(current, fields.keys());
    after.extend(reading.expected.clone());
    Ok(Proof::Effect(receipt(before, reading, entry, after, version(Some(current)), now)))
}

fn receipt(before: &Before, reading: &Reading, entry: &EntryId, mut after: Fields, version_after: String, now: Timestamp) -> Receipt {
    after.insert(stamp::annotation(stamp::ACTION_ID), json!(entry.as_str()));
    Receipt {
        object: before.object.clone(),
        before: standing(reading.target.as_ref().unwrap_or(&Value::Null), after.keys()),
        after,
        resource_version_before: before.resource_version.clone(),
        resource_version_after: version_after,
        applied_at: now,
    }
}

fn reading_of(work: &Work, before: &Before) -> PortResult<Reading> {
    if before.object != plan::target(work.action()) {
        return Err(refused(&before.object, "this is not the object of the work"));
    }
    serde_json::from_value(before.content.clone()).map_err(|e| PortError::Damaged {
        what: format!("what was read of {}/{}", before.object.namespace, before.object.name),
        why: e.to_string(),
    })
}

pub(super) fn version(object: Option<&Value>) -> String {
    object.and_then(|o| o.pointer("/metadata/resourceVersion")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn refused(at: &ObjectRef, why: &str) -> PortError {
    PortError::Refused { what: format!("{} {}/{}", at.kind, at.namespace, at.name), why: why.to_owned() }
}

pub(super) fn blank(at: &ObjectRef) -> Value {
    let version = Kind::of(&at.kind).map(Kind::api_version).unwrap_or_default();
    json!({"apiVersion": version, "kind": at.kind, "metadata": {"name": at.name, "namespace": at.namespace}})
}

/// The pod template of a revision of the deployment, as it was before the controller labelled it.
fn template_of(deployment: &Value, sets: &[Value], revision: i64) -> Option<Value> {
    let wanted = revision.to_string();
    let set = sets.iter().find(|set| {
        super::reader::is_owned_by(set, deployment) && stamp::read(set, "deployment.kubernetes.io/revision") == Some(wanted.as_str())
    })?;
    let mut template = set.pointer("/spec/template")?.clone();
    if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
        labels.remove("pod-template-hash");
    }
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::super::InMemoryObjects;
    use super::*;
    use picket_core::ids::ServiceId;
    use picket_executor_conformance::{NOW, claimed};
    use std::sync::Mutex;

    /// Listens to the patches that count.
    struct Heard {
        objects: InMemoryObjects,
        patches: Mutex<Vec<Value>>,
    }

    impl Objects for &Heard {
        async fn get(&self, at: &ObjectRef) -> PortResult<Value> {
            self.objects.get(at).await
        }
        async fn list(&self, kind: Kind, namespace: Option<&str>) -> PortResult<Vec<Value>> {
            self.objects.list(kind, namespace).await
        }
        async fn patch(&self, at: &ObjectRef, patch: &Value, mode: Mode) -> PortResult<Value> {
            if mode == Mode::Commit {
                self.patches.lock().unwrap().push(patch.clone());
            }
            self.objects.patch(at, patch, mode).await
        }
        async fn create(&self, at: &ObjectRef, object: &Value, mode: Mode) -> PortResult<Value> {
            self.objects.create(at, object, mode).await
        }
        async fn may(&self, verb: &str, at: &ObjectRef) -> PortResult<bool> {
            self.objects.may(verb, at).await
        }
    }

    #[tokio::test]
    async fn a_write_names_its_token_even_where_a_fence_has_raised_the_target_to_it() {
        let heard = Heard { objects: InMemoryObjects::default(), patches: Mutex::default() };
        heard.objects.put(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"replicas": 3}}));
        let action = Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::Scale { replicas: 5, from: 3 } };
        let (executor, work) = (Executor::new(&heard), Work::Do { action });
        executor.fence(&work, FencingToken(8)).await.unwrap();
        let before = executor.prepare(&work).await.unwrap();
        executor.execute(&claimed("act-1", &work, 8), &before, NOW).await.unwrap();
        let patches = heard.patches.lock().unwrap();
        assert_eq!(patches.last().unwrap()["metadata"]["annotations"][stamp::FENCING_TOKEN], "8");
    }
}
