//! How long things took.

use std::time::Duration;

/// Every measurement, in microseconds: a load of minutes has some millions, and a percentile of all of them is exact.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<u32>);

impl Latencies {
    pub(super) fn record(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// The smallest value that at least this share of all does not exceed, in milliseconds; `None` of nothing. Sort first.
    pub(super) fn percentile_ms(&self, share: f64) -> Option<f64> {
        let rank = (share * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).or_else(|| self.0.last()).map(|us| f64::from(*us) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut all = Latencies::default();
        assert_eq!(all.percentile_ms(0.5), None);
        for ms in [4, 1, 3, 2] {
            all.record(Duration::from_millis(ms));
        }
        all.sort();
        assert_eq!(all.percentile_ms(0.5), Some(2.0));
        assert_eq!(all.percentile_ms(0.99), Some(4.0));
        assert_eq!(all.percentile_ms(0.0), Some(1.0));
    }
}
