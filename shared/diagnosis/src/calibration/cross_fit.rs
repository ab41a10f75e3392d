//! What calibration is worth, without judging it by what it was fitted to.

use super::Calibrator;
use picket_core::calibration::Judged;

/// The judged confidences, each calibrated by a fit to those of the other folds (M. Stone, "Cross-validatory choice and assessment of
/// statistical predictions", JRSS B 36, 1974). Every `folds`-th one is of one fold: incidents that follow each other, which are of one
/// kind more often than not, are kept apart. With fewer than two folds nothing is fitted.
#[must_use]
pub fn cross_fit(judged: &[Judged], folds: usize) -> Vec<Judged> {
    let fit = |fold: usize| {
        let others: Vec<_> = judged.iter().enumerate().filter(|(i, _)| i % folds != fold).map(|(_, j)| *j).collect();
        Calibrator::fit(&others)
    };
    let calibrators: Vec<_> = if folds < 2 { vec![Calibrator::default()] } else { (0..folds).map(fit).collect() };
    let calibrated =
        |(i, j): (usize, &Judged)| Judged { confidence: calibrators[i % calibrators.len()].apply(j.confidence), right: j.right };
    judged.iter().enumerate().map(calibrated).collect()
}
