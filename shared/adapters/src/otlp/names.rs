//! One spelling per name: the semantic conventions' is mapped to the collector's.

use std::collections::BTreeMap;

/// (semantic convention, collector).
const METRICS: [(&str, &str); 9] = [
    ("k8s.container.restart.count", "k8s.container.restarts"),
    ("k8s.pod.status.phase", "k8s.pod.phase"),
    ("k8s.pod.volume.available", "k8s.volume.available"),
    ("k8s.pod.volume.capacity", "k8s.volume.capacity"),
    ("k8s.deployment.pod.desired", "k8s.deployment.desired"),
    ("k8s.deployment.pod.available", "k8s.deployment.available"),
    ("rpc.server.call.duration", "rpc.server.duration"),
    ("rpc.client.call.duration", "rpc.client.duration"),
    ("container.memory.working_set_bytes", "container.memory.working_set"),
];

const ATTRIBUTES: [(&str, &str); 1] = [("service.peer.name", "peer.service")];

/// Metrics of network flows, by the senders' prefixes.
const FLOWS: [&str; 3] = ["obi.network.flow.bytes", "otel_ebpf.network.flow.bytes", "beyla.network.flow.bytes"];

/// The metric of which the conventions make one point per reason.
pub(super) const STATUS_REASON: &str = "k8s.container.status.reason";
/// The resource attribute that collectors put the last reason of an ended container in.
pub(super) const LAST_TERMINATED_REASON: &str = "k8s.container.status.last_terminated_reason";
/// The resource attribute for the reason of a waiting one.
pub(super) const WAITING_REASON: &str = "k8s.container.status.waiting_reason";

const TERMINATED: [&str; 7] = ["OOMKilled", "Error", "Completed", "ContainerCannotRun", "DeadlineExceeded", "Evicted", "StartError"];

/// The collector's name of a metric.
pub(super) fn metric(name: &str) -> &str {
    METRICS.iter().find(|(convention, _)| *convention == name).map_or(name, |(_, collector)| collector)
}

/// True when a metric counts the bytes of flows.
pub(super) fn is_flow(name: &str) -> bool {
    FLOWS.contains(&name)
}

/// Renames attributes to the collector's spelling; one that is there already stays.
pub(super) fn rename(attributes: &mut BTreeMap<String, String>) {
    for (convention, collector) in ATTRIBUTES {
        if let Some(value) = attributes.remove(convention) {
            attributes.entry(collector.to_owned()).or_insert(value);
        }
    }
}

/// The resource attribute that tells a container's reason.
pub(super) fn reason_attribute(reason: &str) -> &'static str {
    if TERMINATED.contains(&reason) { LAST_TERMINATED_REASON } else { WAITING_REASON }
}

/// The collector's number of a pod's phase.
pub(super) fn pod_phase(phase: &str) -> f64 {
    match phase {
        "Pending" => 1.0,
        "Running" => 2.0,
        "Succeeded" => 3.0,
        "Failed" => 4.0,
        _ => 5.0,
    }
}
