//! What a simulated cluster's collectors send: metrics every five seconds, sampled traces, logs, and Falco's findings.

mod attributes;
mod falco;
mod logs;
mod metrics;
mod traces;

use crate::cluster::SimCluster;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// What was sent last, per cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExportState {
    /// End of the last interval.
    pub until: Option<Timestamp>,
    /// When each fault with security findings showed one last (by index).
    pub falco_at: BTreeMap<usize, Timestamp>,
}

/// Telemetry of one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Metrics.
    pub metrics: ExportMetricsServiceRequest,
    /// Traces.
    pub traces: ExportTraceServiceRequest,
    /// Logs and Kubernetes events.
    pub logs: ExportLogsServiceRequest,
    /// Falco's JSON, one document per finding.
    pub falco: Vec<serde_json::Value>,
}

impl SimCluster {
    /// Telemetry since the last call, up to now. Call it every `metric_interval_s` of event time: gauges are read at that moment.
    pub fn telemetry(&mut self) -> Telemetry {
        let since = self.exported.until.unwrap_or(self.started_at);
        let telemetry = Telemetry {
            metrics: self.export_metrics(since),
            traces: self.export_traces(since),
            logs: self.export_logs(),
            falco: self.export_falco(),
        };
        self.exported.until = Some(self.now);
        telemetry
    }

    /// True when the next interval is over.
    #[must_use]
    pub fn telemetry_is_due(&self) -> bool {
        self.now.since_ms(self.exported.until.unwrap_or(self.started_at)) >= self.parameters.metric_interval_s * 1000
    }
}

fn nanos(at: Timestamp) -> u64 {
    at.0.max(0).unsigned_abs() * 1_000_000
}
