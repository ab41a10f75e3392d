//! How far stated confidences can be taken at their word, measured on judged ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bins of the calibration error.
pub const BINS: usize = 10;

/// A confidence that was stated, and whether what was stated turned out right.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// As stated, 0..1.
    pub confidence: f64,
    /// What a person, or the ground truth, says of it.
    pub right: bool,
}

impl Judged {
    /// The confidence within 0..1; one that is no number is none.
    #[must_use]
    pub const fn stated(&self) -> f64 {
        if self.confidence.is_nan() { 0.0 } else { self.confidence.clamp(0.0, 1.0) }
    }

    /// 1 for right, 0 for wrong.
    #[must_use]
    pub const fn truth(&self) -> f64 {
        if self.right { 1.0 } else { 0.0 }
    }
}

/// Lower ends of the classes that [`Reliability`] counts by: finer where confidences are stated that something may be done on.
const CLASSES: [f64; 18] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99];
/// A class that has so many forgets half of them: what an agent was like a year ago says little of today.
const CLASS_MAX: u32 = 200;

/// What became of confidences that were stated, counted by classes: all that a calibration needs of any number of judged incidents, in
/// bounded room, and the same on every replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reliability {
    /// Of each class, how often it was stated and how often it was right. Empty: nothing was judged.
    classes: Vec<(u32, u32)>,
}

impl Reliability {
    /// Counts one. What is no number counts as no confidence.
    pub fn count(&mut self, stated: f64, right: bool) {
        let stated = Judged { confidence: stated, right }.stated();
        let class = CLASSES.partition_point(|low| *low <= stated).saturating_sub(1);
        self.classes.resize(CLASSES.len(), (0, 0));
        let (all, good) = &mut self.classes[class];
        if *all >= CLASS_MAX {
            (*all, *good) = (*all / 2, *good / 2);
        }
        (*all, *good) = (*all + 1, *good + u32::from(right));
    }

    /// The judged ones, each at the middle of its class.
    #[must_use]
    pub fn judged(&self) -> Vec<Judged> {
        let ends = CLASSES.iter().skip(1).chain(&[1.0]);
        let middles = CLASSES.iter().zip(ends).map(|(low, high)| f64::midpoint(*low, *high));
        let of_class = |(confidence, (all, good)): (f64, &(u32, u32))| {
            let (all, good) = ((*all).min(CLASS_MAX), (*good).min(CLASS_MAX));
            (0..all).map(move |n| Judged { confidence, right: n < good })
        };
        middles.zip(&self.classes).flat_map(of_class).collect()
    }
}

/// Expected calibration error, 0..1: the mean distance between stated confidence and share of right ones over ten bins of equal width,
/// weighted by how many fall into each (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, eq. 3).
/// `None` without any.
#[must_use]
pub fn expected_calibration_error(judged: &[Judged]) -> Option<f64> {
    // Per bin, the sum of stated less the sum of right: divided by all, it is the bin's share times its distance.
    let mut excess = [0.0_f64; BINS];
    for one in judged {
        let bin = ((one.stated() * BINS as f64) as usize).min(BINS - 1);
        excess[bin] += one.stated() - one.truth();
    }
    (!judged.is_empty()).then(|| excess.iter().map(|e| e.abs()).sum::<f64>() / judged.len() as f64)
}

/// Brier score, 0 (best) to 1: mean squared distance between stated confidence and truth (Brier, "Verification of forecasts expressed in
/// terms of probability", Monthly Weather Review 78, 1950; the form for two outcomes). `None` without any.
#[must_use]
pub fn brier_score(judged: &[Judged]) -> Option<f64> {
    let squares: f64 = judged.iter().map(|one| (one.stated() - one.truth()).powi(2)).sum();
    (!judged.is_empty()).then(|| squares / judged.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(points: &[(f64, bool)]) -> Vec<Judged> {
        points.iter().map(|(confidence, right)| Judged { confidence: *confidence, right: *right }).collect()
    }

    #[test]
    fn both_measures_by_hand() {
        // Bins: 0.95 (right) alone; 0.85 (wrong) alone; 0.31 (right) and 0.39 (wrong) together.
        let points = judged(&[(0.95, true), (0.85, false), (0.31, true), (0.39, false)]);
        let ece = (0.05 + 0.85 + (0.70_f64 - 1.0).abs()) / 4.0;
        assert!((expected_calibration_error(&points).unwrap() - ece).abs() < 1e-12);
        let brier = (0.0025 + 0.7225 + 0.4761 + 0.1521) / 4.0;
        assert!((brier_score(&points).unwrap() - brier).abs() < 1e-12);
        assert_eq!((expected_calibration_error(&[]), brier_score(&[])), (None, None));
    }

    #[test]
    fn a_reliability_counts_by_class_and_forgets_half_when_a_class_is_full() {
        let mut reliability = Reliability::default();
        assert!(reliability.judged().is_empty());
        for n in 0..10 {
            reliability.count(0.97, n < 8);
        }
        reliability.count(f64::NAN, false);
        reliability.count(1.0, true);
        let judged = reliability.judged();
        assert_eq!(judged.len(), 12);
        let high: Vec<_> = judged.iter().filter(|j| (0.965..0.98).contains(&j.confidence)).collect();
        assert_eq!((high.len(), high.iter().filter(|j| j.right).count()), (10, 8));
        assert!(judged.contains(&Judged { confidence: 0.05, right: false }) && judged.contains(&Judged { confidence: 0.995, right: true }));
        for _ in 0..100_000 {
            reliability.count(0.97, true);
        }
        assert!((100..=210).contains(&reliability.judged().len()));
        let text = serde_json::to_string(&reliability).unwrap();
        assert_eq!(serde_json::from_str::<Reliability>(&text).unwrap(), reliability);
    }

    #[test]
    fn what_is_no_probability_counts_as_the_nearest_one() {
        let points = judged(&[(f64::NAN, false), (7.0, true), (-1.0, false), (f64::INFINITY, true)]);
        assert_eq!((expected_calibration_error(&points), brier_score(&points)), (Some(0.0), Some(0.0)));
    }

    proptest! {
        #[test]
        fn both_are_ratios_whatever_is_stated(points in prop::collection::vec((any::<f64>(), any::<bool>()), 1..60)) {
            let points = judged(&points);
            for measure in [expected_calibration_error(&points), brier_score(&points)] {
                prop_assert!(measure.is_some_and(|m| (0.0..=1.0).contains(&m)), "{measure:?}");
            }
        }
    }
}
