//! Metrics as signals.

use super::attributes::{attributes, cleaned, insert_text};
use super::batches::{Batches, Rejected};
use super::names;
use super::points::{exponential, histogram, number, sum, temporality, timestamp};
use super::resource::{resource, service};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint, ResourceMetrics, SummaryDataPoint};
use picket_core::ids::ClusterName;
use picket_core::signal::{MetricPoint, MetricValue, NetworkFlow, Resource, Signal, SignalBatch, SignalKind, Temporality};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

const NAME_BYTES_MAX: usize = 255;
const UNIT_BYTES_MAX: usize = 63;

/// Every kind of metric as points: exponential histograms with explicit bounds, summaries as one gauge per quantile, counts of
/// flows as flows. Resets stay as they are sent: detection sees them in `start` and value.
#[must_use]
pub fn normalise_metrics(
    request: &ExportMetricsServiceRequest,
    cluster: &ClusterName,
    received_at: Timestamp,
) -> (Vec<SignalBatch>, Rejected) {
    let mut batches = Batches::new(cluster);
    for sent in &request.resource_metrics {
        let mut resource = resource(sent.resource.as_ref(), cluster);
        take_reasons(sent, &mut resource);
        for metric in sent.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            Normaliser { resource: &resource, metric, received_at, batches: &mut batches }.metric();
        }
    }
    batches.finish()
}

/// The conventions tell a container's state by one point per reason; collectors put it in a resource attribute. So do we.
fn take_reasons(sent: &ResourceMetrics, resource: &mut Resource) {
    for metric in sent.scope_metrics.iter().flat_map(|scope| &scope.metrics).filter(|metric| metric.name == names::STATUS_REASON) {
        for point in number_points(metric).iter().filter(|point| number(point).is_ok_and(|value| value > 0.0)) {
            if let Some(reason) = attributes(&point.attributes).get(names::STATUS_REASON) {
                insert_text(&mut resource.attributes, names::reason_attribute(reason), reason);
            }
        }
    }
}

fn number_points(metric: &Metric) -> &[NumberDataPoint] {
    match &metric.data {
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        Some(Data::Sum(sum)) => &sum.data_points,
        _ => &[],
    }
}

/// "No recorded value" marks the end of a series: nothing to take, nothing to reject.
fn is_marker(flags: u32) -> bool {
    flags & (DataPointFlags::NoRecordedValueMask as u32) != 0
}

struct Normaliser<'a> {
    resource: &'a Resource,
    metric: &'a Metric,
    received_at: Timestamp,
    batches: &'a mut Batches,
}

impl Normaliser<'_> {
    fn metric(&mut self) {
        let metric = self.metric;
        let named = !metric.name.is_empty() && metric.name.len() <= NAME_BYTES_MAX;
        match &metric.data {
            None => self.batches.rejected.add("no_data"),
            Some(_) if !named => (0..points_of(metric)).for_each(|_| self.batches.rejected.add("bad_name")),
            Some(Data::Gauge(_) | Data::Sum(_)) if metric.name == names::STATUS_REASON => self.reasons(),
            Some(Data::Gauge(_) | Data::Sum(_)) if metric.name == "k8s.pod.status.phase" => self.phases(),
            Some(Data::Sum(flows)) if names::is_flow(&metric.name) => {
                flows.data_points.iter().for_each(|point| self.flow(point, flows.aggregation_temporality))
            }
            Some(Data::Gauge(gauge)) => {
                for point in gauge.data_points.iter().filter(|point| !is_marker(point.flags)) {
                    self.point(&point.attributes, point.time_unix_nano, number(point).map(|value| MetricValue::Gauge { value }));
                }
            }
            Some(Data::Sum(data)) => {
                for point in data.data_points.iter().filter(|point| !is_marker(point.flags)) {
                    let value = sum(point, data.aggregation_temporality, data.is_monotonic, self.received_at);
                    self.point(&point.attributes, point.time_unix_nano, value);
                }
            }
            Some(Data::Histogram(data)) => {
                for point in data.data_points.iter().filter(|point| !is_marker(point.flags)) {
                    let value = histogram(point, data.aggregation_temporality, self.received_at);
                    self.point(&point.attributes, point.time_unix_nano, value);
                }
            }
            Some(Data::ExponentialHistogram(data)) => {
                for point in data.data_points.iter().filter(|point| !is_marker(point.flags)) {
                    let value = exponential(point, data.aggregation_temporality, self.received_at);
                    self.point(&point.attributes, point.time_unix_nano, value);
                }
            }
            Some(Data::Summary(summary)) => {
                summary.data_points.iter().filter(|point| !is_marker(point.flags)).for_each(|point| self.summary(point))
            }
        }
    }

    fn point(&mut self, sent: &[KeyValue], nanos: u64, value: Result<MetricValue, &'static str>) {
        match value {
            Ok(value) => self.push(names::metric(&self.metric.name), attributes(sent), nanos, value),
            Err(reason) => self.batches.rejected.add(reason),
        }
    }

    fn push(&mut self, name: &str, mut attributes: BTreeMap<String, String>, nanos: u64, value: MetricValue) {
        names::rename(&mut attributes);
        let point = MetricPoint {
            resource: self.resource.clone(),
            name: cleaned(name, NAME_BYTES_MAX),
            unit: cleaned(&self.metric.unit, UNIT_BYTES_MAX),
            attributes,
            at: timestamp(nanos, self.received_at),
            value,
        };
        self.batches.push(SignalKind::Metrics, Signal::Metric(point));
    }

    /// A container that waits for a reason is not ready; other reasons keep their own name, and all are on the resource.
    fn reasons(&mut self) {
        for point in number_points(self.metric).iter().filter(|point| !is_marker(point.flags)) {
            let value = match number(point) {
                Ok(value) if value > 0.0 => value,
                Ok(_) => continue,
                Err(reason) => {
                    self.batches.rejected.add(reason);
                    continue;
                }
            };
            let attributes = attributes(&point.attributes);
            let waits = attributes.get(names::STATUS_REASON).is_some_and(|reason| names::reason_attribute(reason) == names::WAITING_REASON);
            let (name, value) = if waits { ("k8s.container.ready", 0.0) } else { (names::STATUS_REASON, value) };
            let attributes = if waits { BTreeMap::new() } else { attributes };
            self.push(name, attributes, point.time_unix_nano, MetricValue::Gauge { value });
        }
    }

    /// One point per phase, 1 for the one in force, becomes the collector's one number.
    fn phases(&mut self) {
        for point in number_points(self.metric).iter().filter(|point| !is_marker(point.flags)) {
            let mut attributes = attributes(&point.attributes);
            match (number(point), attributes.remove("k8s.pod.status.phase")) {
                (Ok(value), Some(phase)) if value > 0.0 => {
                    let value = MetricValue::Gauge { value: names::pod_phase(&phase) };
                    self.push("k8s.pod.phase", attributes, point.time_unix_nano, value);
                }
                (Ok(_), Some(_)) => {}
                (Err(reason), _) => self.batches.rejected.add(reason),
                (_, None) => self.batches.rejected.add("no_phase"),
            }
        }
    }

    /// Running totals of flows would need the point before: only deltas are taken.
    fn flow(&mut self, point: &NumberDataPoint, sent_temporality: i32) {
        if is_marker(point.flags) {
            return;
        }
        let mut attributes = attributes(&point.attributes);
        let mut take = |name: &str| attributes.remove(name).unwrap_or_default();
        let (source, source_namespace) = (take("k8s.src.owner.name"), take("k8s.src.namespace"));
        let (peer, peer_namespace) = (take("k8s.dst.owner.name"), take("k8s.dst.namespace"));
        let bytes = match (number(point), temporality(sent_temporality)) {
            (Err(reason), _) | (_, Err(reason)) => return self.batches.rejected.add(reason),
            (Ok(_), Ok(Temporality::Cumulative)) => return self.batches.rejected.add("flow_not_delta"),
            (Ok(bytes), _) if bytes < 0.0 => return self.batches.rejected.add("negative_counter"),
            (Ok(bytes), _) => bytes,
        };
        if source.is_empty() || peer.is_empty() {
            return self.batches.rejected.add("flow_without_sides");
        }
        let cluster = self.resource.service.cluster.clone();
        let sender = Resource { service: service(&cluster, &source_namespace, &source), pod: None, attributes, ..self.resource.clone() };
        let flow = NetworkFlow {
            resource: sender,
            peer: service(&cluster, &peer_namespace, &peer),
            at: timestamp(point.time_unix_nano, self.received_at),
            bytes,
        };
        self.batches.push(SignalKind::Flows, Signal::Flow(flow));
    }

    fn summary(&mut self, point: &SummaryDataPoint) {
        for quantile in &point.quantile_values {
            // Summaries of no observation read NaN: nothing was measured.
            if !quantile.value.is_finite() || !quantile.quantile.is_finite() {
                self.batches.rejected.add("not_finite");
                continue;
            }
            let mut attributes = attributes(&point.attributes);
            insert_text(&mut attributes, "quantile", &quantile.quantile.to_string());
            self.push(names::metric(&self.metric.name), attributes, point.time_unix_nano, MetricValue::Gauge { value: quantile.value });
        }
    }
}

fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}
