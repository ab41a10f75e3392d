//! One pod of the model, and how it is written down.

use crate::cluster::histogram::Histogram;
use crate::objects::{POD_TEMPLATE_HASH, version_of};
use crate::rfc3339;
use crate::store::ObjectKey;
use crate::topology::ServiceSpec;
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What its container does.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Starting; ready at that time.
    Starting(Timestamp),
    /// Ready.
    Ready,
    /// Crashed; waits until then before it is started again.
    BackOff(Timestamp),
}

/// What faults do to one pod, set anew every second.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct PodEffect {
    /// Own latency is multiplied by it.
    pub latency_factor: f64,
    /// Share of requests that fail by themselves.
    pub errors: f64,
    /// CPU is multiplied by it.
    pub cpu_factor: f64,
    /// Its connection pool is used up.
    pub pool_exhausted: bool,
    /// Where its working set goes instead of the usual, in bytes.
    pub memory_target_bytes: Option<f64>,
    /// How fast, in bytes a second.
    pub memory_step_bytes: f64,
}

impl PodEffect {
    /// Nothing is wrong; a few requests in a thousand always fail.
    pub const NONE: Self = Self {
        latency_factor: 1.0,
        errors: 0.001,
        cpu_factor: 1.0,
        pool_exhausted: false,
        memory_target_bytes: None,
        memory_step_bytes: 4e6,
    };
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Hash of the template that it was made from.
    pub template_hash: String,
    /// Its `ReplicaSet`.
    pub replica_set: String,
    /// Its node.
    pub node: &'static str,
    /// Its image.
    pub image: String,
    /// Memory limit, in bytes.
    pub memory_limit_bytes: f64,
    /// Memory request, in bytes.
    pub memory_request_bytes: f64,
    /// CPU request, in cores.
    pub cpu_request: f64,
    /// CPU limit, in cores.
    pub cpu_limit: Option<f64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its container last started to serve (its counters restart there).
    pub serving_since: Timestamp,
    /// What its container does.
    pub phase: Phase,
    /// Restarts of its container.
    pub restarts: u32,
    /// Why the container ended last: `OOMKilled`, `Error`.
    pub last_terminated: Option<&'static str>,
    /// Crashes in a row, for the back-off.
    pub crashes: u32,
    /// Working set, in bytes.
    pub memory_bytes: f64,
    /// CPU in use, in cores.
    pub cpu: f64,
    /// Connections in use.
    pub connections: f64,
    /// What faults do to it in this second.
    pub effect: PodEffect,
    /// Served requests by status code.
    pub server: BTreeMap<u16, Histogram>,
    /// Calls by callee (index of the service) and status code.
    pub client: BTreeMap<(usize, u16), Histogram>,
}

impl Pod {
    /// True when it takes traffic.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Its key in the store.
    #[must_use]
    pub fn key(&self, spec: &ServiceSpec) -> ObjectKey {
        ObjectKey::new("v1", "Pod", spec.namespace, &self.name)
    }

    /// Why its container waits, when it does.
    #[must_use]
    pub fn waiting(&self) -> Option<&'static str> {
        match self.phase {
            Phase::BackOff(_) => Some("CrashLoopBackOff"),
            Phase::Starting(_) if self.restarts == 0 => Some("ContainerCreating"),
            _ => None,
        }
    }

    /// The pod's status for the store.
    #[must_use]
    pub fn status(&self, spec: &ServiceSpec) -> Value {
        let ready = self.ready();
        let truth = if ready { "True" } else { "False" };
        let started = rfc3339::format(self.serving_since);
        let state = match self.waiting() {
            Some(reason) => json!({"waiting": {"reason": reason}}),
            None => json!({"running": {"startedAt": started}}),
        };
        let last = match self.last_terminated {
            Some(reason) => json!({"terminated": {"reason": reason, "exitCode": if reason == "OOMKilled" { 137 } else { 1 }}}),
            None => json!({}),
        };
        json!({
            "phase": if self.waiting() == Some("ContainerCreating") { "Pending" } else { "Running" },
            "startTime": rfc3339::format(self.created_at),
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "ContainersReady", "status": truth},
                {"type": "Ready", "status": truth},
            ],
            "containerStatuses": [{
                "name": spec.name,
                "image": self.image,
                "imageID": format!("registry.local/{}@{}", spec.name, version_of(&self.image)),
                "ready": ready,
                "started": ready,
                "restartCount": self.restarts,
                "state": state,
                "lastState": last,
            }],
        })
    }

    /// The whole object, as it is first created.
    #[must_use]
    pub fn object(&self, spec: &ServiceSpec, template: &Value, replica_set_uid: &Value) -> Value {
        let mut labels = template["metadata"]["labels"].clone();
        labels[POD_TEMPLATE_HASH] = json!(self.template_hash);
        let mut pod_spec = template["spec"].clone();
        pod_spec["nodeName"] = json!(self.node);
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": spec.namespace,
                "labels": labels,
                "annotations": template["metadata"]["annotations"],
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": self.replica_set, "uid": replica_set_uid,
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": pod_spec,
            "status": self.status(spec),
        })
    }
}

impl Pod {
    /// Moves the working set one second towards where it belongs. `wobble` is -1..1.
    pub(super) fn step_memory(&mut self, spec: &ServiceSpec, wobble: f64) {
        let usual = f64::from(spec.memory_limit_mib) * 1_048_576.0 * spec.memory_share;
        let target = self.effect.memory_target_bytes.unwrap_or(usual);
        let step = self.effect.memory_step_bytes;
        self.memory_bytes += (target - self.memory_bytes).clamp(-4.0 * step, step) + usual * 0.002 * wobble;
        self.memory_bytes = self.memory_bytes.max(1e6);
    }
}
