//! The rolling baseline of one series: exponentially weighted mean and variance, robust against the outliers it shall find.
//!
//! Sources: exponential smoothing of unevenly spaced points (D. M. Wright, "Forecasting data published at irregular time
//! intervals", Management Science 32, 1986: weight `1 - exp(-dt / tau)`); incremental weighted variance (T. Finch, "Incremental
//! calculation of weighted mean and variance", 2009); residuals are clipped before they teach (Gelper, Fried, Croux, "Robust
//! forecasting with exponential and Holt-Winters smoothing", J. Forecasting 29, 2010); the start is median and MAD, so that a fault
//! in under half of the warm-up does not become the norm.

use picket_core::time::Timestamp;

/// Residuals beyond this many deviations teach no more than this many.
const CLIP_SIGMA: f64 = 3.0;
/// MAD to standard deviation, for normal data.
pub(crate) const MAD_TO_SIGMA: f64 = 1.4826;
/// With few points the deviation is not well known: it is widened by `1 + SMALL_SAMPLE / n`.
const SMALL_SAMPLE: f64 = 4.0;

/// Mean and deviation of one series as of its last point.
#[derive(Clone, Debug)]
pub struct Baseline {
    tau_ms: f64,
    warmup_points: usize,
    warmup_ms: i64,
    start: Vec<f64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    mean: f64,
    variance: f64,
    points: u64,
}

impl Baseline {
    /// A baseline that has seen nothing.
    #[must_use]
    pub fn new(tau_ms: i64, warmup_points: u32, warmup_ms: i64) -> Self {
        Self {
            tau_ms: tau_ms.max(1) as f64,
            warmup_points: warmup_points.max(2) as usize,
            warmup_ms,
            start: Vec::new(),
            first: None,
            last: None,
            mean: 0.0,
            variance: 0.0,
            points: 0,
        }
    }

    /// True once it may judge.
    #[must_use]
    pub const fn is_warm(&self) -> bool {
        self.points > 0
    }

    /// What is usual; of a cold baseline the median so far, `None` without any point.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        if self.is_warm() { Some(self.mean) } else { median(&mut self.start.clone()) }
    }

    /// The standard deviation, at least `floor`, widened while few points are known.
    #[must_use]
    pub fn sigma(&self, floor: f64) -> f64 {
        let widen = 1.0 + SMALL_SAMPLE / (self.points.max(self.start.len() as u64).max(1) as f64);
        (self.variance.sqrt() * widen).max(floor)
    }

    /// Memory that it takes, in bytes: itself and what it has on the heap while it is cold.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.start.capacity() * size_of::<f64>()
    }

    /// Learns a value. Points that are no number, or not later than the last one, are passed over.
    pub fn learn(&mut self, at: Timestamp, value: f64, floor: f64) {
        if !value.is_finite() || self.last.is_some_and(|last| at <= last) {
            return;
        }
        let first = *self.first.get_or_insert(at);
        let dt_ms = self.last.replace(at).map_or(0, |last| at.since_ms(last));
        if !self.is_warm() {
            self.warm_up(value, at.since_ms(first));
            return;
        }
        self.points += 1;
        // Early on a plain mean (1/n), later the exponential weight.
        let weight = (1.0 - (-(dt_ms as f64) / self.tau_ms).exp()).max(1.0 / self.points as f64).min(0.5);
        let reach = CLIP_SIGMA * self.sigma(floor);
        let residual = (value - self.mean).clamp(-reach, reach);
        self.mean += weight * residual;
        self.variance = (1.0 - weight) * (self.variance + weight * residual * residual);
    }

    fn warm_up(&mut self, value: f64, span_ms: i64) {
        self.start.push(value);
        if self.start.len() < self.warmup_points || span_ms < self.warmup_ms {
            // A fast sender must not grow the start without end: keep the newest.
            if self.start.len() > self.warmup_points * 8 {
                self.start.remove(0);
            }
            return;
        }
        let mut values = std::mem::take(&mut self.start);
        let centre = median(&mut values).unwrap_or(value);
        let mut distance: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
        let sigma = MAD_TO_SIGMA * median(&mut distance).unwrap_or(0.0);
        self.mean = centre;
        self.variance = sigma * sigma;
        self.points = values.len() as u64;
    }
}

/// The median; sorts what it is given.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// A quantile by linear interpolation; sorts what it is given.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let place = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = place.ceil() as usize;
    Some(values[below] + (values[above] - values[below]) * (place - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(values: impl IntoIterator<Item = f64>) -> Baseline {
        let mut baseline = Baseline::new(450_000, 12, 50_000);
        for (i, value) in values.into_iter().enumerate() {
            baseline.learn(Timestamp(i as i64 * 5_000), value, 0.01);
        }
        baseline
    }

    #[test]
    fn it_warms_up_on_points_and_time() {
        assert!(!fed([1.0; 11]).is_warm());
        assert!(fed([1.0; 12]).is_warm());
        let mut quick = Baseline::new(450_000, 12, 50_000);
        for i in 0..200 {
            quick.learn(Timestamp(i * 100), 1.0, 0.01);
        }
        assert!(!quick.is_warm(), "two hundred points in 20 s are no minute of experience");
    }

    #[test]
    fn a_warm_one_is_small() {
        assert!(fed([1.0; 30]).bytes() <= 120, "{}", fed([1.0; 30]).bytes());
        assert!(fed([1.0; 11]).bytes() > fed([1.0; 30]).bytes());
    }

    #[test]
    fn a_fault_in_the_warm_up_is_not_the_norm() {
        let baseline = fed([10.0, 11.0, 9.0, 10.0, 500.0, 500.0, 500.0, 10.0, 10.5, 9.5, 10.0, 10.0]);
        assert!((baseline.expected().unwrap() - 10.0).abs() < 0.5);
        assert!(baseline.sigma(0.01) < 3.0);
    }

    #[test]
    fn outliers_hardly_teach_and_nonsense_not_at_all() {
        let mut baseline = fed((0..200).map(|i| 10.0 + f64::from(i % 3)));
        let before = baseline.expected().unwrap();
        baseline.learn(Timestamp(1_000_000), 1e9, 0.01);
        baseline.learn(Timestamp(1_005_000), f64::NAN, 0.01);
        baseline.learn(Timestamp(1_010_000), f64::INFINITY, 0.01);
        baseline.learn(Timestamp(5), 1e9, 0.01);
        assert!((baseline.expected().unwrap() - before).abs() < 0.2);
    }

    #[test]
    fn a_gap_weighs_the_next_point_more() {
        let (mut near, mut far) = (fed((0..400).map(|_| 10.0)), fed((0..400).map(|_| 10.0)));
        near.learn(Timestamp(400 * 5_000), 10.02, 0.01);
        far.learn(Timestamp(400 * 5_000 + 600_000), 10.02, 0.01);
        assert!(far.expected() > near.expected());
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
