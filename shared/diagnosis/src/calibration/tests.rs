use super::platt::Curve;
use super::*;
use proptest::prelude::*;

/// SplitMix64 (Steele, Lea, Flood 2014): evenly drawn from 0..1, and the same for the same seed.
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A reasoner that states confidences evenly from `low` to 1 and is right with probability `truth(stated)`.
    fn judged(&mut self, n: usize, low: f64, truth: impl Fn(f64) -> f64) -> Vec<Judged> {
        let one = |_| {
            let confidence = low + (1.0 - low) * self.unit();
            Judged { confidence, right: self.unit() < truth(confidence) }
        };
        (0..n).map(one).collect()
    }
}

fn judged(confidence: f64, right: usize, wrong: usize) -> Vec<Judged> {
    let of = |right| Judged { confidence, right };
    std::iter::repeat_n(of(true), right).chain(std::iter::repeat_n(of(false), wrong)).collect()
}

fn calibrated(calibrator: &Calibrator, judged: &[Judged]) -> Vec<Judged> {
    judged.iter().map(|j| Judged { confidence: calibrator.apply(j.confidence), right: j.right }).collect()
}

/// States 0.9 where 0.75 would be right: odds three times too high.
fn boastful(stated: f64) -> f64 {
    logistic(log_odds(stated) - 3.0_f64.ln())
}

#[test]
fn draws_that_keep_their_word_have_a_small_error() {
    for (n, most) in [(1_000, 0.05), (100_000, 0.006)] {
        let points = Draws(7).judged(n, 0.0, |stated| stated);
        let error = expected_calibration_error(&points).unwrap();
        assert!(error < most, "{error} of {n}");
        // The mean of p(1-p) over 0..1.
        assert!((brier_score(&points).unwrap() - 1.0 / 6.0).abs() < most);
    }
}

#[test]
fn a_boastful_reasoner_is_taken_down_by_every_method_on_fresh_draws() {
    let fresh = Draws(99).judged(20_000, 0.5, boastful);
    let before = (expected_calibration_error(&fresh).unwrap(), brier_score(&fresh).unwrap());
    assert!(before.0 > 0.18, "{before:?}");
    for (n, method, most) in [(25, Method::Shift, 0.14), (300, Method::Platt, 0.05), (5_000, Method::Isotonic, 0.025)] {
        let calibrator = Calibrator::fit(&Draws(n as u64).judged(n, 0.5, boastful));
        assert_eq!((calibrator.method(), calibrator.judged()), (method, n));
        let after = calibrated(&calibrator, &fresh);
        let after = (expected_calibration_error(&after).unwrap(), brier_score(&after).unwrap());
        assert!(after.0 < most && after.1 < before.1, "{method:?}: {before:?} became {after:?}");
    }
}

#[test]
fn what_is_measured_was_not_fitted_to() {
    // Confidence that says nothing: a fit to its own points would still find some order in them.
    let coin = Draws(11).judged(1_200, 0.5, |_| 0.5);
    let own = calibrated(&Calibrator::fit(&coin), &coin);
    let crossed = cross_fit(&coin, 5);
    assert!(brier_score(&own).unwrap() < 0.25 && brier_score(&crossed).unwrap() > 0.249, "{:?}", brier_score(&crossed));
    // One wrong among right ones is calibrated by the right ones alone.
    let mut points = judged(0.9, 9, 0);
    points.push(Judged { confidence: 0.9, right: false });
    let crossed = cross_fit(&points, 10);
    assert!(crossed[9].confidence > 0.9 && crossed[0].confidence < crossed[9].confidence, "{crossed:?}");
    assert_eq!((cross_fit(&points, 0), cross_fit(&points, 1), cross_fit(&[], 5)), (points.clone(), points, vec![]));
}

#[test]
fn few_judgements_move_it_little_and_more_move_it_further() {
    assert_eq!(Calibrator::fit(&[]), Calibrator::default());
    assert!((Calibrator::default().apply(0.37) - 0.37).abs() < f64::EPSILON);
    let after = |n| Calibrator::fit(&judged(0.9, 0, n)).apply(0.9);
    assert!(after(1) < 0.9 && after(1) > 0.85, "{}", after(1));
    assert!(after(4) < after(1) && after(29) < after(4) && after(29) < 0.5, "{} {}", after(4), after(29));
    // Right as often as stated: nothing to correct.
    let honest = Calibrator::fit(&judged(0.9, 18, 2));
    assert!((honest.apply(0.9) - 0.9).abs() < 1e-9 && honest.method() == Method::Shift, "{honest:?}");
    // A thousand right ones and nothing wrong make no curve, and no certainty.
    let lucky = Calibrator::fit(&judged(0.9, 1_000, 0));
    assert!(lucky.method() == Method::Shift && lucky.apply(0.9) > 0.97 && lucky.apply(0.9) < 1.0, "{lucky:?}");
}

#[test]
fn what_was_never_stated_is_never_raised() {
    // Stated between 0.85 and 1, nearly always right.
    for n in [10, 200, 2_000] {
        let calibrator = Calibrator::fit(&Draws(3).judged(n, 0.85, |_| 0.97));
        for stated in [0.0, 0.3, 0.6, 0.8, 0.84] {
            assert!(calibrator.apply(stated) <= stated, "{n}: {stated} became {}", calibrator.apply(stated));
        }
    }
    let calibrator = Calibrator::fit(
        &Draws(3).judged(500, 0.0, |stated| (stated * 2.0).min(1.0)).into_iter().filter(|j| j.confidence < 0.5).collect::<Vec<_>>(),
    );
    assert!(calibrator.apply(0.4) > 0.6, "within what was stated it may rise");
    assert!(calibrator.apply(0.99) <= 0.99_f64.max(calibrator.apply(0.499)));
}

#[test]
fn platt_finds_the_curve_that_made_the_draws_and_nothing_near_it_is_better() {
    let truth = Curve { slope: 0.6, offset: -0.4 };
    let points = Draws(1).judged(20_000, 0.02, |stated| truth.apply(stated));
    let found = platt::fit(&points);
    assert!((found.slope - truth.slope).abs() < 0.05 && (found.offset - truth.offset).abs() < 0.05, "{found:?}");
    // Cross-entropy against the smoothed targets, written out plainly.
    let right = points.iter().filter(|j| j.right).count();
    let (hit, miss) = smoothed_targets(right, points.len() - right);
    let loss = |curve: Curve| {
        let one = |j: &Judged| {
            let (p, t) = (curve.apply(j.confidence), if j.right { hit } else { miss });
            -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
        };
        points.iter().map(one).sum::<f64>()
    };
    for (slope, offset) in [(0.01, 0.0), (-0.01, 0.0), (0.0, 0.01), (0.0, -0.01), (0.01, -0.01), (-0.01, 0.01)] {
        assert!(loss(Curve { slope: found.slope + slope, offset: found.offset + offset }) > loss(found));
    }
}

#[test]
fn where_confidence_misleads_the_curve_is_flat() {
    let points = Draws(5).judged(400, 0.5, |stated| 1.5 - stated);
    let calibrator = Calibrator::fit(&points);
    let share = points.iter().filter(|j| j.right).count() as f64 / 400.0;
    assert_eq!(calibrator.method(), Method::Platt);
    let lowest = points.iter().map(|j| j.confidence).fold(1.0, f64::min);
    for stated in [lowest, 0.8, 0.99] {
        assert!((calibrator.apply(stated) - share).abs() < 0.01, "{stated}: {} not {share}", calibrator.apply(stated));
    }
}

#[test]
fn a_snapshot_comes_back_as_it_was_and_an_unsound_one_is_refused() {
    for n in [0, 10, 100, 1_500] {
        let calibrator = Calibrator::fit(&Draws(n).judged(n as usize, 0.3, boastful));
        let text = serde_json::to_string(&calibrator).unwrap();
        let back: Calibrator = serde_json::from_str(&text).unwrap();
        for stated in [0.0, 0.31, 0.5, 0.77, 0.999, 1.0] {
            assert!((back.apply(stated) - calibrator.apply(stated)).abs() < 1e-9, "{text}");
        }
    }
    let refused = |map: &str, range: &str| {
        let text = format!(r#"{{"map":{map},"judged":50,{range}}}"#);
        assert!(serde_json::from_str::<Calibrator>(&text).is_err(), "{text}");
    };
    let range = r#""lowest":0.1,"highest":0.9"#;
    refused(r#"{"method":"platt","slope":-1.0,"offset":0.0}"#, range);
    refused(r#"{"method":"isotonic","corners":[[0.1,0.5],[0.2,0.4]]}"#, range);
    refused(r#"{"method":"isotonic","corners":[[0.2,0.4],[0.2,0.5]]}"#, range);
    refused(r#"{"method":"isotonic","corners":[]}"#, range);
    refused(r#"{"method":"isotonic","corners":[[0.1,1.5]]}"#, range);
    refused(r#"{"method":"shift","shift":null}"#, range);
    refused(r#"{"method":"identity"}"#, r#""lowest":0.9,"highest":0.1"#);
    refused(r#"{"method":"guess"}"#, range);
}

/// The least squared error over every way to cut the values into blocks whose means do not fall.
fn least_squares_by_trying_all(values: &[(f64, f64)]) -> f64 {
    let mean = |block: &[(f64, f64)]| block.iter().map(|(v, w)| v * w).sum::<f64>() / block.iter().map(|(_, w)| w).sum::<f64>();
    let mut best = f64::INFINITY;
    for cuts in 0_u32..1 << (values.len() - 1) {
        let (mut error, mut from, mut before, mut falls) = (0.0, 0, f64::NEG_INFINITY, false);
        for to in 1..=values.len() {
            if to == values.len() || cuts & (1 << (to - 1)) != 0 {
                let m = mean(&values[from..to]);
                falls |= m < before;
                error += values[from..to].iter().map(|(v, w)| w * (v - m).powi(2)).sum::<f64>();
                (from, before) = (to, m);
            }
        }
        if !falls {
            best = best.min(error);
        }
    }
    best
}

proptest! {
    #[test]
    fn pooling_is_as_near_as_trying_all(values in prop::collection::vec((-2.0..2.0_f64, 0.1..5.0_f64), 1..9)) {
        let fitted = isotonic::pool(&values);
        prop_assert_eq!(fitted.len(), values.len());
        prop_assert!(fitted.windows(2).all(|w| w[0] <= w[1]), "{:?}", fitted);
        let error: f64 = fitted.iter().zip(&values).map(|(f, (v, w))| w * (v - f).powi(2)).sum();
        prop_assert!(error <= least_squares_by_trying_all(&values) + 1e-9);
    }

    #[test]
    fn a_calibrator_never_falls_and_stays_within_0_and_1(
        points in prop::collection::vec((any::<f64>(), any::<bool>()), 0..80),
        plain in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 0..80),
        repeat in 1..30_usize,
        mut stated in prop::collection::vec(-0.1..1.1_f64, 2..20),
    ) {
        let one = |(confidence, right): &(f64, bool)| Judged { confidence: *confidence, right: *right };
        // Repeated, so that every method is reached.
        let judged: Vec<_> = std::iter::repeat_n(points.iter().chain(&plain).map(one), repeat).flatten().collect();
        let calibrator = Calibrator::fit(&judged);
        stated.sort_by(f64::total_cmp);
        stated.extend([1.0, f64::INFINITY]);
        let applied: Vec<_> = stated.iter().map(|s| calibrator.apply(*s)).collect();
        prop_assert!(applied.iter().all(|c| (0.0..=1.0).contains(c)), "{:?}", applied);
        prop_assert!(applied.windows(2).all(|w| w[0] <= w[1] + 1e-12), "{:?} by {:?}", applied, calibrator);
        prop_assert!(calibrator.apply(f64::NAN) == 0.0);
    }
}
