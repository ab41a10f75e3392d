//! Quiet services stay quiet, also over long runs, and load that comes and goes is load.

use super::emitter::{Bench, Shape};
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::severity::has_impact;
use std::collections::BTreeMap;

fn impact(anomalies: &[Anomaly]) -> usize {
    anomalies.iter().filter(|a| has_impact(a.symptom)).count()
}

fn run_quiet(seed: u64, shape: Shape, steps: usize) -> BTreeMap<Symptom, usize> {
    let mut bench = Bench::new(seed);
    let mut raised = BTreeMap::new();
    for _ in 0..steps {
        for anomaly in bench.run(shape) {
            *raised.entry(anomaly.symptom).or_insert(0) += 1;
        }
    }
    raised
}

#[test]
fn steady_services_raise_nothing_of_impact_in_hours() {
    // Lognormal latencies, Poisson arrivals and failures, Gaussian gauges: busy, small and shaky services.
    let shapes = [
        Shape::default(),
        Shape { rate: 4.0, ..Shape::default() },
        Shape { rate: 0.8, median_ms: 120.0, ..Shape::default() },
        Shape { error_ratio: 0.02, rate: 15.0, ..Shape::default() },
        Shape { median_ms: 400.0, cpu: 0.7, memory: 0.8, error_logs: 4.0, ..Shape::default() },
    ];
    for (i, shape) in shapes.into_iter().enumerate() {
        for seed in 0..3 {
            let raised = run_quiet(100 * i as u64 + seed, shape, 2_000);
            let wrong: usize = raised.iter().filter(|(s, _)| **s != Symptom::JointlyUnusual).map(|(_, n)| n).sum();
            assert_eq!(wrong, 0, "shape {i}, seed {seed}: {raised:?} in 2000 windows");
            assert!(raised.get(&Symptom::JointlyUnusual).is_none_or(|n| *n < 20), "shape {i}, seed {seed}: {raised:?}");
        }
    }
}

#[test]
fn a_cold_start_is_quiet() {
    for seed in 0..60 {
        let mut bench = Bench::new(seed);
        for step in 0..40 {
            let rate = 3.0 + 10.0 * (seed % 4) as f64;
            let raised = bench.run(Shape { rate, ..Shape::default() });
            assert!(raised.is_empty(), "seed {seed}, step {step}: {raised:?}");
        }
    }
}

#[test]
fn load_that_grows_and_ebbs_has_no_impact() {
    for seed in 0..8 {
        let mut bench = Bench::new(seed);
        bench.warm(16);
        let mut seen = BTreeMap::new();
        for step in 0..36 {
            // x1.8 within a minute, a minute there, and back.
            let swell = (f64::from(step) / 12.0).min(1.0).min((36.0 - f64::from(step)) / 12.0) * 0.8;
            let base = Shape::default();
            let shape = Shape {
                rate: base.rate * (1.0 + swell),
                cpu: base.cpu * (1.0 + swell),
                median_ms: base.median_ms * (1.0 + 0.25 * swell),
                ..base
            };
            let raised = bench.run(shape);
            assert_eq!(impact(&raised), 0, "seed {seed}, step {step}: {raised:?}");
            for a in raised {
                *seen.entry(a.symptom).or_insert(0) += 1;
            }
        }
        assert!(seen.keys().all(|s| matches!(s, Symptom::TrafficHigh | Symptom::CpuHigh)), "{seen:?}");
    }
}

#[test]
fn flapping_and_single_spikes_are_borne() {
    let mut bench = Bench::new(5);
    bench.warm(20);
    for step in 0..60 {
        let spike = step % 4 == 0;
        let shape = Shape { median_ms: if spike { 400.0 } else { 30.0 }, ..Shape::default() };
        assert_eq!(impact(&bench.run(shape)), 0, "step {step}");
    }
}
