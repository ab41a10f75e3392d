//! Telemetry, normalised: what every stage after the gateway reads.

use crate::ids::{ClusterName, ServiceId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of telemetry a message carries; the last token of its subject.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    /// Metric points.
    Metrics,
    /// Spans.
    Traces,
    /// Log records, Kubernetes events among them.
    Logs,
    /// Network flows.
    Flows,
    /// Security events (Falco).
    Events,
}

impl SignalKind {
    /// The subject's token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Flows => "flows",
            Self::Events => "events",
        }
    }
}

/// One message on the bus: signals of one kind from one namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalBatch {
    /// From the sender's credential, never from the payload.
    pub cluster: ClusterName,
    /// The namespace that all of it is about; `_` when there is none.
    pub namespace: String,
    /// Of what kind all of it is.
    pub kind: SignalKind,
    /// True for recorded telemetry (`replay.>`): forces Observe.
    pub replay: bool,
    /// The signals.
    pub signals: Vec<Signal>,
}

impl SignalBatch {
    /// `telemetry.<cluster>.<namespace>.<kind>`, or `replay.…`; tokens are already cleaned.
    #[must_use]
    pub fn subject(&self) -> String {
        let root = if self.replay { "replay" } else { "telemetry" };
        format!("{root}.{}.{}.{}", clean_token(self.cluster.as_str()), clean_token(&self.namespace), self.kind.as_str())
    }
}

/// Makes text safe as one token of a NATS subject: letters, digits, `-` and `_`; everything else becomes `_`.
#[must_use]
pub fn clean_token(text: &str) -> String {
    if text.is_empty() {
        return "_".to_owned();
    }
    text.chars().take(63).map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}

/// Where a signal comes from. Attributes that have a field of their own are not repeated in `attributes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The service: cluster from the credential, namespace `k8s.namespace.name` (or `service.namespace`), name
    /// `service.name`, else the workload's. Its name is empty when the sender named none.
    pub service: ServiceId,
    /// `k8s.pod.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// `k8s.node.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `service.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The other resource attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// One normalised piece of telemetry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signal {
    /// A metric point.
    Metric(MetricPoint),
    /// A span.
    Span(Span),
    /// A log record.
    Log(LogRecord),
    /// A network flow.
    Flow(NetworkFlow),
    /// A security event.
    Event(SecurityEvent),
}

impl Signal {
    /// Where it comes from (for a flow: the client's side).
    #[must_use]
    pub fn resource(&self) -> &Resource {
        match self {
            Self::Metric(m) => &m.resource,
            Self::Span(s) => &s.resource,
            Self::Log(l) => &l.resource,
            Self::Flow(f) => &f.resource,
            Self::Event(e) => &e.resource,
        }
    }

    /// When it was measured, in event time.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Metric(m) => m.at,
            Self::Span(s) => s.end,
            Self::Log(l) => l.at,
            Self::Flow(f) => f.at,
            Self::Event(e) => e.at,
        }
    }
}

/// One data point of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// Its sender.
    pub resource: Resource,
    /// OpenTelemetry name, in the collector's spelling (`k8s.container.restarts`); the gateway maps the semantic conventions' other spelling to it.
    pub name: String,
    /// UCUM unit, as sent.
    pub unit: String,
    /// The point's own attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// End of the interval it covers.
    pub at: Timestamp,
    /// The measurement.
    pub value: MetricValue,
}

/// Whether a sum or histogram counts since its start or since the point before.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// Since the point before.
    Delta,
    /// Since `start`.
    Cumulative,
}

/// A measurement. Exponential histograms arrive as explicit ones (the gateway converts their bounds).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MetricValue {
    /// A value as it was.
    Gauge {
        /// The value.
        value: f64,
    },
    /// A sum.
    Sum {
        /// The sum.
        value: f64,
        /// True when it only rises (a counter).
        monotonic: bool,
        /// What it counts since.
        temporality: Temporality,
        /// Start of counting; a later start than before is a reset.
        start: Timestamp,
    },
    /// A distribution.
    Histogram {
        /// Upper bounds, ascending; `counts` has one more entry, the overflow.
        bounds: Vec<f64>,
        /// Observations per bucket.
        counts: Vec<u64>,
        /// Sum of the observations.
        sum: f64,
        /// Number of observations.
        count: u64,
        /// What it counts since.
        temporality: Temporality,
        /// Start of counting.
        start: Timestamp,
    },
}

/// What side of a call a span shows.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// The caller's.
    Client,
    /// The callee's.
    Server,
    /// Sends a message.
    Producer,
    /// Takes a message.
    Consumer,
    /// Work inside a service.
    Internal,
}

/// A finished span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its sender.
    pub resource: Resource,
    /// Trace id, 32 hex digits.
    pub trace_id: String,
    /// Span id, 16 hex digits.
    pub span_id: String,
    /// The parent's span id; empty for a root.
    pub parent_span_id: String,
    /// Operation.
    pub name: String,
    /// Which side of a call.
    pub kind: SpanKind,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// True when its status is an error.
    pub error: bool,
    /// `peer.service` or `service.peer.name`, when the sender named the callee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_service: Option<String>,
    /// Other attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A log record. Its body is data from outside and never an instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its sender.
    pub resource: Resource,
    /// When.
    pub at: Timestamp,
    /// OpenTelemetry severity number, 1-24 (17 and above are errors); 0 when unset.
    pub severity: u8,
    /// Text, cut to 4 KiB.
    pub body: String,
    /// Attributes; Kubernetes events carry `k8s.event.reason`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Bytes that went from one service to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFlow {
    /// The client's side.
    pub resource: Resource,
    /// The other side.
    pub peer: ServiceId,
    /// When.
    pub at: Timestamp,
    /// Bytes since the point before.
    pub bytes: f64,
}

/// A finding of a runtime security sensor (Falco's JSON output).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// The workload it is about.
    pub resource: Resource,
    /// When.
    pub at: Timestamp,
    /// The rule's name.
    pub rule: String,
    /// Falco priority: Emergency … Debug.
    pub priority: String,
    /// The sentence it printed.
    pub output: String,
    /// `output_fields`, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_tokens_are_cleaned() {
        let batch =
            SignalBatch { cluster: "a.b>".into(), namespace: "shop *".into(), kind: SignalKind::Logs, replay: false, signals: vec![] };
        assert_eq!(batch.subject(), "telemetry.a_b_.shop__.logs");
        assert_eq!(clean_token(""), "_");
    }
}
