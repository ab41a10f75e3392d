//! Platt's curve: right with probability `logistic(slope · log-odds + offset)`.
//!
//! J. Platt, "Probabilistic outputs for support vector machines", 1999, with his smoothed targets; fitted by Newton's method with
//! backtracking as H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs for support vector machines", Machine
//! Learning 68, 2007, and with their form of the loss, which neither overflows nor cancels. The score is the stated log-odds.

use super::{log_odds, logistic, smoothed_targets};
use picket_core::calibration::Judged;

/// Steps of Newton's method; it is done after about ten.
const STEPS_MAX: usize = 100;
/// Halvings of one step.
const HALVINGS_MAX: u32 = 40;
/// The gradient, per judged incident, at which it is done.
const GRADIENT_MIN: f64 = 1e-10;
/// Added to the Hessian's diagonal, so that it can be inverted when all scores are alike.
const RIDGE: f64 = 1e-12;
/// Share of the promised descent that a step must bring (Lin et al.).
const DESCENT: f64 = 1e-4;

/// The curve.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) struct Curve {
    /// Never below 0.
    pub slope: f64,
    pub offset: f64,
}

impl Curve {
    pub(super) fn apply(self, stated: f64) -> f64 {
        logistic(self.slope * log_odds(stated) + self.offset)
    }
}

struct Problem {
    /// Score and target of each.
    points: Vec<(f64, f64)>,
}

impl Problem {
    /// The negative log-likelihood.
    fn loss(&self, curve: Curve) -> f64 {
        let one = |(score, target): &(f64, f64)| {
            let x = curve.slope * score + curve.offset;
            // ln(1 + e^x) - target x, written for the sign of x.
            if x >= 0.0 { (1.0 - target) * x + (-x).exp().ln_1p() } else { x.exp().ln_1p() - target * x }
        };
        self.points.iter().map(one).sum()
    }

    /// Gradient (slope, offset) and Hessian (slope-slope, slope-offset, offset-offset).
    fn derivatives(&self, curve: Curve) -> ((f64, f64), (f64, f64, f64)) {
        let (mut g, mut h) = ((0.0, 0.0), (RIDGE, 0.0, RIDGE));
        for (score, target) in &self.points {
            let p = logistic(curve.slope * score + curve.offset);
            let (miss, spread) = (p - target, p * (1.0 - p));
            g = (g.0 + miss * score, g.1 + miss);
            h = (h.0 + spread * score * score, h.1 + spread * score, h.2 + spread);
        }
        (g, h)
    }

    /// Newton's step.
    fn step(&self, curve: Curve) -> Option<(Curve, f64)> {
        let (g, h) = self.derivatives(curve);
        if g.0.abs().max(g.1.abs()) < GRADIENT_MIN * self.points.len() as f64 {
            return None;
        }
        let determinant = h.0 * h.2 - h.1 * h.1;
        let direction =
            if determinant > 0.0 { ((h.1 * g.1 - h.2 * g.0) / determinant, (h.1 * g.0 - h.0 * g.1) / determinant) } else { (-g.0, -g.1) };
        Some((Curve { slope: direction.0, offset: direction.1 }, g.0 * direction.0 + g.1 * direction.1))
    }

    fn solve(&self, start: Curve) -> Curve {
        let mut curve = start;
        let mut loss = self.loss(curve);
        for _ in 0..STEPS_MAX {
            let Some((direction, descent)) = self.step(curve) else { break };
            let better = (0..HALVINGS_MAX).map(|n| 0.5_f64.powi(n as i32)).find_map(|length| {
                let to = Curve { slope: curve.slope + length * direction.slope, offset: curve.offset + length * direction.offset };
                let reached = self.loss(to);
                (reached < loss + DESCENT * length * descent).then_some((to, reached))
            });
            let Some((to, reached)) = better else { break };
            (curve, loss) = (to, reached);
        }
        curve
    }
}

/// Fits the curve. Where a higher confidence was right less often, the best curve that does not fall is the flat one.
pub(super) fn fit(judged: &[Judged]) -> Curve {
    let right = judged.iter().filter(|j| j.right).count();
    let (hit, miss) = smoothed_targets(right, judged.len() - right);
    let points: Vec<_> = judged.iter().map(|j| (log_odds(j.stated()), if j.right { hit } else { miss })).collect();
    let mean = points.iter().map(|(_, target)| target).sum::<f64>() / points.len().max(1) as f64;
    let flat = Curve { slope: 0.0, offset: log_odds(mean) };
    let curve = Problem { points }.solve(flat);
    if curve.slope > 0.0 && curve.offset.is_finite() && curve.slope.is_finite() { curve } else { flat }
}
