//! What an act means for one object: pure, so that what was read before the claim is all that the write depends on [M3].

use super::objects::Kind;
use super::patch::{Fields, standing};
use super::stamp;
use picket_core::action::{Action, Remediation, Reversibility};
use picket_core::ids::EntryId;
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use picket_core::{quantity, quarantine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
const RENEW_REQUESTED: &str = "picket.dev/renew-requested";
const ISSUE_TEMPORARY: &str = "cert-manager.io/issue-temporary-certificate";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What acts write, and by which verb.
pub(super) const WRITES: [(&str, Kind); 6] = [
    ("patch", Kind::Deployment),
    ("patch", Kind::HorizontalPodAutoscaler),
    ("patch", Kind::PersistentVolumeClaim),
    ("patch", Kind::Secret),
    ("create", Kind::NetworkPolicy),
    ("patch", Kind::NetworkPolicy),
];

/// Everything that was read before the claim: [`picket_core::ports::Before::content`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The target; `None` when the act creates it.
    pub target: Option<Value>,
    /// Rollback: the pod template of the revision asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Value>,
    /// Quarantine: the labels that select the workload's pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<Value>,
    /// The fields as the server's dry run showed them (quantities in its spelling), but those that depend on entry or time.
    #[serde(default)]
    pub expected: Fields,
}

/// The object that an act writes.
pub(super) fn target(action: &Action) -> ObjectRef {
    let service = &action.service;
    match &action.remediation {
        Remediation::ExpandVolume { claim, .. } => Kind::PersistentVolumeClaim.named(&service.namespace, claim),
        Remediation::RenewCertificate { secret } => Kind::Secret.named(&service.namespace, secret),
        Remediation::Quarantine => Kind::NetworkPolicy.named(&service.namespace, &quarantine::policy_name(&service.name)),
        Remediation::SetReplicaBounds { autoscaler, .. } => Kind::HorizontalPodAutoscaler.named(&service.namespace, autoscaler),
        Remediation::RolloutRestart
        | Remediation::Rollback { .. }
        | Remediation::Scale { .. }
        | Remediation::SetMemoryLimit { .. }
        | Remediation::SetResources { .. } => Kind::Deployment.named(&service.namespace, &service.name),
    }
}

/// Removes what no act depends on, and what must not lie in a journal: a secret's data.
pub(super) fn tidied(at: &ObjectRef, mut object: Value) -> Value {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
        if at.kind == Kind::Secret.as_str()
            && let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
        {
            annotations.remove(LAST_APPLIED);
        }
    }
    if at.kind == Kind::Secret.as_str()
        && let Value::Object(secret) = &mut object
    {
        secret.remove("data");
        secret.remove("stringData");
    }
    object
}

/// Why picket keeps its hands off this object, if it does.
pub(super) fn hands_off(object: &Value) -> Option<&'static str> {
    let metadata = object.get("metadata")?;
    if metadata.get("deletionTimestamp").is_some_and(|t| !t.is_null()) {
        return Some("it is being deleted");
    }
    let managed = metadata.get("labels").and_then(|labels| labels.get("picket.dev/managed")).and_then(Value::as_str);
    (managed == Some("false")).then_some("it is labelled picket.dev/managed=false")
}

/// The fields that the work sets, without the stamp. `null` removes.
///
/// # Errors
/// In words, when the object does not allow it.
pub(super) fn fields(work: &Work, reading: &Reading, entry: &EntryId, now: Timestamp) -> Result<Fields, String> {
    match work {
        Work::Do { action } => forward(&action.remediation, reading, entry, now),
        Work::Undo { action, receipt } => backward(action, reading, receipt),
    }
}

fn forward(remediation: &Remediation, reading: &Reading, entry: &EntryId, now: Timestamp) -> Result<Fields, String> {
    if matches!(remediation, Remediation::Quarantine) {
        let labels = reading.pod_labels.as_ref().ok_or("the labels of the workload's pods are not known")?;
        return Ok(Fields::from([("/spec".to_owned(), quarantine::closed_spec(labels))]));
    }
    let target = reading.target.as_ref().ok_or("it does not exist")?;
    Ok(match remediation {
        Remediation::RolloutRestart => Fields::from([(restarted_at(), json!(rfc3339(now)?))]),
        Remediation::Rollback { to_revision } => {
            let template = reading.template.clone().ok_or_else(|| format!("there is no revision {to_revision}"))?;
            Fields::from([("/spec/template".to_owned(), template)])
        }
        Remediation::Scale { replicas, from } => {
            let standing = target.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            // The act was weighed as "more" or "less" than there were; the other way round it is another act.
            if (replicas > from) != (u64::from(*replicas) > standing) {
                return Err(format!("it has {standing} replicas, not {from} as when this was proposed"));
            }
            let mut fields = Fields::from([("/spec/replicas".to_owned(), json!(replicas))]);
            // What it goes back to is noted as long as it stands at zero.
            if (*replicas == 0) != (standing == 0) {
                let before_zero = if standing > 0 { json!(standing.to_string()) } else { Value::Null };
                fields.insert(stamp::annotation(stamp::REPLICAS_BEFORE_ZERO), before_zero);
            }
            fields
        }
        Remediation::SetMemoryLimit { container, limit_bytes } => {
            let at = container_path(target, container)?;
            Fields::from([name_field(&at, container), (format!("{at}/resources/limits/memory"), json!(quantity::bytes(*limit_bytes)))])
        }
        Remediation::SetResources { container, cpu_request_millicores, memory_bytes } => {
            let at = container_path(target, container)?;
            let memory = json!(quantity::bytes(*memory_bytes));
            Fields::from([
                name_field(&at, container),
                (format!("{at}/resources/requests/cpu"), json!(quantity::millicores(*cpu_request_millicores))),
                (format!("{at}/resources/requests/memory"), memory.clone()),
                (format!("{at}/resources/limits/memory"), memory),
            ])
        }
        Remediation::ExpandVolume { size_bytes, .. } => {
            let pointer = "/spec/resources/requests/storage";
            let standing = target.pointer(pointer).and_then(Value::as_str).and_then(quantity::parse);
            if standing.is_none_or(|standing| standing >= *size_bytes as f64) {
                return Err(format!("it asks for {} already", target.pointer(pointer).unwrap_or(&Value::Null)));
            }
            Fields::from([(pointer.to_owned(), json!(quantity::bytes(*size_bytes)))])
        }
        Remediation::RenewCertificate { .. } => {
            Fields::from([(stamp::annotation(ISSUE_TEMPORARY), json!("true")), (stamp::annotation(RENEW_REQUESTED), json!(entry.as_str()))])
        }
        Remediation::SetReplicaBounds { min, max, from_max, .. } => {
            let standing = target.pointer("/spec/maxReplicas").and_then(Value::as_u64).unwrap_or(0);
            if standing != u64::from(*from_max) {
                return Err(format!("it may choose up to {standing} replicas, not {from_max} as when this was proposed"));
            }
            Fields::from([("/spec/minReplicas".to_owned(), json!(min)), ("/spec/maxReplicas".to_owned(), json!(max))])
        }
        Remediation::Quarantine => return Err("handled above".to_owned()),
    })
}

/// [M5]: the parent's stamp and every field that it wrote must stand in this very reading.
fn backward(action: &Action, reading: &Reading, receipt: &Receipt) -> Result<Fields, String> {
    if action.kind().reversibility() == Reversibility::None {
        return Err(format!("{} cannot be taken back", action.kind()));
    }
    if receipt.object != target(action) {
        return Err("the receipt is of another object".to_owned());
    }
    let target = reading.target.as_ref().ok_or("it does not exist any more")?;
    let stamp = stamp::annotation(stamp::ACTION_ID);
    if receipt.after.get(&stamp).is_none_or(Value::is_null) {
        return Err("the receipt bears no stamp".to_owned());
    }
    for (pointer, value) in standing(target, receipt.after.keys()) {
        if receipt.after[&pointer] != value {
            return Err(format!(
                "{pointer} was changed since by somebody else: it is {value}, the act had left {}",
                receipt.after[&pointer]
            ));
        }
    }
    let mut fields = receipt.before.clone();
    fields.remove(&stamp);
    // What the act created is not deleted: it is made to do nothing.
    if let Some(spec) = fields.get_mut("/spec").filter(|spec| spec.is_null()) {
        *spec = quarantine::lifted_spec();
    }
    Ok(fields)
}

/// Whether the field's value depends on the entry or the time, which a dry run does not know.
pub(super) fn is_volatile(pointer: &str) -> bool {
    pointer == restarted_at() || pointer == stamp::annotation(RENEW_REQUESTED)
}

/// Whether nothing of substance happened to the object since `before`, and so no write of ours.
///
/// Every act on an object that counts generations changes its spec and so raises the generation, which never falls. A volume claim
/// (whose size never falls) and a secret count none: they are compared whole, but for status, version and fence.
pub(super) fn unchanged_since(at: &ObjectRef, before: &Value, current: &Value) -> bool {
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    if uid(before) != uid(current) {
        return false;
    }
    if stamp::counts_generations(at) {
        let generation = |object: &Value| object.pointer("/metadata/generation").and_then(Value::as_i64);
        return generation(before).is_some() && generation(before) == generation(current);
    }
    substance(at, before) == substance(at, current)
}

fn substance(at: &ObjectRef, object: &Value) -> Value {
    let mut object = tidied(at, object.clone());
    if let Value::Object(map) = &mut object {
        map.remove("status");
    }
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for key in ["resourceVersion", "generation"] {
            metadata.remove(key);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove(stamp::FENCING_TOKEN);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

fn restarted_at() -> String {
    format!("/spec/template{}", stamp::annotation(RESTARTED_AT))
}

fn rfc3339(at: Timestamp) -> Result<String, String> {
    k8s_openapi::jiff::Timestamp::from_millisecond(at.0).map(|t| t.to_string()).map_err(|e| format!("{at} is no time: {e}"))
}

fn container_path(target: &Value, name: &str) -> Result<String, String> {
    let containers = target.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let index = containers.and_then(|list| list.iter().position(|c| c.get("name").and_then(Value::as_str) == Some(name)));
    index.map(|i| format!("/spec/template/spec/containers/{i}")).ok_or_else(|| format!("it has no container `{name}`"))
}

/// Part of the receipt, so that an undo never writes into another container that took this one's place.
fn name_field(at: &str, name: &str) -> (String, Value) {
    (format!("{at}/name"), json!(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({"metadata": {"name": "cart", "uid": "u", "generation": 4, "resourceVersion": "9"},
               "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "proxy"}, {"name": "cart"}]}}}})
    }

    fn plan(remediation: &Remediation) -> Result<Fields, String> {
        let reading = Reading { target: Some(deployment()), ..Reading::default() };
        forward(remediation, &reading, &"act-1".into(), Timestamp(1_700_000_000_000))
    }

    #[test]
    fn containers_are_found_by_name() {
        let fields = plan(&Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 }).unwrap();
        assert_eq!(fields["/spec/template/spec/containers/1/resources/limits/memory"], json!("1Gi"));
        assert!(plan(&Remediation::SetMemoryLimit { container: "nobody".into(), limit_bytes: 1 }).is_err());
    }

    #[test]
    fn a_restart_bears_the_event_time() {
        let fields = plan(&Remediation::RolloutRestart).unwrap();
        let (pointer, value) = fields.first_key_value().unwrap();
        assert_eq!(pointer, "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt");
        assert_eq!(value, "2023-11-14T22:13:20Z");
    }

    #[test]
    fn scaling_the_other_way_round_is_another_act() {
        assert!(plan(&Remediation::Scale { replicas: 5, from: 3 }).is_ok());
        assert!(plan(&Remediation::Scale { replicas: 2, from: 1 }).is_err(), "meant as more, would be less");
    }

    #[test]
    fn only_substance_counts_as_a_change() {
        let at = Kind::Deployment.named("shop", "cart");
        let mut current = deployment();
        current["metadata"]["resourceVersion"] = json!("12");
        current["status"] = json!({"readyReplicas": 2});
        assert!(unchanged_since(&at, &deployment(), &current));
        current["metadata"]["generation"] = json!(5);
        assert!(!unchanged_since(&at, &deployment(), &current));
        let at = Kind::PersistentVolumeClaim.named("shop", "data");
        let before = json!({"metadata": {"uid": "u", "resourceVersion": "1"}, "spec": {"a": 1}});
        let fenced =
            json!({"metadata": {"uid": "u", "resourceVersion": "2", "annotations": {"picket.dev/fencing-token": "9"}}, "spec": {"a": 1}});
        assert!(unchanged_since(&at, &before, &fenced));
        assert!(!unchanged_since(&at, &before, &json!({"metadata": {"uid": "u"}, "spec": {"a": 2}})));
        assert!(!unchanged_since(&at, &before, &json!({"metadata": {"uid": "other"}, "spec": {"a": 1}})), "created anew");
    }

    #[test]
    fn a_secrets_data_is_kept_out_of_the_journal() {
        let at = Kind::Secret.named("shop", "tls");
        let secret =
            json!({"metadata": {"annotations": {LAST_APPLIED: "the key"}, "managedFields": []}, "data": {"tls.key": "a2V5"}, "type": "t"});
        assert_eq!(tidied(&at, secret), json!({"metadata": {"annotations": {}}, "type": "t"}));
    }
}
