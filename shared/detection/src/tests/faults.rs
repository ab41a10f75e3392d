//! Faults are found within a few windows of their onset, and are over when they are over.

use super::emitter::{Bench, Emitter, INTERVAL_MS, START_MS, Shape, id};
use crate::{DetectionSettings, Detector};
use picket_core::anomaly::{DetectorKind, Direction, Symptom};
use picket_core::time::Timestamp;

/// Windows from onset to anomaly, over many seeds, after the demo's short warm-up.
fn slowest(symptom: Symptom, shape: Shape) -> usize {
    (0..12)
        .map(|seed| {
            let mut bench = Bench::new(seed);
            bench.warm(14);
            bench.until(symptom, 10, shape).unwrap_or(usize::MAX)
        })
        .max()
        .unwrap()
}

#[test]
fn step_faults_are_found_within_three_windows() {
    let usual = Shape::default();
    let cases = [
        (Symptom::LatencyHigh, Shape { median_ms: 200.0, ..usual }),
        (Symptom::ErrorRateHigh, Shape { error_ratio: 0.3, ..usual }),
        (Symptom::TrafficHigh, Shape { rate: 120.0, ..usual }),
        (Symptom::TrafficLow, Shape { rate: 4.0, ..usual }),
        (Symptom::CpuHigh, Shape { cpu: 0.99, ..usual }),
        (Symptom::CpuLow, Shape { cpu: 0.02, ..usual }),
        (Symptom::MemoryHigh, Shape { memory: 0.97, ..usual }),
        (Symptom::ErrorLogsHigh, Shape { error_logs: 30.0, ..usual }),
    ];
    for (symptom, shape) in cases {
        let windows = slowest(symptom, shape);
        assert!(windows <= 3, "{symptom:?} took {windows} windows for {shape:?}");
    }
}

#[test]
fn milder_faults_are_found_within_five_windows() {
    assert!(slowest(Symptom::ErrorRateHigh, Shape { error_ratio: 0.15, rate: 10.0, ..Shape::default() }) <= 5);
    assert!(slowest(Symptom::LatencyHigh, Shape { median_ms: 75.0, ..Shape::default() }) <= 5);
}

#[test]
fn an_anomaly_keeps_its_onset_moves_its_end_and_ends() {
    let mut bench = Bench::new(3);
    bench.warm(30);
    let fault = Shape { median_ms: 300.0, ..Shape::default() };
    let began = bench.now().plus_ms(INTERVAL_MS);
    bench.until(Symptom::LatencyHigh, 5, fault).unwrap();
    for _ in 0..20 {
        let raised = bench.run(fault);
        let one = raised.iter().find(|a| a.symptom == Symptom::LatencyHigh).expect("it lasts");
        assert_eq!((one.onset, one.last_seen, one.direction), (began, bench.now(), Direction::Up));
        assert!(one.value > 300.0 && one.expected < 90.0 && one.score > 3.0 && one.detector == DetectorKind::Baseline, "{one:?}");
    }
    bench.run(Shape::default());
    bench.run(Shape::default());
    assert!(bench.run(Shape::default()).is_empty(), "the baseline did not learn the fault");
}

#[test]
fn a_lasting_level_becomes_the_norm() {
    let mut bench = Bench::new(4);
    bench.detector =
        Detector::new(DetectionSettings { accept_after_ms: 120_000, baseline_window_ms: 120_000, ..DetectionSettings::default() });
    bench.warm(40);
    let busier = Shape { rate: 100.0, ..Shape::default() };
    bench.until(Symptom::TrafficHigh, 5, busier).unwrap();
    let over = (0..200).position(|_| bench.run(busier).is_empty());
    assert!(over.is_some_and(|n| n > 20), "accepted after {over:?} windows");
}

#[test]
fn a_constant_series_that_changes_is_seen() {
    let mut bench = Bench::new(9);
    // No spread at all: only the least deviation stands between the value and an infinite score.
    let flat = Shape { error_ratio: 0.0, error_logs: 0.0, ..Shape::default() };
    for _ in 0..30 {
        assert!(bench.run(flat).is_empty());
    }
    assert!(bench.until(Symptom::ErrorRateHigh, 4, Shape { error_ratio: 0.1, ..flat }).is_some());
}

/// A queue that is full for a moment sheds a few requests; a trouble that stays small is told all the same.
#[test]
fn a_slight_share_of_failures_must_last() {
    let many = Shape { rate: 400.0, error_ratio: 0.001, ..Shape::default() };
    let warmed = || {
        let mut bench = Bench::new(12);
        for _ in 0..40 {
            bench.run(many);
        }
        bench
    };
    let failing = |error_ratio: f64| Shape { error_ratio, ..many };
    let windows = |ratio: f64| warmed().until(Symptom::ErrorRateHigh, 12, failing(ratio));
    assert_eq!((windows(0.03), windows(0.10)), (Some(6), Some(2)));
    assert_eq!(windows(0.015), None);
}

#[test]
fn slow_and_failing_dependencies_name_the_callee() {
    let mut detector = Detector::new(DetectionSettings::default());
    let (mut cart, mut to_db) = (Emitter::new("cart", 2, 1), Emitter::new("cart", 2, 2));
    let mut db = Emitter::new("db", 2, 3);
    let mut symptoms = Vec::new();
    for step in 1..30 {
        let at = Timestamp(START_MS + step * INTERVAL_MS);
        let shape = if step > 20 { Shape { median_ms: 300.0, error_ratio: 0.3, ..Shape::default() } } else { Shape::default() };
        let signals = [cart.emit(at, Shape::default()), to_db.emit_calls(at, "db", shape), db.emit(at, shape)].concat();
        signals.iter().for_each(|s| detector.observe(s));
        symptoms = detector.tick(at);
        assert!(step > 20 || symptoms.is_empty(), "{symptoms:?}");
    }
    for symptom in [Symptom::DependencyLatencyHigh, Symptom::DependencyErrorsHigh] {
        let one = symptoms.iter().find(|a| a.symptom == symptom).expect("seen by the caller");
        assert_eq!((&one.service, one.peer.as_ref()), (&id("cart"), Some(&id("db"))));
    }
    assert!(symptoms.iter().any(|a| a.service == id("db") && a.symptom == Symptom::LatencyHigh && a.peer.is_none()));
    let names: Vec<_> = detector.series_of(&id("cart")).into_iter().map(|s| s.name).collect();
    assert!(names.iter().any(|n| n == "http.client.request.duration p95 to db (ms)"), "{names:?}");
}

#[test]
fn resets_and_gaps_are_no_anomaly() {
    let mut bench = Bench::new(6);
    bench.warm(30);
    for _ in 0..5 {
        let at = bench.now();
        bench.emitter.restart(at);
        for _ in 0..6 {
            let raised = bench.run(Shape::default());
            assert!(raised.is_empty(), "after a reset: {raised:?}");
        }
        // Silence for a minute and a half, then on as before.
        bench.step += 18;
        for _ in 0..6 {
            let raised = bench.run(Shape::default());
            assert!(raised.is_empty(), "after a gap: {raised:?}");
        }
    }
}

#[test]
fn what_is_told_of_a_series_is_bounded_and_near_the_truth() {
    let mut bench = Bench::new(8);
    bench.warm(500);
    let views = bench.detector.series_of(&id("cart"));
    let rate = views.iter().find(|v| v.symptom == Symptom::TrafficHigh).unwrap();
    assert_eq!(rate.points.len(), DetectionSettings::default().history_max);
    assert!(
        (rate.expected.unwrap() - 40.0).abs() < 3.0 && rate.sigma.unwrap() > 1.0 && rate.sigma.unwrap() < 12.0,
        "{:?} {:?}",
        rate.expected,
        rate.sigma
    );
    let readings = bench.detector.readings(&id("cart"), bench.now());
    assert_eq!(readings.memory_limit_bytes, Some(1e9));
    assert!((0.3..0.6).contains(&readings.cpu_p95_cores.unwrap()) && readings.memory_working_set_max_bytes.unwrap() > 5e8);
    assert!((readings.request_rate_usual.unwrap() - 40.0).abs() < 3.0);
    let long = bench.detector.long_window_use(&id("cart")).unwrap();
    assert!((long.request_rate_mean.unwrap() - 40.0).abs() < 1.5 && long.points == 499 && long.span_ms >= 498 * INTERVAL_MS, "{long:?}");
}
