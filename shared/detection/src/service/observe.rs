//! Takes a service's signals in: the telemetry table, one arm per metric.

use super::{Calls, Happened, OBJECTS_MAX, POD_FORGOTTEN_MS, PODS_MAX, Pod, SeriesKey, ServiceState, Volume};
use crate::changes::{ChangeLog, attribute};
use crate::settings::DetectionSettings;
use picket_core::anomaly::Symptom;
use picket_core::incident::ChangeKind;
use picket_core::signal::{LogRecord, MetricPoint, MetricValue, Resource, SecurityEvent};
use picket_core::time::Timestamp;

/// OpenTelemetry severity number from which a record is an error.
const SEVERITY_ERROR: u8 = 17;

fn set(latest: &mut super::Latest, at: Timestamp, value: f64) {
    if latest.is_none_or(|(last, _)| at > last) {
        *latest = Some((at, value));
    }
}

impl ServiceState {
    fn pod(&mut self, resource: &Resource, at: Timestamp) -> Option<&mut Pod> {
        let name = resource.pod.as_deref().unwrap_or("");
        if !self.pods.contains_key(name) {
            if self.pods.len() >= PODS_MAX {
                self.pods.retain(|_, pod| at.since_ms(pod.last_seen) < POD_FORGOTTEN_MS);
            }
            if self.pods.len() >= PODS_MAX {
                self.left_out += 1;
                return None;
            }
            self.pods.insert(name.to_owned(), Pod::default());
        }
        let pod = self.pods.get_mut(name)?;
        pod.last_seen = pod.last_seen.max(at);
        if pod.node.is_none() {
            pod.node.clone_from(&resource.node);
        }
        Some(pod)
    }

    /// A pod that was not there before and carries another version is a rollout.
    pub fn observe_resource(&mut self, resource: &Resource, at: Timestamp, is_metric: bool, changes: &mut ChangeLog) {
        self.last_seen = self.last_seen.max(at);
        self.arrival.see(is_metric, at);
        let (Some(version), Some(pod)) = (&resource.version, &resource.pod) else { return };
        if self.pods.contains_key(pod) || self.version.as_ref() == Some(version) {
            return;
        }
        if let Some(before) = self.version.replace(version.clone()) {
            changes.push(&self.id, ChangeKind::Deployment, self.arrival.ours(at), format!("version {before} became {version}"));
        }
    }

    pub fn observe_metric(&mut self, point: &MetricPoint, settings: &DetectionSettings, changes: &mut ChangeLog) {
        let at = point.at;
        if let Some(container) = point.resource.attributes.get("k8s.container.name")
            && self.container.as_ref() != Some(container)
        {
            self.container = Some(container.clone());
        }
        match point.name.as_str() {
            "http.server.request.duration" => self.observe_calls(point, None, settings),
            "http.client.request.duration" => {
                let peer = point.attributes.get("peer.service").or_else(|| point.attributes.get("service.peer.name"));
                if let Some(peer) = peer.filter(|p| !p.is_empty()).cloned() {
                    self.observe_calls(point, Some(peer), settings);
                }
            }
            _ => {
                let value = match point.value {
                    MetricValue::Gauge { value } | MetricValue::Sum { value, .. } => value,
                    MetricValue::Histogram { .. } => return,
                };
                if value.is_finite() {
                    self.observe_gauge(point, at, value, settings, changes);
                }
            }
        }
    }

    fn observe_gauge(&mut self, point: &MetricPoint, at: Timestamp, value: f64, settings: &DetectionSettings, changes: &mut ChangeLog) {
        let of = |key: &str| point.attributes.get(key).or_else(|| point.resource.attributes.get(key)).cloned();
        let resource = &point.resource;
        match point.name.as_str() {
            "k8s.deployment.desired" => {
                let before = self.desired.map(|(_, v)| v);
                set(&mut self.desired, at, value);
                if let Some(before) = before.filter(|b| (b - value).abs() >= 0.5) {
                    self.desired_changed = Some(self.arrival.comes(at));
                    changes.push(&self.id, ChangeKind::Scaling, self.arrival.ours(at), format!("desired replicas {before} became {value}"));
                }
            }
            "k8s.deployment.available" => set(&mut self.available, at, value),
            "k8s.volume.available" | "k8s.volume.capacity" => {
                let Some(claim) = of("k8s.persistentvolumeclaim.name") else { return };
                if !self.volumes.contains_key(&claim) && self.volumes.len() >= OBJECTS_MAX {
                    self.left_out += 1;
                    return;
                }
                self.volumes.entry(claim).or_default().observe(&point.name, at, value, settings.history_max);
            }
            "tlscheck.time_left" => {
                let Some(secret) = of("k8s.secret.name").or_else(|| of("tlscheck.x509.cn")) else { return };
                if self.certificates.len() < OBJECTS_MAX || self.certificates.contains_key(&secret) {
                    let entry = self.certificates.entry(secret).or_insert((at, value));
                    if at >= entry.0 {
                        *entry = (at, value);
                    }
                } else {
                    self.left_out += 1;
                }
            }
            "k8s.container.restarts" => {
                self.observe_restarts(resource, at, value, of("k8s.container.status.last_terminated_reason").as_deref())
            }
            "k8s.container.ready" => {
                let looping = of("k8s.container.status.waiting_reason").as_deref() == Some("CrashLoopBackOff");
                if let Some(pod) = self.pod(resource, at) {
                    pod.crash_loop = looping.then_some(at);
                }
            }
            "container.memory.working_set" => {
                self.long.memory(at, value, settings.long_window_ms);
                if let Some(pod) = self.pod(resource, at) {
                    set(&mut pod.memory, at, value);
                }
            }
            "container.cpu.usage" => {
                self.long.cpu(at, value, settings.long_window_ms);
                if let Some(pod) = self.pod(resource, at) {
                    set(&mut pod.cpu, at, value);
                }
            }
            name => {
                if name == "k8s.container.memory_limit" {
                    self.forget_memory_of_other_limits(resource, value);
                }
                let Some(pod) = self.pod(resource, at) else { return };
                match name {
                    "k8s.container.memory_limit" => set(&mut pod.memory_limit, at, value),
                    "k8s.container.memory_request" => set(&mut pod.memory_request, at, value),
                    "k8s.container.cpu_limit" => set(&mut pod.cpu_limit, at, value),
                    "k8s.container.cpu_request" => set(&mut pod.cpu_request, at, value),
                    "db.client.connection.count" if of("db.client.connection.state").is_none_or(|s| s == "used") => {
                        set(&mut pod.pool_used, at, value);
                    }
                    "db.client.connection.max" => set(&mut pod.pool_max, at, value),
                    // Idle connections: the pool's rest.
                    "db.client.connection.count" => {}
                    _ if matches!(point.value, MetricValue::Gauge { .. }) => self.observe_other_gauge(point, value),
                    _ => {}
                }
            }
        }
    }

    /// The working set is judged as a share of the limit: under another limit the shares of before are no measure.
    fn forget_memory_of_other_limits(&mut self, resource: &Resource, limit: f64) {
        let name = resource.pod.as_deref().unwrap_or("");
        if self.pods.get(name).is_some_and(|pod| pod.memory_limit.is_some_and(|(_, known)| (known - limit).abs() <= 0.01 * known)) {
            return;
        }
        if self.newest(|pod| pod.memory_limit).is_some_and(|known| (known - limit).abs() > 0.01 * known) {
            self.series.remove(&SeriesKey::Memory.name());
            self.gates.remove(&(Symptom::MemoryHigh, None));
        }
    }

    /// Only a rise counts: the gauge says how often since the pod was made, not when.
    fn observe_restarts(&mut self, resource: &Resource, at: Timestamp, value: f64, reason: Option<&str>) {
        let Some(pod) = self.pod(resource, at) else { return };
        if pod.restarts.is_some_and(|(last, _)| at <= last) {
            return;
        }
        let rose = pod.restarts.map_or(0.0, |(_, before)| value - before);
        pod.restarts = Some((at, value));
        if rose >= 0.5 {
            let count = rose.min(1_000.0).round() as u64;
            let pod = resource.pod.clone();
            if reason == Some("OOMKilled") {
                self.happen(Symptom::OomKilled, None, at, count, pod.clone(), "k8s.container.restarts (OOMKilled)");
            }
            self.happen(Symptom::Restarts, None, at, count, pod, "k8s.container.restarts");
        }
    }

    fn happen(&mut self, symptom: Symptom, object: Option<String>, at: Timestamp, count: u64, pod: Option<String>, series: &str) {
        let key = (symptom, object);
        if !self.happened.contains_key(&key) && self.happened.len() >= OBJECTS_MAX {
            self.left_out += 1;
            return;
        }
        let entry = self.happened.entry(key).or_insert_with(|| Happened {
            first: at,
            last: at,
            count: 0,
            pod: pod.clone(),
            series: series.to_owned(),
        });
        entry.count += count;
        if at >= entry.last {
            (entry.last, entry.pod) = (at, pod);
        }
        entry.first = entry.first.min(at);
    }

    fn observe_calls(&mut self, point: &MetricPoint, peer: Option<String>, settings: &DetectionSettings) {
        let at = point.at;
        let failed = point
            .attributes
            .get("http.response.status_code")
            .map_or_else(|| point.attributes.contains_key("error.type"), |code| code.parse::<u16>().is_ok_and(|c| c >= 500));
        // Milliseconds, whatever the sender counts in.
        let to_ms = match point.unit.as_str() {
            "ms" => 1.0,
            "us" => 0.001,
            "ns" => 0.000_001,
            _ => 1_000.0,
        };
        let key = std::iter::once(point.name.as_str())
            .chain(point.attributes.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()]))
            .collect::<Vec<_>>()
            .join("\u{1f}");
        let counters: usize = self.pods.values().map(|p| p.counters.len()).sum();
        let is_server = peer.is_none();
        let Some(pod) = self.pod(&point.resource, at) else { return };
        if counters >= settings.series_max && !pod.counters.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let reported = pod.reported.entry(point.name.clone()).or_insert((at, None));
        if at > reported.0 {
            *reported = (at, Some(reported.0));
        }
        let sibling = reported.1;
        let Some(step) = pod.counters.entry(key.clone()).or_default().advance(at, &point.value, sibling) else { return };
        if is_server {
            pod.rate.insert(key, (at, step.count / (step.dt_ms as f64 / 1_000.0)));
        }
        let calls = match peer {
            None => &mut self.server,
            Some(peer) => {
                if !self.peers.contains_key(&peer) && self.peers.len() >= OBJECTS_MAX {
                    self.left_out += 1;
                    return;
                }
                self.peers.entry(peer).or_default()
            }
        };
        calls.add(at, &step, to_ms, failed);
    }

    pub fn observe_log(&mut self, log: &LogRecord, changes: &mut ChangeLog) {
        let pod = || attribute(log, "k8s.pod.name").map(str::to_owned).or_else(|| log.resource.pod.clone());
        let Some(reason) = attribute(log, "k8s.event.reason") else {
            self.error_logs += u64::from(log.severity >= SEVERITY_ERROR);
            return;
        };
        match reason {
            "OOMKilling" => self.happen(Symptom::OomKilled, None, log.at, 1, pod(), "event OOMKilling"),
            "FailedScheduling" => self.happen(Symptom::FailedScheduling, None, log.at, 1, pod(), "event FailedScheduling"),
            // The same reason also stands for images that cannot be pulled, which no container's crash explains.
            "BackOff" if log.body.contains("restarting failed") => self.happen(Symptom::CrashLoop, None, log.at, 1, pod(), "event BackOff"),
            reason => changes.observe_event(log, reason, self.arrival.ours(log.at)),
        }
    }

    pub fn observe_security(&mut self, event: &SecurityEvent) {
        // Falco's priorities from Warning upwards.
        const GRAVE: [&str; 5] = ["emergency", "alert", "critical", "error", "warning"];
        if GRAVE.iter().any(|p| event.priority.eq_ignore_ascii_case(p)) {
            let rule: String = event.rule.chars().take(200).collect();
            self.happen(Symptom::SecurityFinding, Some(rule), event.at, 1, event.resource.pod.clone(), "security event");
        }
    }
}

impl Calls {
    fn add(&mut self, at: Timestamp, step: &crate::counter::Increment, to_ms: f64, failed: bool) {
        self.open.latency.merge_scaled(&step.distribution, to_ms);
        self.open.count += step.count;
        if failed {
            self.open.errors += step.count;
        }
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }
}

impl Volume {
    fn observe(&mut self, name: &str, at: Timestamp, value: f64, history_max: usize) {
        if name == "k8s.volume.capacity" {
            let grown = self.capacity.is_some_and(|(last, before)| at > last && (value - before).abs() > 0.01 * before.abs());
            set(&mut self.capacity, at, value);
            // Another size: the line through the free space breaks here.
            if grown {
                self.available.clear();
            }
        } else if self.available.back().is_none_or(|(last, _)| at > *last) {
            if self.available.len() >= history_max.max(2) {
                self.available.pop_front();
            }
            self.available.push_back((at, value));
        }
    }
}
