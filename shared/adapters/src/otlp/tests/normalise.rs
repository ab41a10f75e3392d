use super::super::{Rejected, normalise_logs, normalise_metrics, normalise_traces};
use super::EVENT0;
use super::requests::{AT_NANOS, gauge, metric, metrics, number, one_log, one_span, pairs, resource, sum};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Summary, SummaryDataPoint,
};
use picket_core::ids::ServiceId;
use picket_core::signal::{MetricPoint, MetricValue, Signal, SignalKind, SpanKind, Temporality};
use picket_core::time::Timestamp;

fn normalised(sent: &ExportMetricsServiceRequest) -> (Vec<Signal>, Rejected) {
    let (batches, rejected) = normalise_metrics(sent, &"east".into(), EVENT0);
    (batches.into_iter().flat_map(|batch| batch.signals).collect(), rejected)
}

fn points(of: Vec<Metric>) -> (Vec<MetricPoint>, Rejected) {
    let (signals, rejected) = normalised(&metrics(of));
    let point = |signal| if let Signal::Metric(point) = signal { Some(point) } else { None };
    (signals.into_iter().filter_map(point).collect(), rejected)
}

fn only(of: Metric) -> MetricPoint {
    let (mut points, rejected) = points(vec![of]);
    assert_eq!((points.len(), rejected.count), (1, 0));
    points.remove(0)
}

fn reasons(of: Metric) -> Vec<(&'static str, u64)> {
    let (points, rejected) = points(vec![of]);
    assert_eq!(points, vec![]);
    rejected.reasons.into_iter().collect()
}

fn started(value: f64) -> NumberDataPoint {
    NumberDataPoint { start_time_unix_nano: AT_NANOS - 60_000_000_000, ..number(value, &[]) }
}

fn histogram(bounds: Vec<f64>, counts: Vec<u64>, count: u64) -> Metric {
    let point = HistogramDataPoint {
        explicit_bounds: bounds,
        bucket_counts: counts,
        count,
        sum: Some(1.5),
        time_unix_nano: AT_NANOS,
        start_time_unix_nano: AT_NANOS - 1_000_000,
        ..HistogramDataPoint::default()
    };
    metric("http.server.request.duration", Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 2 }))
}

#[test]
fn gauges_and_sums() {
    let point = only(gauge("container.memory.working_set", vec![number(5.0, &[("a", "b")])]));
    assert_eq!(point.resource.service, ServiceId::new("east", "shop", "cart"));
    assert_eq!((point.at, point.value.clone()), (Timestamp(1_700_000_005_000), MetricValue::Gauge { value: 5.0 }));
    let start = Timestamp(1_699_999_945_000);
    assert_eq!(
        only(sum("requests", 2, true, vec![started(9.0)])).value,
        MetricValue::Sum { value: 9.0, monotonic: true, temporality: Temporality::Cumulative, start }
    );
    assert_eq!(
        only(sum("requests", 1, true, vec![started(9.0)])).value,
        MetricValue::Sum { value: 9.0, monotonic: true, temporality: Temporality::Delta, start }
    );
    assert_eq!(
        only(sum("db.client.connection.count", 2, false, vec![started(9.0)])).value,
        MetricValue::Gauge { value: 9.0 },
        "an up-down counter's total is its value now"
    );
    let untimed = NumberDataPoint { time_unix_nano: 0, ..number(1.0, &[]) };
    assert_eq!(only(gauge("x", vec![untimed])).at, EVENT0);
}

#[test]
fn a_reset_is_left_for_detection_to_see() {
    let later = NumberDataPoint { start_time_unix_nano: AT_NANOS, ..number(1.0, &[]) };
    let (points, rejected) = points(vec![sum("requests", 2, true, vec![started(9.0), later])]);
    assert_eq!(rejected.count, 0);
    let starts: Vec<_> = points.iter().map(|p| if let MetricValue::Sum { start, .. } = p.value { start.0 } else { 0 }).collect();
    assert_eq!(starts, [1_699_999_945_000, 1_700_000_005_000]);
}

#[test]
fn histograms_of_both_kinds_and_summaries() {
    match only(histogram(vec![0.1, 0.5], vec![1, 2, 0], 3)).value {
        MetricValue::Histogram { bounds, counts, sum, count, temporality, .. } => {
            assert_eq!((bounds, counts, sum, count, temporality), (vec![0.1, 0.5], vec![1, 2, 0], 1.5, 3, Temporality::Cumulative))
        }
        other => panic!("{other:?}"),
    }
    match only(histogram(vec![], vec![], 3)).value {
        MetricValue::Histogram { bounds, counts, .. } => assert_eq!((bounds, counts), (vec![], vec![3])),
        other => panic!("{other:?}"),
    }
    let exponential = ExponentialHistogramDataPoint {
        scale: 0,
        zero_count: 1,
        count: 4,
        sum: Some(2.0),
        positive: Some(Buckets { offset: -1, bucket_counts: vec![2, 1] }),
        time_unix_nano: AT_NANOS,
        ..Default::default()
    };
    match only(metric("h", Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![exponential], aggregation_temporality: 1 })))
        .value
    {
        MetricValue::Histogram { bounds, counts, temporality, .. } => {
            assert_eq!((bounds, counts, temporality), (vec![0.0, 0.5, 1.0, 2.0], vec![1, 0, 2, 1, 0], Temporality::Delta))
        }
        other => panic!("{other:?}"),
    }
    let quantiles = [0.5, 0.99].map(|quantile| ValueAtQuantile { quantile, value: quantile * 10.0 }).to_vec();
    let summary =
        Summary { data_points: vec![SummaryDataPoint { quantile_values: quantiles, time_unix_nano: AT_NANOS, ..Default::default() }] };
    let (points, _) = points(vec![metric("rpc", Data::Summary(summary))]);
    assert_eq!(points.iter().map(|p| p.attributes["quantile"].as_str()).collect::<Vec<_>>(), ["0.5", "0.99"]);
}

#[test]
fn what_is_no_measurement_is_rejected_by_reason_and_nothing_else_is_lost() {
    for (sent, reason) in [
        (gauge("x", vec![number(f64::NAN, &[])]), "not_finite"),
        (gauge("x", vec![number(f64::INFINITY, &[])]), "not_finite"),
        (gauge("x", vec![NumberDataPoint { value: None, ..number(0.0, &[]) }]), "no_value"),
        (gauge("", vec![number(1.0, &[])]), "bad_name"),
        (sum("x", 0, true, vec![started(1.0)]), "no_temporality"),
        (sum("x", 2, true, vec![started(-1.0)]), "negative_counter"),
        (histogram(vec![0.5, 0.1], vec![1, 2, 0], 3), "inconsistent_histogram"),
        (histogram(vec![0.1], vec![1, 2, 0], 3), "inconsistent_histogram"),
        (histogram(vec![0.1, 0.5], vec![1, 2, 0], 9), "inconsistent_histogram"),
        (histogram(vec![0.1, 0.5], vec![u64::MAX, 2, 0], 1), "inconsistent_histogram"),
        (histogram(vec![0.1, f64::NAN], vec![1, 2, 0], 3), "not_finite"),
        (histogram((0..300).map(f64::from).collect(), vec![0; 301], 0), "too_many_buckets"),
        (Metric { name: "x".into(), ..Metric::default() }, "no_data"),
    ] {
        let name = format!("{reason}: {sent:?}");
        assert_eq!(reasons(sent), [(reason, 1)], "{name}");
    }
    let (points, rejected) = points(vec![gauge("x", vec![number(f64::NAN, &[]), number(1.0, &[])])]);
    assert_eq!((points.len(), rejected.message()), (1, "1 not_finite".to_owned()));
    let marker = NumberDataPoint { flags: 1, value: None, ..number(0.0, &[]) };
    assert_eq!(reasons(gauge("x", vec![marker])), [], "an end-of-series marker is no rejection");
}

#[test]
fn both_spellings_of_a_name_become_the_collectors() {
    for (sent, name) in [
        ("k8s.container.restart.count", "k8s.container.restarts"),
        ("k8s.pod.volume.available", "k8s.volume.available"),
        ("k8s.volume.available", "k8s.volume.available"),
        ("k8s.deployment.pod.desired", "k8s.deployment.desired"),
        ("rpc.server.call.duration", "rpc.server.duration"),
        ("container.memory.working_set", "container.memory.working_set"),
    ] {
        assert_eq!(only(gauge(sent, vec![number(1.0, &[])])).name, name);
    }
    let point = only(gauge("http.client.request.duration", vec![number(1.0, &[("service.peer.name", "stock")])]));
    assert_eq!(point.attributes["peer.service"], "stock");
    let phases = ["Pending", "Running"].map(|phase| number(f64::from(u8::from(phase == "Running")), &[("k8s.pod.status.phase", phase)]));
    let phase = only(gauge("k8s.pod.status.phase", phases.to_vec()));
    assert_eq!((phase.name.as_str(), phase.value), ("k8s.pod.phase", MetricValue::Gauge { value: 2.0 }));
}

#[test]
fn a_containers_reason_goes_to_its_resource() {
    let reason = |reason: &str, value| number(value, &[("k8s.container.status.reason", reason)]);
    let restarts = gauge("k8s.container.restart.count", vec![number(3.0, &[])]);
    let (points, _) = points(vec![
        restarts,
        gauge("k8s.container.status.reason", vec![reason("OOMKilled", 1.0), reason("Error", 0.0), reason("CrashLoopBackOff", 1.0)]),
    ]);
    assert_eq!(
        points.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["k8s.container.restarts", "k8s.container.status.reason", "k8s.container.ready"]
    );
    for point in &points {
        assert_eq!(point.resource.attributes["k8s.container.status.last_terminated_reason"], "OOMKilled");
        assert_eq!(point.resource.attributes["k8s.container.status.waiting_reason"], "CrashLoopBackOff");
    }
    assert_eq!(points[2].value, MetricValue::Gauge { value: 0.0 });
}

#[test]
fn flows_become_signals_of_their_own() {
    let sides = [
        ("k8s.src.owner.name", "web"),
        ("k8s.src.namespace", "front"),
        ("k8s.dst.owner.name", "cart"),
        ("k8s.dst.namespace", "shop"),
        ("k8s.cluster.name", "west"),
    ];
    for name in ["obi.network.flow.bytes", "otel_ebpf.network.flow.bytes", "beyla.network.flow.bytes"] {
        let (batches, rejected) =
            normalise_metrics(&metrics(vec![sum(name, 1, true, vec![number(640.0, &sides)])]), &"east".into(), EVENT0);
        assert_eq!((rejected.count, batches[0].kind, batches[0].namespace.as_str()), (0, SignalKind::Flows, "front"));
        match &batches[0].signals[0] {
            Signal::Flow(flow) => {
                assert_eq!(
                    (flow.resource.service.to_string(), flow.peer.to_string(), flow.bytes),
                    ("east/front/web".into(), "east/shop/cart".into(), 640.0)
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reasons(sum("obi.network.flow.bytes", 2, true, vec![number(1.0, &sides)])), [("flow_not_delta", 1)]);
    assert_eq!(reasons(sum("obi.network.flow.bytes", 1, true, vec![number(1.0, &[])])), [("flow_without_sides", 1)]);
}

#[test]
fn spans_and_logs() {
    let (batches, rejected) = normalise_traces(&one_span(), &"east".into(), EVENT0);
    assert_eq!((rejected.count, batches[0].subject().as_str()), (0, "telemetry.east.shop.traces"));
    let Signal::Span(span) = &batches[0].signals[0] else { panic!("a span") };
    assert_eq!((span.trace_id.as_str(), span.parent_span_id.as_str()), ("01".repeat(16).as_str(), "03".repeat(8).as_str()));
    assert_eq!(
        (span.kind, span.error, span.peer_service.as_deref(), span.end.since_ms(span.start)),
        (SpanKind::Client, true, Some("stock"), 20)
    );
    assert!(!span.attributes.contains_key("peer.service"));
    let mut wrong = one_span();
    wrong.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![0; 16];
    assert_eq!(normalise_traces(&wrong, &"east".into(), EVENT0).1.message(), "1 bad_trace_id");

    let (batches, _) = normalise_logs(&one_log(), &"east".into(), EVENT0);
    let Signal::Log(log) = &batches[0].signals[0] else { panic!("a log") };
    assert_eq!((log.body.len(), log.severity, log.attributes["k8s.event.reason"].as_str()), (4_096, 17, "BackOff"));
    let mut wrong = one_log();
    wrong.resource_logs[0].scope_logs[0].log_records[0].severity_number = 99;
    assert_eq!(normalise_logs(&wrong, &"east".into(), EVENT0).1.message(), "1 bad_severity");
}

#[test]
fn nothing_in_a_payload_names_the_cluster() {
    let mut sent = metrics(vec![gauge("x", vec![number(1.0, &[])])]);
    sent.resource_metrics[0].resource = resource(&[("k8s.cluster.name", "west")]);
    let (signals, _) = normalised(&sent);
    assert_eq!(signals[0].resource().service.cluster.as_str(), "east");
    assert!(signals[0].resource().attributes.is_empty());
    let nobody = ExportMetricsServiceRequest {
        resource_metrics: {
            let mut r = sent.resource_metrics;
            r[0].resource = Some(opentelemetry_proto::tonic::resource::v1::Resource { attributes: pairs(&[]), ..Default::default() });
            r
        },
    };
    let (batches, _) = normalise_metrics(&nobody, &"east".into(), EVENT0);
    assert_eq!(batches[0].subject(), "telemetry.east._.metrics");
}
