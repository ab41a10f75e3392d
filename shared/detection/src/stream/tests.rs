//! The streaming detector as a whole: what alerts, what does not, and what must not matter.

use super::{StreamDetector, StreamProfile, StreamScore};
use picket_core::time::Timestamp;
use proptest::prelude::*;

const STEP_MS: i64 = 300_000;
const DAY: usize = 288;

fn scores(values: &[f64]) -> Vec<StreamScore> {
    scored_from(0, values)
}

fn scored_from(start: i64, values: &[f64]) -> Vec<StreamScore> {
    let mut detector = StreamDetector::new(&StreamProfile::default());
    values.iter().enumerate().map(|(i, v)| detector.observe(Timestamp(start + i as i64 * STEP_MS), *v)).collect()
}

fn alerts(values: &[f64]) -> Vec<usize> {
    scores(values).iter().enumerate().filter(|(_, s)| s.is_alert()).map(|(i, _)| i).collect()
}

/// A series by its row.
type Shape = fn(usize) -> f64;

/// Noise in -0.5..0.5, the same in every run.
fn noise(i: usize) -> f64 {
    ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f64 / f64::from(1 << 24) - 0.5
}

fn daily(i: usize) -> f64 {
    10.0 + 5.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + noise(i)
}

#[test]
fn quiet_series_of_many_kinds_stay_quiet() {
    let kinds: [(&str, Shape); 5] = [
        ("constant", |_| 42.0),
        ("noise", noise),
        ("daily", daily),
        ("square", |i| if i % DAY < 100 { 80.0 } else { 20.0 }),
        ("sparse", |i| if i % 50 == 0 { 1.0 } else { 0.0 }),
    ];
    for (kind, value) in kinds {
        let values: Vec<f64> = (0..14 * DAY).map(value).collect();
        let late: Vec<usize> = alerts(&values).into_iter().filter(|i| *i > 2 * DAY).collect();
        assert!(late.len() <= 3, "{kind}: {late:?}");
    }
}

#[test]
fn a_spike_alerts_at_once() {
    let mut values: Vec<f64> = (0..10 * DAY).map(daily).collect();
    values[2_000] = 60.0;
    let all = alerts(&values);
    assert!(all.contains(&2_000), "{all:?}");
}

#[test]
fn a_new_level_alerts_and_is_accepted_once() {
    let values: Vec<f64> = (0..10 * DAY).map(|i| daily(i) + if i >= 2_000 { 20.0 } else { 0.0 }).collect();
    let all = alerts(&values);
    let after: Vec<usize> = all.into_iter().filter(|i| *i >= 2_000).collect();
    assert!((2_000..2_005).contains(&after[0]), "{after:?}");
    assert!(after.iter().filter(|i| **i >= 2_000 + DAY).count() <= 2, "{after:?}");
}

#[test]
fn a_missing_rise_alerts_although_every_value_of_it_was_seen_before() {
    let values: Vec<f64> =
        (0..14 * DAY).map(|i| if i % DAY > 100 && i % DAY < 200 && i / DAY != 10 { 80.0 + noise(i) } else { 20.0 + noise(i) }).collect();
    let all = alerts(&values);
    assert!(all.iter().any(|i| (10 * DAY + 100..11 * DAY).contains(i)), "{all:?}");
}

#[test]
fn a_series_that_flattens_out_alerts() {
    let values: Vec<f64> = (0..10 * DAY).map(|i| if (2_000..2_200).contains(&i) { 0.0 } else { noise(i) * 10.0 }).collect();
    let all = alerts(&values);
    assert!(all.iter().any(|i| (2_000..2_200).contains(i)), "{all:?}");
}

#[test]
fn a_constant_series_that_comes_to_life_does_not_storm() {
    let values: Vec<f64> = (0..4_000).map(|i| if i < 2_000 { 0.0 } else { noise(i) }).collect();
    let all = alerts(&values);
    assert!(all.first() == Some(&2_000) && all.len() <= 6, "{all:?}");
}

#[test]
fn what_is_no_number_is_passed_over() {
    let mut detector = StreamDetector::new(&StreamProfile::default());
    for i in 0..1_000 {
        let at = Timestamp(i as i64 * STEP_MS);
        for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(detector.observe(at, nonsense), StreamScore::default());
        }
        detector.observe(at, daily(i));
    }
    for extreme in [f64::MAX, f64::MIN, 1e300] {
        let told = detector.observe(Timestamp(1_000 * STEP_MS), extreme);
        assert!((0.0..=1.0).contains(&told.score) && told.novelty.is_finite(), "{told:?}");
    }
    let after: Vec<StreamScore> =
        (1_003..3_000).map(|i| detector.observe(Timestamp(i as i64 * STEP_MS), daily(i) + if i == 2_500 { 60.0 } else { 0.0 })).collect();
    assert!(after.iter().all(|s| s.novelty.is_finite()) && after[2_500 - 1_003].is_alert(), "it finds back");
}

#[test]
fn memory_is_bounded() {
    for (profile, most) in [(StreamProfile::default(), 4_096), (StreamProfile::lean(), 2_048)] {
        let mut detector = StreamDetector::new(&profile);
        for i in 0..20_000 {
            detector.observe(Timestamp(i as i64 * STEP_MS), noise(i) * daily(i));
        }
        assert!(detector.bytes() < most, "{} bytes", detector.bytes());
    }
}

#[test]
fn the_lean_profile_finds_a_level_shift() {
    let mut detector = StreamDetector::new(&StreamProfile::lean());
    let found = (0..3_000).any(|i| {
        let shift = if i >= 2_000 { 30.0 } else { 0.0 };
        detector.observe(Timestamp(i as i64 * STEP_MS), daily(i) + shift).is_alert() && i >= 2_000
    });
    assert!(found);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Another unit, another zero, another week: the same alerts.
    #[test]
    fn scaling_and_shifting_change_nothing(power in -20_i32..20, offset in -1e6..1e6_f64, weeks in 0_i64..500, at in 600_usize..1_900) {
        let mut values: Vec<f64> = (0..2_000).map(daily).collect();
        values[at] += 25.0;
        let factor = 2.0_f64.powi(power);
        let moved: Vec<f64> = values.iter().map(|v| factor * (v + offset)).collect();
        let (plain, moved) = (scores(&values), scored_from(weeks * 7 * 86_400_000, &moved));
        for (i, (a, b)) in plain.iter().zip(&moved).enumerate() {
            prop_assert!((a.score - b.score).abs() < 1e-6, "row {i}: {a:?} {b:?}");
            prop_assert!((0.0..=1.0).contains(&a.score));
        }
    }

    /// A score depends on what came before it alone.
    #[test]
    fn later_values_change_no_earlier_score(cut in 100_usize..900, other in -100.0..100.0_f64) {
        let values: Vec<f64> = (0..1_000).map(daily).collect();
        let mut changed = values.clone();
        changed[cut..].iter_mut().for_each(|v| *v = other);
        prop_assert_eq!(&scores(&values)[..cut], &scores(&changed)[..cut]);
    }
}
