//! Reads a cluster for its observer: pods per service, and the figures that stand in its objects.

use super::api::FIELD_MANAGER;
use super::objects::{Kind, Objects};
use super::{ApiObjects, delivered, rollout, stamp};
use picket_core::facts::{LABELS_MAX, PODS_MAX, ServiceFacts};
use picket_core::foreign::LastWrites;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::outcome::Receipt;
use picket_core::ports::{Autoscaler, ClusterReader, PortResult, Readings};
use picket_core::quantity;
use serde_json::Value;
use std::collections::BTreeMap;

/// Of a service without a `picket.dev/tier` label.
const TIER_UNKNOWN: u8 = 2;

/// Reads one cluster; read-only credentials are enough.
#[derive(Clone, Debug)]
pub struct Reader<O> {
    cluster: ClusterName,
    objects: O,
}

/// Reads a real cluster.
pub type KubernetesReader = Reader<ApiObjects>;

impl<O: Objects> Reader<O> {
    /// Of this cluster.
    #[must_use]
    pub const fn new(cluster: ClusterName, objects: O) -> Self {
        Self { cluster, objects }
    }
}

impl<O: Objects> ClusterReader for Reader<O> {
    async fn read(&self, reserved: &BTreeMap<EntryId, u32>) -> PortResult<Vec<(ServiceId, ServiceFacts, Readings)>> {
        let deployments = self.objects.list(Kind::Deployment, None).await?;
        let (pods, sets) =
            (by_namespace(self.objects.list(Kind::Pod, None).await?), by_namespace(self.objects.list(Kind::ReplicaSet, None).await?));
        let autoscalers = by_namespace(self.objects.list(Kind::HorizontalPodAutoscaler, None).await?);
        let budgets = by_namespace(self.objects.list(Kind::PodDisruptionBudget, None).await?);
        let none = Vec::new();
        let mut services = Vec::with_capacity(deployments.len());
        for deployment in &deployments {
            let (Some(namespace), Some(name)) = (text(deployment, "/metadata/namespace"), text(deployment, "/metadata/name")) else {
                continue;
            };
            let service = ServiceId::new(self.cluster.clone(), namespace, name);
            let facts = facts(deployment, pods.get(namespace).unwrap_or(&none), reserved);
            let facts = ServiceFacts { disruptions_allowed: allowed(deployment, budgets.get(namespace).unwrap_or(&none)), ..facts };
            let autoscaler = autoscaler_of(name, autoscalers.get(namespace).unwrap_or(&none));
            let readings = Readings { autoscaler, ..readings(deployment, sets.get(namespace).unwrap_or(&none)) };
            services.push((service, facts, readings));
        }
        Ok(services)
    }

    async fn shows(&self, receipt: &Receipt) -> PortResult<bool> {
        let Some(at) = receipt.object.delivered().filter(|at| at.kind == Kind::Deployment.as_str()) else {
            return Ok(true);
        };
        let deployments = self.objects.list(Kind::Deployment, Some(&at.namespace)).await?;
        let deployment = deployments.iter().find(|deployment| text(deployment, "/metadata/name") == Some(at.name.as_str()));
        Ok(deployment.is_some_and(|deployment| delivered::bears(deployment, &receipt.after)))
    }
}

fn by_namespace(objects: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut grouped: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        grouped.entry(text(&object, "/metadata/namespace").unwrap_or_default().to_owned()).or_default().push(object);
    }
    grouped
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

pub(super) fn count(object: &Value, pointer: &str) -> Option<u32> {
    object.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// Whether the deployment made this replica set.
pub(super) fn is_owned_by(set: &Value, deployment: &Value) -> bool {
    let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let metadata = &deployment["metadata"];
    owners.is_some_and(|owners| {
        owners.iter().any(|owner| owner["kind"] == "Deployment" && owner["name"] == metadata["name"] && owner["uid"] == metadata["uid"])
    })
}

/// Counts the service's pods.
///
/// A rollout is in progress while the controller has not seen the newest generation, not all wanted pods are of the new template, or
/// old ones are left. It is picket's when the newest generation is the one that picket's stamp names, else somebody else's. Pods that
/// are wanted and not ready count as disrupted by others, but for those that a rollout of picket's explains while the reservation of its act
/// stands: once that is gone, nobody else counts them.
fn facts(deployment: &Value, pods: &[Value], reserved: &BTreeMap<EntryId, u32>) -> ServiceFacts {
    // A Deployment of absurdly many must not keep its whole cluster from being read.
    let desired = count(deployment, "/spec/replicas").unwrap_or(1).min(PODS_MAX);
    let selector = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selected = |pod: &&Value| {
        selector.is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(|(key, value)| label(pod, key) == value.as_str()))
            && !matches!(text(pod, "/status/phase"), Some("Succeeded" | "Failed"))
            && text(pod, "/metadata/deletionTimestamp").is_none()
    };
    let own: Vec<&Value> = pods.iter().filter(selected).collect();
    let ready = own.iter().filter(|pod| is_ready(pod)).count() as u32;
    let entry =
        stamp::read(deployment, stamp::ACTION_ID).filter(|_| rollout::is_in_progress(deployment) && rollout::is_pickets(deployment));
    let explained = entry.and_then(|entry| reserved.get(&EntryId::from(entry))).copied().unwrap_or(0);
    ServiceFacts {
        ready,
        total: own.len() as u32,
        desired,
        disrupted_by_others: desired.saturating_sub(ready).saturating_sub(explained),
        tier: label(deployment, "picket.dev/tier")
            .and_then(|tier| tier.parse().ok())
            .filter(|tier| (1..=3).contains(tier))
            .unwrap_or(TIER_UNKNOWN),
        foreign_rollout: rollout::is_foreign(deployment),
        protected: label(deployment, "picket.dev/managed") == Some("false"),
        labels: labels_for_rules(deployment),
        ..ServiceFacts::default()
    }
}

/// The labels that the user's rules may ask about: those under picket's own prefix, without it.
fn labels_for_rules(deployment: &Value) -> BTreeMap<String, String> {
    let all = deployment.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let own = all.filter_map(|(key, value)| Some((key.strip_prefix("picket.dev/")?.to_owned(), value.as_str()?.to_owned())));
    own.filter(|(key, _)| key != "tier" && key != "managed").take(LABELS_MAX).collect()
}

/// Pods that every PodDisruptionBudget over the deployment's pods lets go; `None` without one. A budget that its controller has not
/// counted yet lets none go, and of a selector that also has expressions these are taken to hold.
fn allowed(deployment: &Value, budgets: &[Value]) -> Option<u32> {
    let labels = deployment.pointer("/spec/template/metadata/labels");
    let covers = |budget: &&Value| {
        let wanted = budget.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value)))
    };
    budgets.iter().filter(covers).map(|budget| count(budget, "/status/disruptionsAllowed").unwrap_or(0)).min()
}

/// Whether an autoscaler sets the replicas of the Deployment of that name in its namespace.
pub(super) fn scales(autoscaler: &Value, deployment: &str) -> bool {
    text(autoscaler, "/spec/scaleTargetRef/kind") == Some(Kind::Deployment.as_str())
        && text(autoscaler, "/spec/scaleTargetRef/name") == Some(deployment)
}

fn autoscaler_of(deployment: &str, autoscalers: &[Value]) -> Option<Autoscaler> {
    let autoscaler = autoscalers.iter().find(|autoscaler| scales(autoscaler, deployment))?;
    Some(Autoscaler {
        name: text(autoscaler, "/metadata/name")?.to_owned(),
        min: count(autoscaler, "/spec/minReplicas").unwrap_or(1),
        max: count(autoscaler, "/spec/maxReplicas")?,
    })
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|list| list.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

/// What stands in the objects; use, volumes and certificates come from telemetry.
fn readings(deployment: &Value, sets: &[Value]) -> Readings {
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let main = containers.iter().find(|c| c["name"] == deployment["metadata"]["name"]).or(containers.first());
    let resource = |pointer: &str| quantity::of(main?.pointer(pointer)?);
    Readings {
        memory_limit_bytes: resource("/resources/limits/memory"),
        memory_request_bytes: resource("/resources/requests/memory"),
        cpu_request_cores: resource("/resources/requests/cpu"),
        replicas_desired: count(deployment, "/spec/replicas"),
        replicas_before_zero: replicas_before_zero(deployment),
        revision: revisions(deployment, sets),
        last_writes: last_writes(deployment, sets),
        container: main.and_then(|c| c["name"].as_str()).map(ToOwned::to_owned),
        ..Readings::default()
    }
}

/// Only where picket was the last to set the replicas: zero that somebody else has set is theirs.
fn replicas_before_zero(deployment: &Value) -> Option<u32> {
    let zero = count(deployment, "/spec/replicas") == Some(0) && manager_of(deployment, "f:replicas").as_deref() == Some(FIELD_MANAGER);
    stamp::read(deployment, stamp::REPLICAS_BEFORE_ZERO).filter(|_| zero)?.parse().ok()
}

/// The revision in force and the newest before it that can still be gone back to.
fn last_writes(deployment: &Value, sets: &[Value]) -> LastWrites {
    let (current, before) = revisions(deployment, sets).map_or((None, None), |(current, before)| (Some(current), Some(before)));
    let template = |wanted: Option<i64>| {
        let wanted = wanted?.to_string();
        let of =
            |set: &&Value| is_owned_by(set, deployment) && stamp::read(set, "deployment.kubernetes.io/revision") == Some(wanted.as_str());
        text(sets.iter().find(of)?, "/metadata/name").map(ToOwned::to_owned)
    };
    LastWrites {
        replicas_by: manager_of(deployment, "f:replicas"),
        template_by: manager_of(deployment, "f:template"),
        template: template(current),
        template_before: template(before),
    }
}

/// Who wrote a field of the spec last, as the server keeps it (`metadata.managedFields`).
fn manager_of(deployment: &Value, field: &str) -> Option<String> {
    let entries = deployment.pointer("/metadata/managedFields").and_then(Value::as_array)?;
    let owns = |entry: &&Value| entry["fieldsV1"]["f:spec"].get(field).is_some();
    // Times are RFC 3339 in UTC, of one length: their order is that of their text.
    let newest = entries.iter().filter(owns).max_by_key(|entry| entry["time"].as_str().unwrap_or_default().to_owned())?;
    newest["manager"].as_str().map(ToOwned::to_owned)
}

fn revisions(deployment: &Value, sets: &[Value]) -> Option<(i64, i64)> {
    let revision = |object: &Value| stamp::read(object, "deployment.kubernetes.io/revision").and_then(|text| text.parse::<i64>().ok());
    let current = revision(deployment)?;
    let previous = sets.iter().filter(|set| is_owned_by(set, deployment)).filter_map(revision).filter(|r| *r < current).max()?;
    Some((current, previous))
}

#[cfg(test)]
mod tests {
    use super::super::InMemoryObjects;
    use super::*;
    use serde_json::json;

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "cart", "namespace": "shop", "labels": {"picket.dev/tier": "1"}, "annotations": {"deployment.kubernetes.io/revision": "5"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "cart"}},
                "template": {"spec": {"containers": [{"name": "proxy"}, {"name": "cart", "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "250m"}}}]}}},
            "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3}})
    }

    fn pod(name: &str, ready: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": {"app": "cart"}},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}})
    }

    async fn read_with(objects: &InMemoryObjects, reserved: &[(&str, u32)]) -> (ServiceId, ServiceFacts, Readings) {
        let reserved = reserved.iter().map(|(entry, pods)| ((*entry).into(), *pods)).collect();
        Reader::new("east".into(), objects.clone()).read(&reserved).await.unwrap().remove(0)
    }

    async fn read(objects: &InMemoryObjects) -> (ServiceId, ServiceFacts, Readings) {
        read_with(objects, &[]).await
    }

    #[tokio::test]
    async fn pods_and_figures_are_read() {
        let objects = InMemoryObjects::default();
        let uid = objects.put(deployment())["metadata"]["uid"].clone();
        for revision in [3, 5, 4] {
            objects.put(
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": format!("cart-{revision}"), "namespace": "shop",
                "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
                "ownerReferences": [{"kind": "Deployment", "name": "cart", "uid": uid}]}}),
            );
        }
        for (name, ready) in [("a", true), ("b", true), ("c", false)] {
            objects.put(pod(name, ready));
        }
        let mut other = pod("d", true);
        other["metadata"]["labels"]["app"] = json!("pay");
        objects.put(other);
        let (service, facts, readings) = read(&objects).await;
        assert_eq!(service.to_string(), "east/shop/cart");
        assert_eq!((facts.ready, facts.total, facts.desired, facts.disrupted_by_others, facts.tier), (2, 3, 3, 1, 1));
        assert!(!facts.foreign_rollout && !facts.protected);
        assert_eq!(readings.revision, Some((5, 4)));
        assert_eq!(readings.container.as_deref(), Some("cart"));
        assert_eq!((readings.memory_limit_bytes, readings.cpu_request_cores), (Some(536_870_912.0), Some(0.25)));
    }

    #[tokio::test]
    async fn a_reading_stays_small_whatever_stands_on_an_object() {
        let objects = InMemoryObjects::default();
        let mut cart = deployment();
        cart["spec"]["replicas"] = json!(u32::MAX);
        for n in 0..20 {
            cart["metadata"]["labels"][format!("picket.dev/rule-{n:02}")] = json!("yes");
        }
        cart["metadata"]["labels"]["app"] = json!("cart");
        objects.put(cart);
        let facts = read(&objects).await.1;
        assert_eq!(facts.desired, PODS_MAX);
        assert_eq!(facts.labels.len(), LABELS_MAX);
        assert!(
            facts.labels.keys().all(|key| key.starts_with("rule-")),
            "without the prefix, and without picket's own: {:?}",
            facts.labels
        );
    }

    #[tokio::test]
    async fn the_strictest_budget_over_its_pods_counts() {
        let objects = InMemoryObjects::default();
        let mut cart = deployment();
        cart["spec"]["template"]["metadata"]["labels"] = json!({"app": "cart", "tier": "web"});
        objects.put(cart);
        assert_eq!(read(&objects).await.1.disruptions_allowed, None);
        for (name, labels, allowed) in
            [("a", json!({"app": "cart"}), json!(2)), ("b", json!({"tier": "web"}), json!(1)), ("other", json!({"app": "pay"}), json!(0))]
        {
            objects.put(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"selector": {"matchLabels": labels}}, "status": {"disruptionsAllowed": allowed}}));
        }
        assert_eq!(read(&objects).await.1.disruptions_allowed, Some(1));
        objects.put(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "new", "namespace": "shop"},
            "spec": {"selector": {}}}));
        assert_eq!(read(&objects).await.1.disruptions_allowed, Some(0), "over everything, and not counted yet");
    }

    #[tokio::test]
    async fn what_it_had_before_picket_scaled_it_to_zero_is_read() {
        for (replicas, manager, before) in [(0, "picket", Some(3)), (0, "kubectl", None), (2, "picket", None)] {
            let objects = InMemoryObjects::default();
            let mut resting = deployment();
            resting["spec"]["replicas"] = json!(replicas);
            resting["metadata"]["annotations"][stamp::REPLICAS_BEFORE_ZERO] = json!("3");
            resting["metadata"]["managedFields"] = json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
            objects.put(resting);
            assert_eq!(read(&objects).await.2.replicas_before_zero, before, "{replicas} by {manager}");
        }
    }

    #[tokio::test]
    async fn what_sets_its_replicas_is_read() {
        let objects = InMemoryObjects::default();
        objects.put(deployment());
        for (name, workload) in [("other", "pay"), ("cart-scaler", "cart")] {
            assert_eq!(read(&objects).await.2.autoscaler, None);
            objects.put(
                json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload}}}),
            );
        }
        assert_eq!(read(&objects).await.2.autoscaler, Some(Autoscaler { name: "cart-scaler".into(), min: 1, max: 9 }));
    }

    #[tokio::test]
    async fn a_rollout_is_pickets_only_at_the_stamped_generation() {
        let objects = InMemoryObjects::default();
        objects.put(deployment());
        objects.put(pod("a", true));
        let mut rolling = deployment();
        rolling["spec"]["template"]["x"] = json!(1);
        rolling["status"]["updatedReplicas"] = json!(1);
        let made = objects.put(rolling.clone());
        assert_eq!(made["metadata"]["generation"], 2);
        let (_, facts, _) = read(&objects).await;
        assert!(facts.foreign_rollout);
        assert_eq!(facts.disrupted_by_others, 2);
        rolling["metadata"]["annotations"][stamp::STAMPED_GENERATION] = json!("2");
        rolling["metadata"]["annotations"][stamp::ACTION_ID] = json!("act-1");
        objects.put(rolling);
        for (reserved, others) in [(&[("act-1", 2)][..], 0), (&[("act-1", 1)], 1), (&[("act-2", 2)], 2), (&[], 2)] {
            let (_, facts, _) = read_with(&objects, reserved).await;
            assert!(!facts.foreign_rollout);
            assert_eq!(facts.disrupted_by_others, others, "{reserved:?}: what no reservation stands for, nobody else would count");
        }
    }
}
