//! Falco's JSON output and Alertmanager's webhook (version 4).

use super::attributes::{cleaned, insert_text};
use super::batches::Batches;
use super::logs::BODY_BYTES_MAX;
use super::resource::{service, workload_of_pod};
use crate::calendar::parse_timestamp;
use picket_core::ids::ClusterName;
use picket_core::signal::{LogRecord, Resource, SecurityEvent, Signal, SignalBatch, SignalKind};
use picket_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Alerts taken of one message; Alertmanager itself can be told to cut (`max_alerts`).
const ALERTS_MAX: usize = 1_024;
const WORKLOAD_FIELDS: [&str; 4] = ["k8s.deployment.name", "k8smeta.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name"];

#[derive(Deserialize)]
struct FalcoEvent {
    rule: String,
    priority: String,
    #[serde(default)]
    output: String,
    time: Option<String>,
    hostname: Option<String>,
    source: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    output_fields: Option<serde_json::Map<String, Value>>,
}

/// One event.
pub fn falco(body: &[u8], cluster: &ClusterName, received_at: Timestamp) -> Result<Vec<SignalBatch>, String> {
    let event: FalcoEvent = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if event.rule.is_empty() {
        return Err("the event names no rule".to_owned());
    }
    let at = match &event.time {
        Some(text) => parse_timestamp(text).ok_or_else(|| format!("`{}` is no time", cleaned(text, 64)))?,
        None => received_at,
    };
    let mut fields = BTreeMap::new();
    for (name, value) in event.output_fields.iter().flatten() {
        insert_text(&mut fields, name, &plain(value));
    }
    for (name, value) in [("source", event.source), ("tags", Some(event.tags.join(",")).filter(|tags| !tags.is_empty()))] {
        if let Some(value) = value {
            insert_text(&mut fields, name, &value);
        }
    }
    let field = |name: &str| fields.get(name).filter(|text| !text.is_empty() && *text != "<NA>");
    let namespace = field("k8s.ns.name").or_else(|| field("k8smeta.ns.name")).cloned().unwrap_or_default();
    let pod = field("k8s.pod.name").or_else(|| field("k8smeta.pod.name")).cloned();
    let workload = WORKLOAD_FIELDS.iter().find_map(|name| field(name).cloned());
    let name = workload.or_else(|| pod.as_deref().map(|pod| workload_of_pod(pod).to_owned())).unwrap_or_default();
    let resource = Resource {
        service: service(cluster, &namespace, &name),
        pod,
        node: event.hostname.map(|node| cleaned(&node, 255)),
        ..Resource::default()
    };
    let event = SecurityEvent {
        resource,
        at,
        rule: cleaned(&event.rule, 255),
        priority: cleaned(&event.priority, 32),
        output: cleaned(&event.output, BODY_BYTES_MAX),
        fields,
    };
    let mut batches = Batches::new(cluster);
    batches.push(SignalKind::Events, Signal::Event(event));
    Ok(batches.finish().0)
}

#[derive(Deserialize)]
struct AlertmanagerMessage {
    version: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(default)]
    ends_at: String,
    #[serde(default)]
    fingerprint: String,
}

/// Each alert is a log record with its labels as attributes. The same alert sent again is the same batch, and published once.
pub(super) fn alertmanager(body: &[u8], cluster: &ClusterName, _received_at: Timestamp) -> Result<Vec<SignalBatch>, String> {
    let message: AlertmanagerMessage = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if message.version != "4" {
        return Err(format!("version `{}` is not understood: expected 4", cleaned(&message.version, 16)));
    }
    if message.alerts.len() > ALERTS_MAX {
        return Err(format!("{} alerts in one message: set `max_alerts` to at most {ALERTS_MAX}", message.alerts.len()));
    }
    let mut batches = Batches::new(cluster);
    for alert in &message.alerts {
        batches.push(SignalKind::Logs, Signal::Log(log_of(alert, cluster)?));
    }
    Ok(batches.finish().0)
}

fn log_of(alert: &Alert, cluster: &ClusterName) -> Result<LogRecord, String> {
    let resolved = alert.status == "resolved";
    let when = if resolved && !alert.ends_at.is_empty() { &alert.ends_at } else { &alert.starts_at };
    let at = parse_timestamp(when).ok_or_else(|| format!("`{}` is no time", cleaned(when, 64)))?;
    let label = |name: &str| alert.labels.get(name).filter(|text| !text.is_empty());
    let pod = label("pod").cloned();
    let named = ["deployment", "service", "app", "job"].iter().find_map(|name| label(name).cloned());
    let workload =
        label("deployment").cloned().or_else(|| pod.as_deref().map(|pod| workload_of_pod(pod).to_owned())).or(named).unwrap_or_default();
    let namespace = label("namespace").cloned().unwrap_or_default();
    let severity = match label("severity").map(String::as_str) {
        _ if resolved => 9,
        Some("critical" | "page") => 21,
        Some("info" | "none") => 9,
        Some("warning") => 13,
        _ => 17,
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in [("alert.status", &alert.status), ("alert.fingerprint", &alert.fingerprint)] {
        insert_text(&mut attributes, name, value);
    }
    for (name, value) in &alert.labels {
        insert_text(&mut attributes, &format!("alert.label.{name}"), value);
    }
    let text = ["description", "message", "summary"].iter().find_map(|name| alert.annotations.get(*name));
    let body = text.or_else(|| label("alertname")).map(|text| cleaned(text, BODY_BYTES_MAX)).unwrap_or_default();
    let resource = Resource { service: service(cluster, &namespace, &workload), pod, node: label("node").cloned(), ..Resource::default() };
    Ok(LogRecord { resource, at, severity, body, attributes })
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
