//! Latency histograms over the bounds that OpenTelemetry advises.

/// Upper bounds in seconds.
pub const BOUNDS_S: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Spread of a service's latencies: standard deviation of their logarithm.
pub const SPREAD: f64 = 0.5;

/// Cumulative counts. Expected shares are added, and the fractions left over are carried on, so that counts stay whole and no
/// random number per request is needed.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Per bucket; the last is the overflow.
    pub counts: [u64; 15],
    /// Sum of the observations, in seconds.
    pub sum_s: f64,
    carry: [f64; 15],
}

impl Histogram {
    /// Adds `requests` (not necessarily whole) with that mean latency.
    pub fn observe(&mut self, requests: f64, mean_s: f64) {
        if requests <= 0.0 || mean_s <= 0.0 {
            return;
        }
        let middle = mean_s.ln() - SPREAD * SPREAD / 2.0;
        let mut below = 0.0;
        let mut added = 0.0;
        for (at, count) in self.counts.iter_mut().enumerate() {
            let upto = BOUNDS_S.get(at).map_or(1.0, |bound| normal_cdf((bound.ln() - middle) / SPREAD));
            let due = requests * (upto - below).max(0.0) + self.carry[at];
            let whole = due.floor();
            self.carry[at] = due - whole;
            *count += whole as u64;
            added += whole;
            below = upto;
        }
        self.sum_s += added * mean_s;
    }

    /// Observations in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The latency that `share` of the requests stay below, given their mean (both in the same unit).
#[must_use]
pub fn p95_of_mean(mean: f64) -> f64 {
    mean * (1.645 * SPREAD - SPREAD * SPREAD / 2.0).exp()
}

/// The standard normal distribution function (Abramowitz and Stegun 26.2.17; error below 1e-7).
fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_lose_nothing() {
        let mut histogram = Histogram::default();
        for _ in 0..1000 {
            histogram.observe(7.3, 0.040);
        }
        assert!((7285..=7300).contains(&histogram.count()), "{}", histogram.count());
        let below_p95: u64 = BOUNDS_S.iter().zip(histogram.counts).filter(|(b, _)| **b <= 0.1).map(|(_, c)| c).sum();
        assert!(below_p95 as f64 > 0.95 * histogram.count() as f64, "p95 of 40 ms is {:.3} s", p95_of_mean(0.040));
        assert!((normal_cdf(1.645) - 0.95).abs() < 1e-3 && (normal_cdf(-1.645) - 0.05).abs() < 1e-3);
    }
}
