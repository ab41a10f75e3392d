//! Findings of a runtime security sensor, in Falco's JSON.

use crate::cluster::SimCluster;
use crate::faults::FaultKind;
use crate::faults::lifecycle::FaultState;
use crate::rfc3339;
use rand::RngExt as _;
use serde_json::{Value, json};

/// Seconds between two findings on one workload, at least.
const EVERY_S: i64 = 7;

/// Rule, priority, process, what it did.
const FINDINGS: [(&str, &str, &str, &str); 3] = [
    ("Detect outbound connections to common miner pool ports", "Critical", "xmrig", "connected to a mining pool on port 3333"),
    ("Terminal shell in container", "Notice", "bash", "a shell was spawned with an attached terminal"),
    ("Read sensitive file untrusted", "Warning", "cat", "opened /etc/shadow for reading"),
];

impl SimCluster {
    pub(super) fn export_falco(&mut self) -> Vec<Value> {
        let mut findings = Vec::new();
        for index in 0..self.faults.len() {
            let fault = &self.faults[index];
            let at = fault.at;
            if fault.plan.kind != FaultKind::SuspiciousWorkload || fault.state != FaultState::Active {
                continue;
            }
            let first = !self.exported.falco_at.contains_key(&index);
            if self.exported.falco_at.get(&index).is_some_and(|last| self.now.since_ms(*last) < EVERY_S * 1000) {
                continue;
            }
            let ready: Vec<usize> = (0..self.services[at].pods.len()).filter(|p| self.services[at].pods[*p].ready()).collect();
            if ready.is_empty() {
                continue;
            }
            self.exported.falco_at.insert(index, self.now);
            let pod = ready[self.streams.telemetry.random_range(0..ready.len())];
            let which = if first { 0 } else { self.streams.telemetry.random_range(0..FINDINGS.len()) };
            let (rule, priority, process, did) = FINDINGS[which];
            let (spec, pod) = (&self.services[at].spec, &self.services[at].pods[pod]);
            let time = rfc3339::format_nanos(self.now);
            findings.push(json!({
                "hostname": pod.node,
                "output": format!("{time}: {priority} {did} (process={process} container={} k8s.ns={} k8s.pod={})", spec.name, spec.namespace, pod.name),
                "priority": priority,
                "rule": rule,
                "source": "syscall",
                "tags": ["container", "mitre_execution"],
                "time": time,
                "output_fields": {
                    "container.name": spec.name,
                    "k8s.ns.name": spec.namespace,
                    "k8s.pod.name": pod.name,
                    "k8s.deployment.name": spec.name,
                    "proc.name": process,
                    "evt.time": self.now.0 * 1_000_000,
                },
            }));
        }
        findings
    }
}
