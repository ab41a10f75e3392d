//! Gauges that picket knows no meaning of: told when they are where they never were, once, and only the newest thing among many.

use super::emitter::{INTERVAL_MS, START_MS, gauge, id};
use crate::{DetectionSettings, Detector};
use picket_core::anomaly::{Direction, Symptom};
use picket_core::time::Timestamp;

/// Evenly from -1..1, by number.
fn noise(n: i64) -> f64 {
    let z = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn at(step: i64) -> Timestamp {
    Timestamp(START_MS + step * INTERVAL_MS)
}

#[test]
fn a_gauge_that_goes_where_it_never_was_is_told_of_and_then_accepted() {
    let mut detector = Detector::new(DetectionSettings::default());
    let mut told = Vec::new();
    for step in 0..900 {
        let level = if step >= 600 { 400.0 } else { 100.0 };
        detector.observe(&gauge("cart", "p0", "queue.depth", at(step), level + 5.0 * noise(step)));
        for anomaly in detector.tick(at(step)) {
            assert_eq!((&anomaly.service, anomaly.symptom), (&id("cart"), Symptom::MetricUnusual));
            told.push((step, anomaly));
        }
    }
    let (first, anomaly) = told.iter().find(|(step, _)| *step >= 600).expect("it is four times as high as ever");
    assert!(*first < 612, "told at {first}");
    assert_eq!(anomaly.direction, Direction::Up);
    assert!(anomaly.value > 300.0 && (anomaly.expected - 100.0).abs() < 40.0, "{anomaly:?}");
    assert!(anomaly.object.as_deref() == Some("queue.depth") && anomaly.score >= 3.0);
    assert!(told.iter().all(|(step, _)| *step < 640), "the new level is accepted: {:?}", told.last());
}

#[test]
fn of_many_gauges_that_change_at_all_times_little_is_told() {
    let mut detector = Detector::new(DetectionSettings::default());
    let mut told = 0;
    let mut before = std::collections::BTreeSet::new();
    for step in 0..1_500 {
        for n in 0..60 {
            // Each wanders, and jumps now and then.
            let jumps = (step + 37 * n) / 211;
            let value = 50.0 + 20.0 * noise(1_000 * n + jumps) + noise(7_919 * n + step);
            detector.observe(&gauge("cart", "p0", &format!("own.{n}"), at(step), value));
        }
        let now: std::collections::BTreeSet<_> = detector.tick(at(step)).into_iter().filter_map(|a| a.object).collect();
        told += now.difference(&before).count();
        before = now;
    }
    // 60 gauges with 7 jumps each; two hours of which the first minutes are a cold start.
    assert!(told <= 10, "{told} of more than 400 jumps");
}
