//! Error logs of the services, and Kubernetes events.

use super::attributes::{number, of_pod, of_service, resource, scope, text};
use super::nanos;
use crate::cluster::SimCluster;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1 as otlp;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use std::collections::BTreeMap;

/// Error records of one service in one interval, at most (a logger's own rate limit).
const ERRORS_MAX: usize = 20;
/// `ERROR` of OpenTelemetry.
const SEVERITY_ERROR: i32 = 17;

fn record(at: Timestamp, severity: i32, body: String) -> otlp::LogRecord {
    let severity_text = if severity >= SEVERITY_ERROR {
        "ERROR"
    } else if severity >= 13 {
        "WARN"
    } else {
        "INFO"
    };
    otlp::LogRecord {
        time_unix_nano: nanos(at),
        observed_time_unix_nano: nanos(at),
        severity_number: severity,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        ..otlp::LogRecord::default()
    }
}

impl SimCluster {
    pub(super) fn export_logs(&mut self) -> ExportLogsServiceRequest {
        let mut by_sender: BTreeMap<(usize, Option<String>), Vec<otlp::LogRecord>> = BTreeMap::new();
        for line in std::mem::take(&mut self.log_lines) {
            let mut entry = record(line.at, line.severity, line.body);
            entry.attributes.extend(line.reason.map(|reason| text("k8s.event.reason", reason)));
            entry.attributes.extend(line.revision.map(|revision| number("k8s.deployment.revision", revision)));
            by_sender.entry((line.service, line.pod)).or_default().push(entry);
        }
        for at in 0..self.services.len() {
            let failed = std::mem::take(&mut self.services[at].failed_requests);
            let ready: Vec<String> = self.services[at].pods.iter().filter(|p| p.ready()).map(|p| p.name.clone()).collect();
            // A tenth of the failures is logged: most loggers sample. The fraction left over is decided by chance.
            let due = failed * 0.1;
            let whole = due as usize + usize::from(self.streams.telemetry.random_range(0.0..1.0) < due.fract());
            for _ in 0..whole.min(ERRORS_MAX) {
                if ready.is_empty() {
                    break;
                }
                let pod = ready[self.streams.telemetry.random_range(0..ready.len())].clone();
                let back_ms: i64 = self.streams.telemetry.random_range(0..5000);
                let body = format!("request failed: {}", self.services[at].complaint);
                by_sender.entry((at, Some(pod))).or_default().push(record(self.now.plus_ms(-back_ms), SEVERITY_ERROR, body));
            }
        }
        let resource_logs = by_sender
            .into_iter()
            .map(|((at, pod), mut log_records)| {
                log_records.sort_by_key(|r| r.time_unix_nano);
                let service = &self.services[at];
                let attributes = match pod.as_ref().and_then(|name| service.pods.iter().find(|p| p.name == *name)) {
                    Some(pod) => of_pod(service, pod),
                    None => of_service(service),
                };
                otlp::ResourceLogs {
                    resource: resource(attributes),
                    scope_logs: vec![otlp::ScopeLogs { scope: scope(), log_records, ..otlp::ScopeLogs::default() }],
                    ..otlp::ResourceLogs::default()
                }
            })
            .collect();
        ExportLogsServiceRequest { resource_logs }
    }
}
