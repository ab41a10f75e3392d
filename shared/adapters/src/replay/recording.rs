//! A recording: measurements in order of time, and the OTLP requests they make.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds after the recording's beginning.
    pub offset_ms: i64,
    /// Namespace of the service.
    pub namespace: String,
    /// Service that it is about.
    pub service: String,
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: &'static str,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
    /// What was measured.
    pub value: f64,
}

/// Measurements in order of time. Each of its series begins at the recording's beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What it is: a folder's name.
    pub name: String,
    /// The measurements.
    pub points: Vec<Point>,
}

/// All measurements of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Milliseconds after the recording's beginning.
    pub offset_ms: i64,
    /// What a sender would export then.
    pub request: ExportMetricsServiceRequest,
}

impl Recording {
    /// A recording of points in any order.
    #[must_use]
    pub fn new(name: String, mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| (a.offset_ms, &a.namespace, &a.service).cmp(&(b.offset_ms, &b.namespace, &b.service)));
        Self { name, points }
    }

    /// Its length.
    #[must_use]
    pub fn length_ms(&self) -> i64 {
        self.points.last().map_or(0, |point| point.offset_ms)
    }

    /// Number of moments at which something was measured.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.points.chunk_by(|a, b| a.offset_ms == b.offset_ms).count()
    }

    /// What a sender would export, moment by moment, if the recording began at `start`.
    pub fn frames(&self, start: Timestamp) -> impl Iterator<Item = Frame> + '_ {
        self.points.chunk_by(|a, b| a.offset_ms == b.offset_ms).map(move |points| {
            let offset_ms = points[0].offset_ms;
            let at = start.plus_ms(offset_ms);
            let services = points.chunk_by(|a, b| (&a.namespace, &a.service) == (&b.namespace, &b.service));
            Frame {
                offset_ms,
                request: ExportMetricsServiceRequest { resource_metrics: services.map(|points| resource_metrics(points, at)).collect() },
            }
        })
    }
}

fn resource_metrics(points: &[Point], at: Timestamp) -> ResourceMetrics {
    let attributes = vec![attribute("service.name", &points[0].service), attribute("k8s.namespace.name", &points[0].namespace)];
    let metrics = points.iter().map(|point| metric(point, at)).collect();
    ResourceMetrics {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
}

fn metric(point: &Point, at: Timestamp) -> Metric {
    let data_point = NumberDataPoint {
        attributes: point.attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        time_unix_nano: u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000_000),
        value: Some(number_data_point::Value::AsDouble(point.value)),
        ..NumberDataPoint::default()
    };
    Metric {
        name: point.metric.clone(),
        unit: point.unit.to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: vec![data_point] })),
        ..Metric::default()
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }), ..KeyValue::default() }
}
