//! Requests as senders make them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

pub const AT_NANOS: u64 = 1_700_000_005_000_000_000;

pub fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.into())) }
}

pub fn pairs(of: &[(&str, &str)]) -> Vec<KeyValue> {
    of.iter().map(|(key, value)| KeyValue { key: (*key).into(), value: Some(text(value)), ..KeyValue::default() }).collect()
}

pub fn resource(extra: &[(&str, &str)]) -> Option<Resource> {
    let mut attributes = pairs(&[("service.name", "cart"), ("k8s.namespace.name", "shop"), ("k8s.pod.name", "cart-1")]);
    attributes.extend(pairs(extra));
    Some(Resource { attributes, ..Resource::default() })
}

pub fn number(value: f64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: pairs(attributes),
        time_unix_nano: AT_NANOS,
        value: Some(Number::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

pub fn metric(name: &str, data: Data) -> Metric {
    Metric { name: name.into(), unit: "1".into(), data: Some(data), ..Metric::default() }
}

pub fn gauge(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, Data::Gauge(Gauge { data_points: points }))
}

pub fn sum(name: &str, temporality: i32, monotonic: bool, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, Data::Sum(Sum { data_points: points, aggregation_temporality: temporality, is_monotonic: monotonic }))
}

pub fn metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = ScopeMetrics { metrics, ..ScopeMetrics::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(&[]), scope_metrics: vec![scope], ..ResourceMetrics::default() }],
    }
}

pub fn one_gauge() -> ExportMetricsServiceRequest {
    metrics(vec![gauge("queue.length", vec![number(7.0, &[])])])
}

pub fn one_span() -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        parent_span_id: vec![3; 8],
        name: "GET /".into(),
        kind: 3,
        start_time_unix_nano: AT_NANOS - 20_000_000,
        end_time_unix_nano: AT_NANOS,
        attributes: pairs(&[("service.peer.name", "stock"), ("http.route", "/")]),
        status: Some(Status { code: 2, ..Status::default() }),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(&[]), scope_spans: vec![scope], ..ResourceSpans::default() }],
    }
}

pub fn one_log() -> ExportLogsServiceRequest {
    let log = LogRecord {
        time_unix_nano: AT_NANOS,
        severity_number: 17,
        body: Some(text(&"é".repeat(5_000))),
        attributes: pairs(&[("k8s.event.reason", "BackOff")]),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: vec![log], ..ScopeLogs::default() };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(&[]), scope_logs: vec![scope], ..ResourceLogs::default() }],
    }
}
