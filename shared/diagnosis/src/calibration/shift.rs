//! One number for few judged incidents: by how much all stated odds are off.

use super::{log_odds, logistic};
use picket_core::calibration::Judged;

/// The prior: the logarithm of the factor that stated odds are off by is normal with mean 0 and this deviation. In words: before anything
/// is judged the reasoner is taken at its word, and odds wrong by more than a factor of 2.7 either way are thought to be rare (5 %).
const PRIOR_SIGMA: f64 = 0.5;

/// The most probable shift of the log-odds, given what was judged.
pub(super) fn fit(judged: &[Judged]) -> f64 {
    let precision = 1.0 / (PRIOR_SIGMA * PRIOR_SIGMA);
    // Falls strictly in the shift, and has its zero where no more than all of them pull against the prior.
    let slope = |shift: f64| {
        let pull: f64 = judged.iter().map(|j| j.truth() - apply(shift, j.stated())).sum();
        pull - precision * shift
    };
    let (mut low, mut high) = (-(judged.len() as f64) / precision, judged.len() as f64 / precision);
    // Halving until nothing is left of the bracket: an f64 has no more than so many halves that matter.
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

pub(super) fn apply(shift: f64, stated: f64) -> f64 {
    logistic(log_odds(stated) + shift)
}
