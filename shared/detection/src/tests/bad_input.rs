//! Nonsense, storms and disorder do no harm and cost bounded memory.

use super::emitter::{Bench, INTERVAL_MS, START_MS, Shape, gauge, id, resource};
use crate::{DetectionSettings, Detector};
use picket_core::signal::{MetricPoint, MetricValue, Signal, Temporality};
use picket_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn numbers_that_are_none_change_nothing() {
    let (mut plain, mut fouled) = (Bench::new(1), Bench::new(1));
    let names =
        ["container.cpu.usage", "container.memory.working_set", "k8s.container.restarts", "k8s.deployment.desired", "no.such.metric"];
    for step in 0..60 {
        for name in names {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                fouled.detector.observe(&gauge("cart", "p0", name, fouled.now(), value));
            }
        }
        let shape = if step > 50 { Shape { median_ms: 500.0, ..Shape::default() } } else { Shape::default() };
        assert_eq!(plain.run(shape), fouled.run(shape));
    }
}

#[test]
fn the_same_signals_give_the_same_anomalies() {
    let run = || {
        let mut bench = Bench::new(12);
        (0..200)
            .flat_map(|step| {
                bench.run(if step % 50 > 40 { Shape { error_ratio: 0.2, cpu: 0.97, ..Shape::default() } } else { Shape::default() })
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn services_pods_and_series_are_bounded() {
    let mut detector = Detector::new(DetectionSettings { services_max: 10, series_max: 50, ..DetectionSettings::default() });
    let at = Timestamp(START_MS);
    for i in 0..100 {
        detector.observe(&gauge(&format!("s{i}"), "p0", "container.cpu.usage", at, 0.1));
        let point = MetricPoint {
            resource: resource("s0", "p0"),
            name: "http.server.request.duration".into(),
            unit: "s".into(),
            attributes: BTreeMap::from([("http.route".to_owned(), format!("/{i}"))]),
            at,
            value: MetricValue::Sum { value: 1.0, monotonic: true, temporality: Temporality::Cumulative, start: at },
        };
        detector.observe(&Signal::Metric(point));
    }
    assert_eq!(detector.services().count(), 10);
    assert_eq!(detector.left_out(), 90 + 50);
    // The silent make room.
    detector.observe(&gauge("late", "p0", "container.cpu.usage", at.plus_ms(3_600_000), 0.1));
    assert_eq!(detector.services().collect::<Vec<_>>(), [&id("late")]);
}

#[test]
fn a_clock_set_back_does_not_stop_detection() {
    let mut bench = Bench::new(1);
    bench.warm(20);
    bench.detector.tick(bench.now().plus_ms(3_600_000));
    bench.detector.tick(bench.now());
    assert!(bench.until(picket_core::anomaly::Symptom::CpuHigh, 6, Shape { cpu: 0.99, ..Shape::default() }).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_arrives_is_borne(points in prop::collection::vec(
        (0usize..14, any::<f64>(), -50i64..50, prop::collection::vec(any::<u64>(), 0..6), any::<i64>(), any::<bool>()), 1..200)) {
        const NAMES: [&str; 14] = [
            "http.server.request.duration", "http.client.request.duration", "k8s.container.restarts", "k8s.container.ready", "container.memory.working_set",
            "k8s.container.memory_limit", "container.cpu.usage", "k8s.container.cpu_limit", "k8s.deployment.desired", "k8s.deployment.available",
            "k8s.volume.available", "k8s.volume.capacity", "tlscheck.time_left", "db.client.connection.max",
        ];
        let mut detector = Detector::new(DetectionSettings { warmup_points: 2, warmup_ms: 0, ..DetectionSettings::default() });
        for (i, (name, value, step, counts, start, delta)) in points.into_iter().enumerate() {
            let at = Timestamp(if start % 17 == 0 { start } else { START_MS + step * INTERVAL_MS });
            let temporality = if delta { Temporality::Delta } else { Temporality::Cumulative };
            let bounds: Vec<f64> = (1..counts.len()).map(|b| b as f64 * value).collect();
            let value = if name < 2 {
                MetricValue::Histogram { bounds, count: counts.iter().fold(0, |a, b| a ^ b), counts, sum: value, temporality, start: Timestamp(start) }
            } else {
                MetricValue::Gauge { value }
            };
            let attributes = ["peer.service", "k8s.persistentvolumeclaim.name", "k8s.secret.name"].map(|k| (k.to_owned(), "x".to_owned()));
            let point = MetricPoint { resource: resource("cart", "p0"), name: NAMES[name].into(), unit: "s".into(), attributes: attributes.into(), at, value };
            detector.observe(&Signal::Metric(point));
            for anomaly in detector.tick(Timestamp(START_MS + i as i64 * INTERVAL_MS)) {
                prop_assert!(!anomaly.score.is_nan() && anomaly.service == id("cart"));
            }
            let _ = detector.readings(&id("cart"), at);
            let _ = detector.long_window_use(&id("cart"));
            let _ = detector.series_of(&id("cart"));
        }
    }
}
