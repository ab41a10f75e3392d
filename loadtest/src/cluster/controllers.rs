//! What the controllers of a Kubernetes cluster do: rollouts, pods' containers, volumes, certificates, network policies.

use super::pod::{Phase, Pod, PodEffect};
use super::{LogLine, SimCluster};
use crate::objects::{self, DeploymentView, POD_TEMPLATE_HASH, REVISION};
use crate::quantity;
use crate::rfc3339;
use crate::store::ObjectKey;
use crate::topology::NODES;
use base64::Engine as _;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Old `ReplicaSet`s kept for rollbacks.
const HISTORY_MAX: usize = 10;

impl SimCluster {
    pub(super) fn run_controllers(&mut self) {
        self.read_network_policies();
        for at in 0..self.services.len() {
            self.notice_deleted_pods(at);
            self.step_containers(at);
            self.roll_out(at);
            self.resize_volume(at);
            self.renew_certificate(at);
            self.write_deployment_status(at);
        }
    }

    /// First set-up: every pod is there and ready at once.
    pub(super) fn start_pods_ready(&mut self) {
        for at in 0..self.services.len() {
            self.roll_out(at);
            while self.services[at].pods.len() < self.services[at].desired() as usize {
                self.roll_out(at);
            }
            let now = self.now;
            for pod in &mut self.services[at].pods {
                pod.phase = Phase::Ready;
                pod.serving_since = now;
            }
            for name in self.services[at].pods.iter().map(|p| p.name.clone()).collect::<Vec<_>>() {
                self.write_pod(at, &name);
            }
            self.write_deployment_status(at);
        }
        self.log_lines.clear();
    }

    fn read_network_policies(&mut self) {
        let policies = self.store.list("networking.k8s.io/v1", "NetworkPolicy", None);
        for service in &mut self.services {
            service.quarantined = policies.iter().any(|policy| {
                policy["metadata"]["namespace"] == service.spec.namespace
                    && policy["spec"]["podSelector"]["matchLabels"]["app"] == service.spec.name
                    && denies_all_ingress(&policy["spec"])
            });
        }
    }

    fn notice_deleted_pods(&mut self, at: usize) {
        let (store, service) = (&self.store, &mut self.services[at]);
        service.pods.retain(|pod| store.get(&pod.key(&service.spec)).is_some());
    }

    fn draw(&mut self, range: (f64, f64)) -> i64 {
        (self.streams.controllers.random_range(range.0..=range.1) * 1000.0) as i64
    }

    /// Starts, readiness, kills for memory, crashes.
    fn step_containers(&mut self, at: usize) {
        for index in 0..self.services[at].pods.len() {
            let pod = &self.services[at].pods[index];
            let (name, image) = (pod.name.clone(), pod.image.clone());
            let memory_full = pod.ready() && pod.memory_limit_bytes > 0.0 && pod.memory_bytes >= pod.memory_limit_bytes;
            match pod.phase {
                Phase::Starting(until) if until <= self.now => {
                    if self.image_does_not_start(&image) {
                        self.crash(at, index, "Error");
                        let back_off = format!("Back-off restarting failed container {} in pod {name}", self.services[at].spec.name);
                        self.event(at, Some(name.clone()), 13, "BackOff", back_off, None);
                    } else {
                        let now = self.now;
                        let pod = &mut self.services[at].pods[index];
                        pod.phase = Phase::Ready;
                        pod.serving_since = now;
                    }
                    self.write_pod(at, &name);
                }
                Phase::BackOff(until) if until <= self.now => {
                    let start = self.draw(self.parameters.pod_start_s);
                    self.services[at].pods[index].phase = Phase::Starting(self.now.plus_ms(start));
                    self.write_pod(at, &name);
                }
                Phase::Ready if memory_full => {
                    self.crash(at, index, "OOMKilled");
                    let killed =
                        format!("Memory cgroup out of memory: killed process of container {} in pod {name}", self.services[at].spec.name);
                    self.event(at, Some(name.clone()), 17, "OOMKilling", killed, None);
                    self.write_pod(at, &name);
                }
                _ => {}
            }
        }
    }

    fn crash(&mut self, at: usize, index: usize, reason: &'static str) {
        let start = self.draw(self.parameters.pod_start_s);
        let (first, most) = self.parameters.crash_back_off_s;
        let now = self.now;
        let pod = &mut self.services[at].pods[index];
        pod.restarts += 1;
        pod.last_terminated = Some(reason);
        pod.crashes += 1;
        // A kill for memory restarts at once the first times; a container that never got ready backs off.
        pod.phase = if reason == "OOMKilled" && pod.crashes <= 3 {
            Phase::Starting(now.plus_ms(start))
        } else {
            let wait = (first * 2f64.powi(pod.crashes.min(8) as i32 - 1)).min(most);
            Phase::BackOff(now.plus_ms((wait * 1000.0) as i64))
        };
        pod.memory_bytes = 0.35 * pod.memory_limit_bytes;
        pod.server.clear();
        pod.client.clear();
        pod.serving_since = now;
    }

    pub(crate) fn event(
        &mut self,
        at: usize,
        pod: Option<String>,
        severity: i32,
        reason: &'static str,
        body: String,
        revision: Option<i64>,
    ) {
        self.log(LogLine { at: self.now, service: at, pod, severity, body, reason: Some(reason), revision });
    }

    /// The deployment controller and its `ReplicaSet`s.
    fn roll_out(&mut self, at: usize) {
        let spec = self.services[at].spec.clone();
        let Some(deployment) = self.store.get(&objects::deployment_key(&spec)).cloned() else {
            for pod in std::mem::take(&mut self.services[at].pods) {
                let _ = self.store.delete(&pod.key(&spec), None);
            }
            self.services[at].deployment = None;
            return;
        };
        let view = DeploymentView::of(&deployment);
        if self.services[at].deployment.as_ref().is_none_or(|d| d.template_hash != view.template_hash) {
            self.new_revision(at, &deployment, &view);
        } else if let Some(before) = self.services[at].deployment.as_ref().map(|d| d.replicas).filter(|before| *before != view.replicas) {
            let body = format!("Scaled {} from {before} to {} replicas", spec.name, view.replicas);
            self.event(at, None, 9, "SuccessfulRescale", body, None);
        }
        self.services[at].deployment = Some(view.clone());
        let replica_set = format!("{}-{}", spec.name, view.template_hash);
        let desired = view.replicas;
        let is_new = |pod: &Pod| pod.template_hash == view.template_hash;
        let pods = &self.services[at].pods;
        let mut gone: Vec<String> = Vec::new();
        // Old pods that serve nobody go first, then old ones while enough stay available; new ones only when scaled down.
        gone.extend(pods.iter().filter(|p| !is_new(p) && !p.ready()).map(|p| p.name.clone()));
        let available = pods.iter().filter(|p| p.ready()).count() as u32;
        let floor = desired.saturating_sub(view.max_unavailable);
        let spare = available.saturating_sub(floor) as usize;
        let new_count = pods.iter().filter(|p| is_new(p)).count() as u32;
        let old_ready: Vec<_> = pods.iter().filter(|p| !is_new(p) && p.ready()).map(|p| p.name.clone()).collect();
        let over_new = new_count.saturating_sub(desired) as usize;
        gone.extend(old_ready.into_iter().take(spare));
        let mut by_readiness: Vec<_> = pods.iter().filter(|p| is_new(p)).collect();
        by_readiness.sort_by_key(|p| (p.ready(), std::cmp::Reverse(p.created_at)));
        gone.extend(by_readiness.iter().take(over_new).map(|p| p.name.clone()));
        for name in &gone {
            let _ = self.store.delete(&ObjectKey::new("v1", "Pod", spec.namespace, name), None);
        }
        self.services[at].pods.retain(|p| !gone.contains(&p.name));
        let total = self.services[at].pods.len() as u32;
        let new_count = self.services[at].pods.iter().filter(|p| is_new(p)).count() as u32;
        let room = (desired + view.max_surge).saturating_sub(total);
        for _ in 0..room.min(desired.saturating_sub(new_count)) {
            self.create_pod(at, &deployment, &view, &replica_set);
        }
        self.write_replica_sets(at);
    }

    /// A template that was not the current one: its `ReplicaSet` is made, or comes back with a new number.
    fn new_revision(&mut self, at: usize, deployment: &Value, view: &DeploymentView) {
        let spec = self.services[at].spec.clone();
        let name = format!("{}-{}", spec.name, view.template_hash);
        let key = ObjectKey::new("apps/v1", "ReplicaSet", spec.namespace, &name);
        let revision = self.services[at].revision + 1;
        self.services[at].revision = revision;
        if self.store.get(&key).is_some() {
            self.store.update(&key, |set| set["metadata"]["annotations"][REVISION] = json!(revision.to_string()));
        } else {
            let mut template = deployment["spec"]["template"].clone();
            template["metadata"]["labels"][POD_TEMPLATE_HASH] = json!(view.template_hash);
            let mut labels = template["metadata"]["labels"].clone();
            labels[POD_TEMPLATE_HASH] = json!(view.template_hash);
            let set = json!({
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": name,
                    "namespace": spec.namespace,
                    "labels": labels,
                    "annotations": {REVISION: revision.to_string(), "deployment.kubernetes.io/desired-replicas": view.replicas.to_string()},
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "Deployment", "name": spec.name, "uid": deployment["metadata"]["uid"],
                        "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": spec.name, POD_TEMPLATE_HASH: view.template_hash}},
                    "template": template,
                },
                "status": {"replicas": 0, "readyReplicas": 0, "availableReplicas": 0, "observedGeneration": 1},
            });
            if let Err(error) = self.store.create(set) {
                tracing::error!(%error, service = spec.name, "a ReplicaSet could not be made");
            }
        }
        self.store
            .update(&objects::deployment_key(&spec), |object| object["metadata"]["annotations"][REVISION] = json!(revision.to_string()));
        let body = format!("Scaled up replica set {name} of {}: revision {revision} ({})", spec.name, objects::version_of(&view.image));
        self.event(at, None, 9, "ScalingReplicaSet", body, Some(revision));
        self.prune_history(at);
    }

    fn sets_of(&self, at: usize) -> Vec<std::sync::Arc<Value>> {
        let spec = &self.services[at].spec;
        let sets = self.store.list("apps/v1", "ReplicaSet", Some(spec.namespace));
        sets.into_iter().filter(|set| set["metadata"]["labels"]["app"] == spec.name).collect()
    }

    fn prune_history(&mut self, at: usize) {
        let mut sets: Vec<_> = self
            .sets_of(at)
            .iter()
            .filter_map(|set| Some((objects::annotation(set, REVISION)?.parse::<i64>().ok()?, ObjectKey::of(set)?)))
            .collect();
        sets.sort_by_key(|(revision, _)| *revision);
        let surplus = sets.len().saturating_sub(HISTORY_MAX + 1);
        for (_, key) in sets.into_iter().take(surplus) {
            let _ = self.store.delete(&key, None);
        }
    }

    fn create_pod(&mut self, at: usize, deployment: &Value, view: &DeploymentView, replica_set: &str) {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let suffix: String = (0..5).map(|_| char::from(LETTERS[self.streams.controllers.random_range(0..LETTERS.len())])).collect();
        let start = self.draw(self.parameters.pod_start_s);
        let node = self.least_used_node(at);
        let spec = self.services[at].spec.clone();
        let limit = view.memory_limit_bytes.unwrap_or(f64::from(spec.memory_limit_mib) * 1_048_576.0);
        let pod = Pod {
            name: format!("{replica_set}-{suffix}"),
            template_hash: view.template_hash.clone(),
            replica_set: replica_set.to_owned(),
            node,
            image: view.image.clone(),
            memory_limit_bytes: limit,
            memory_request_bytes: view.memory_request_bytes,
            cpu_request: view.cpu_request,
            cpu_limit: view.cpu_limit,
            created_at: self.now,
            serving_since: self.now,
            phase: Phase::Starting(self.now.plus_ms(start)),
            restarts: 0,
            last_terminated: None,
            crashes: 0,
            memory_bytes: f64::from(spec.memory_limit_mib) * 1_048_576.0 * spec.memory_share * 0.98,
            cpu: 0.0,
            connections: 0.0,
            effect: PodEffect::NONE,
            server: BTreeMap::new(),
            client: BTreeMap::new(),
        };
        let set_uid = self
            .store
            .get(&ObjectKey::new("apps/v1", "ReplicaSet", spec.namespace, replica_set))
            .map_or(Value::Null, |set| set["metadata"]["uid"].clone());
        match self.store.create(pod.object(&spec, &deployment["spec"]["template"], &set_uid)) {
            Ok(_) => self.services[at].pods.push(pod),
            Err(error) => tracing::error!(%error, "a pod could not be made"),
        }
    }

    /// The node with the fewest pods of this service, then the fewest in all.
    fn least_used_node(&self, at: usize) -> &'static str {
        let all = |node: &str| self.services.iter().flat_map(|s| &s.pods).filter(|p| p.node == node).count();
        let own = |node: &str| self.services[at].pods.iter().filter(|p| p.node == node).count();
        NODES.iter().min_by_key(|node| (own(node), all(node), **node)).copied().unwrap_or(NODES[0])
    }

    fn write_replica_sets(&mut self, at: usize) {
        for set in self.sets_of(at) {
            let Some(key) = ObjectKey::of(&set) else { continue };
            let hash = set["metadata"]["labels"][POD_TEMPLATE_HASH].as_str().unwrap_or_default();
            let pods: Vec<_> = self.services[at].pods.iter().filter(|p| p.template_hash == hash).collect();
            let ready = pods.iter().filter(|p| p.ready()).count();
            let count = pods.len();
            if set["spec"]["replicas"] != json!(count)
                || set["status"]["readyReplicas"] != json!(ready)
                || set["status"]["replicas"] != json!(count)
            {
                self.store.update(&key, |set| {
                    set["spec"]["replicas"] = json!(count);
                    let generation = set["metadata"]["generation"].clone();
                    set["status"] =
                        json!({"replicas": count, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": generation});
                });
            }
        }
    }

    pub(crate) fn write_pod(&mut self, at: usize, name: &str) {
        let service = &self.services[at];
        if let Some(pod) = service.pods.iter().find(|p| p.name == name) {
            let (key, status) = (pod.key(&service.spec), pod.status(&service.spec));
            self.store.update(&key, |object| object["status"] = status);
        }
    }

    fn write_deployment_status(&mut self, at: usize) {
        let service = &mut self.services[at];
        let Some(view) = &service.deployment else { return };
        let total = service.pods.len() as u32;
        let updated = service.pods.iter().filter(|p| p.template_hash == view.template_hash).count() as u32;
        let ready = service.pods.iter().filter(|p| p.ready()).count() as u32;
        let desired = view.replicas;
        service.short_since = if ready < desired { Some(service.short_since.unwrap_or(self.now)) } else { None };
        let available = if ready >= desired.saturating_sub(view.max_unavailable) { "True" } else { "False" };
        let done = updated >= desired && ready >= desired && total == desired;
        let key = objects::deployment_key(&service.spec);
        let progressing = if done { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" };
        self.store.update(&key, |object| {
            let mut status = json!({
                "observedGeneration": object["metadata"]["generation"],
                "replicas": total,
                "updatedReplicas": updated,
                "readyReplicas": ready,
                "availableReplicas": ready,
                "conditions": [
                    {"type": "Available", "status": available, "reason": "MinimumReplicasAvailable"},
                    {"type": "Progressing", "status": "True", "reason": progressing},
                ],
            });
            if ready < desired {
                status["unavailableReplicas"] = json!(desired - ready);
            }
            object["status"] = status;
        });
    }

    fn resize_volume(&mut self, at: usize) {
        if self.services[at].volume.is_none() {
            return;
        }
        let key = objects::claim_key(&self.services[at].spec);
        let Some(wanted) = self.store.get(&key).and_then(|claim| quantity::of_json(claim["spec"]["resources"]["requests"].get("storage")))
        else {
            return;
        };
        let (now, wait, late) = (self.now, self.draw_if_resize_is_due(at, wanted), self.remedy_delay_ms(at));
        let Some(volume) = self.services[at].volume.as_mut() else { return };
        match volume.resizing {
            Some((done, size)) if done <= now => {
                volume.resizing = None;
                volume.capacity_bytes = size;
                self.store.update(&key, |claim| {
                    let text = claim["spec"]["resources"]["requests"]["storage"].clone();
                    claim["status"]["capacity"]["storage"] = text;
                });
            }
            // Volumes only grow.
            None if wanted > volume.capacity_bytes + 1.0 => volume.resizing = Some((now.plus_ms(wait + late), wanted)),
            _ => {}
        }
    }

    fn draw_if_resize_is_due(&mut self, at: usize, wanted: f64) -> i64 {
        let due = self.services[at].volume.as_ref().is_some_and(|v| v.resizing.is_none() && wanted > v.capacity_bytes + 1.0);
        if due { self.draw(self.parameters.volume_resize_s) } else { 0 }
    }

    fn renew_certificate(&mut self, at: usize) {
        let key = objects::secret_key(&self.services[at].spec);
        let Some(secret) = self.services[at].certificate.as_ref().and_then(|_| self.store.get(&key).cloned()) else { return };
        let asked = |name| objects::annotation(&secret, name).map(ToOwned::to_owned);
        let request = (asked(objects::ISSUE), asked(objects::RENEW));
        let (wait, late) = (self.draw(self.parameters.certificate_issue_s), self.remedy_delay_ms(at));
        let (now, refused) = (self.now, self.refuses_first_certificate(at));
        let Some(certificate) = self.services[at].certificate.as_mut() else { return };
        if certificate.request != request {
            let removed = request.0.is_none() && request.1.is_none();
            certificate.request = request;
            if !removed {
                certificate.requests += 1;
                if !(refused && certificate.requests == 1) {
                    certificate.issuing = Some(now.plus_ms(wait + late));
                }
            }
        }
        if certificate.issuing.is_some_and(|done| done <= now) {
            certificate.issuing = None;
            certificate.issued += 1;
            let not_after = now.plus_ms((self.parameters.certificate_life_s * 1000.0) as i64);
            self.issue_certificate(at, not_after);
        }
    }

    /// Writes a real certificate that ends then. Keys are random: the store's bytes differ from run to run, telemetry does not.
    pub(crate) fn issue_certificate(&mut self, at: usize, not_after: Timestamp) {
        let spec = self.services[at].spec.clone();
        let (certificate, key) = match self_signed(&objects::common_name(&spec), self.now, not_after) {
            Ok(pair) => pair,
            Err(error) => {
                tracing::error!(%error, service = spec.name, "no certificate could be made");
                return;
            }
        };
        let store_key = objects::secret_key(&spec);
        if self.store.get(&store_key).is_some() {
            self.store.update(&store_key, |secret| {
                secret["data"] = json!({"tls.crt": certificate, "tls.key": key});
                secret["metadata"]["annotations"][objects::NOT_AFTER] = json!(rfc3339::format(not_after));
            });
        } else if let Err(error) = self.store.create(objects::secret(&spec, &certificate, &key, not_after)) {
            tracing::error!(%error, service = spec.name, "a secret could not be made");
        }
        self.services[at].certificate.get_or_insert_default().not_after = not_after;
    }
}

/// A policy that selects Ingress and lets none in. (Quarantine keeps DNS out of the denial, which is egress.)
fn denies_all_ingress(spec: &Value) -> bool {
    let types = spec["policyTypes"].as_array();
    let on_ingress = types.is_none_or(|types| types.iter().any(|t| t == "Ingress"));
    on_ingress && spec["ingress"].as_array().is_none_or(Vec::is_empty)
}

fn self_signed(name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<(String, String), rcgen::Error> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |t: Timestamp| epoch + std::time::Duration::from_millis(t.0.max(0).unsigned_abs());
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()])?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.not_before = at(not_before);
    parameters.not_after = at(not_after);
    let pem = parameters.self_signed(&key)?.pem();
    let base64 = base64::engine::general_purpose::STANDARD;
    Ok((base64.encode(pem), base64.encode(key.serialize_pem())))
}
