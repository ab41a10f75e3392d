//! From what a reasoner states to how often it is right: calibration on adjudicated incidents.
//!
//! Few judged incidents say little: [`shift`] moves all odds together, against a prior that leaves them alone. More: [`platt`]. Many:
//! [`isotonic`], which assumes nothing but the order. Niculescu-Mizil and Caruana ("Predicting good probabilities with supervised
//! learning", ICML 2005) found Platt's curve the better one below about a thousand cases, isotonic regression above.
//! The measures (expected calibration error, Brier score) are [`picket_core::calibration`]'s, shared with the scorer.

mod calibrator;
mod cross_fit;
mod isotonic;
mod platt;
mod shift;

pub use calibrator::{Calibrator, ISOTONIC_MIN, Method, PLATT_MIN, RARER_MIN, Unsound};
pub use cross_fit::cross_fit;
pub use picket_core::calibration::{Judged, brier_score, expected_calibration_error};

/// Odds are taken of probabilities within this of 0 and 1: those of certainty are infinite.
const EDGE: f64 = 1e-6;

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

fn logistic(x: f64) -> f64 {
    // Each branch keeps the exponential below 1: it cannot overflow.
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// Platt's targets for right and wrong (his section 2.2): the truth under a uniform prior, so that no fit ends in certainty.
fn smoothed_targets(right: usize, wrong: usize) -> (f64, f64) {
    ((right as f64 + 1.0) / (right as f64 + 2.0), 1.0 / (wrong as f64 + 2.0))
}

#[cfg(test)]
mod tests;
