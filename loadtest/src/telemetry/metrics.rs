//! Metrics: requests and calls (histograms), containers, deployments, volumes, certificates, pools, network flows.

use super::attributes::{number, of_pod, of_service, resource, scope, text};
use super::nanos;
use crate::cluster::SimCluster;
use crate::cluster::histogram::{BOUNDS_S, Histogram};
use crate::cluster::pod::Pod;
use crate::cluster::service::ServiceState;
use crate::objects;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1 as otlp;
use otlp::number_data_point::Value;
use picket_core::time::Timestamp;

fn metric(name: &str, unit: &str, data: otlp::metric::Data) -> otlp::Metric {
    otlp::Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..otlp::Metric::default() }
}

fn gauge(name: &str, unit: &str, at: Timestamp, value: f64, attributes: Vec<KeyValue>) -> otlp::Metric {
    let point = otlp::NumberDataPoint {
        attributes,
        time_unix_nano: nanos(at),
        value: Some(Value::AsDouble(value)),
        ..otlp::NumberDataPoint::default()
    };
    metric(name, unit, otlp::metric::Data::Gauge(otlp::Gauge { data_points: vec![point] }))
}

fn histogram_point(histogram: &Histogram, start: Timestamp, at: Timestamp, attributes: Vec<KeyValue>) -> otlp::HistogramDataPoint {
    otlp::HistogramDataPoint {
        attributes,
        start_time_unix_nano: nanos(start),
        time_unix_nano: nanos(at),
        count: histogram.count(),
        sum: Some(histogram.sum_s),
        bucket_counts: histogram.counts.to_vec(),
        explicit_bounds: BOUNDS_S.to_vec(),
        ..otlp::HistogramDataPoint::default()
    }
}

fn histograms(name: &str, data_points: Vec<otlp::HistogramDataPoint>) -> Option<otlp::Metric> {
    let aggregation_temporality = otlp::AggregationTemporality::Cumulative as i32;
    (!data_points.is_empty())
        .then(|| metric(name, "s", otlp::metric::Data::Histogram(otlp::Histogram { data_points, aggregation_temporality })))
}

fn resource_metrics(attributes: Vec<KeyValue>, metrics: Vec<otlp::Metric>) -> otlp::ResourceMetrics {
    let scope_metrics = vec![otlp::ScopeMetrics { scope: scope(), metrics, ..otlp::ScopeMetrics::default() }];
    otlp::ResourceMetrics { resource: resource(attributes), scope_metrics, ..otlp::ResourceMetrics::default() }
}

impl SimCluster {
    pub(super) fn export_metrics(&mut self, since: Timestamp) -> ExportMetricsServiceRequest {
        let mut resource_metrics_all = Vec::new();
        for at in 0..self.services.len() {
            let service = &self.services[at];
            resource_metrics_all.push(resource_metrics(of_service(service), self.service_metrics(service, since)));
            for pod in &service.pods {
                let mut attributes = of_pod(service, pod);
                if let Some(reason) = pod.last_terminated {
                    attributes.push(text("k8s.container.status.last_terminated_reason", reason));
                }
                if let Some(reason) = pod.waiting() {
                    attributes.push(text("k8s.container.status.waiting_reason", reason));
                }
                resource_metrics_all.push(resource_metrics(attributes, self.pod_metrics(service, pod)));
            }
        }
        for service in &mut self.services {
            service.flow_bytes.clear();
        }
        ExportMetricsServiceRequest { resource_metrics: resource_metrics_all }
    }

    fn service_metrics(&self, service: &ServiceState, since: Timestamp) -> Vec<otlp::Metric> {
        let (at, spec) = (self.now, &service.spec);
        let mut metrics = vec![
            gauge("k8s.deployment.desired", "{pod}", at, f64::from(service.desired()), vec![]),
            gauge("k8s.deployment.available", "{pod}", at, service.ready_pods() as f64, vec![]),
        ];
        if let Some(volume) = &service.volume {
            let claim = || vec![text("k8s.persistentvolumeclaim.name", spec.claim())];
            metrics.push(gauge("k8s.volume.available", "By", at, (volume.capacity_bytes - volume.used_bytes).max(0.0), claim()));
            metrics.push(gauge("k8s.volume.capacity", "By", at, volume.capacity_bytes, claim()));
        }
        if let Some(certificate) = &service.certificate {
            let attributes = vec![text("tlscheck.x509.cn", objects::common_name(spec)), text("k8s.secret.name", spec.secret())];
            metrics.push(gauge("tlscheck.time_left", "s", at, certificate.not_after.since_ms(at) as f64 / 1000.0, attributes));
        }
        let flows: Vec<_> = service
            .flow_bytes
            .iter()
            .map(|(callee, bytes)| {
                let there = &self.services[*callee].spec;
                otlp::NumberDataPoint {
                    attributes: vec![
                        text("k8s.src.owner.name", spec.name),
                        text("k8s.src.namespace", spec.namespace),
                        text("k8s.dst.owner.name", there.name),
                        text("k8s.dst.namespace", there.namespace),
                    ],
                    start_time_unix_nano: nanos(since),
                    time_unix_nano: nanos(at),
                    value: Some(Value::AsDouble(bytes.round())),
                    ..otlp::NumberDataPoint::default()
                }
            })
            .collect();
        if !flows.is_empty() {
            let sum =
                otlp::Sum { data_points: flows, aggregation_temporality: otlp::AggregationTemporality::Delta as i32, is_monotonic: true };
            metrics.push(metric("obi.network.flow.bytes", "By", otlp::metric::Data::Sum(sum)));
        }
        metrics
    }

    fn pod_metrics(&self, service: &ServiceState, pod: &Pod) -> Vec<otlp::Metric> {
        let (at, spec) = (self.now, &service.spec);
        let mut metrics = vec![
            gauge("k8s.container.restarts", "{restart}", at, f64::from(pod.restarts), vec![]),
            gauge("k8s.container.ready", "", at, f64::from(u8::from(pod.ready())), vec![]),
            gauge("container.memory.working_set", "By", at, if pod.waiting().is_some() { 0.0 } else { pod.memory_bytes.round() }, vec![]),
            gauge("k8s.container.memory_limit", "By", at, pod.memory_limit_bytes, vec![]),
            gauge("k8s.container.memory_request", "By", at, pod.memory_request_bytes, vec![]),
            gauge("container.cpu.usage", "{cpu}", at, pod.cpu, vec![]),
            gauge("k8s.container.cpu_request", "{cpu}", at, pod.cpu_request, vec![]),
        ];
        if let Some(limit) = pod.cpu_limit {
            metrics.push(gauge("k8s.container.cpu_limit", "{cpu}", at, limit, vec![]));
        }
        if spec.pool_max > 0 {
            let state = vec![text("db.client.connection.state", "used")];
            metrics.push(gauge("db.client.connection.count", "{connection}", at, pod.connections, state));
            metrics.push(gauge("db.client.connection.max", "{connection}", at, f64::from(spec.pool_max), vec![]));
        }
        let server = pod.server.iter().filter(|(_, histogram)| histogram.count() > 0).map(|(code, histogram)| {
            histogram_point(histogram, pod.serving_since, at, vec![number("http.response.status_code", i64::from(*code))])
        });
        metrics.extend(histograms("http.server.request.duration", server.collect()));
        let client = pod.client.iter().filter(|(_, histogram)| histogram.count() > 0).map(|((callee, code), histogram)| {
            let there = &self.services[*callee].spec;
            let mut attributes = vec![text("peer.service", there.name), number("http.response.status_code", i64::from(*code))];
            if there.namespace != spec.namespace {
                attributes.push(text("service.peer.namespace", there.namespace));
            }
            histogram_point(histogram, pod.serving_since, at, attributes)
        });
        metrics.extend(histograms("http.client.request.duration", client.collect()));
        metrics
    }
}
