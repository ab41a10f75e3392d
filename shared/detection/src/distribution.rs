//! Counts by bucket: what histograms of several pods and windows are added up in.

/// A distribution as (upper bound, count), ascending; the last bound may be infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    buckets: Vec<(f64, u64)>,
    count: u64,
}

impl Distribution {
    /// Bound on buckets: senders with ever new bounds are merged into the nearest.
    const BUCKETS_MAX: usize = 512;

    /// Observations in it.
    #[cfg(test)]
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds `count` observations of at most `upper`.
    pub fn add(&mut self, upper: f64, count: u64) {
        if upper.is_nan() {
            return;
        }
        self.count = self.count.saturating_add(count);
        match self.buckets.binary_search_by(|b| b.0.total_cmp(&upper)) {
            Ok(i) => self.buckets[i].1 = self.buckets[i].1.saturating_add(count),
            Err(i) if self.buckets.len() < Self::BUCKETS_MAX => self.buckets.insert(i, (upper, count)),
            Err(i) => {
                let near = i.min(self.buckets.len() - 1);
                self.buckets[near].1 = self.buckets[near].1.saturating_add(count);
            }
        }
    }

    /// Adds another distribution.
    pub fn merge(&mut self, other: &Self) {
        self.merge_scaled(other, 1.0);
    }

    /// Adds another distribution whose bounds are in another unit.
    pub fn merge_scaled(&mut self, other: &Self, scale: f64) {
        for (upper, count) in &other.buckets {
            self.add(*upper * scale, *count);
        }
    }

    /// The quantile, by linear interpolation within its bucket; in the overflow bucket its lower bound (no more is known).
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * self.count as f64;
        let (mut below, mut lower) = (0.0, 0.0_f64);
        for (upper, count) in &self.buckets {
            let here = *count as f64;
            if here > 0.0 && below + here >= rank {
                if !upper.is_finite() {
                    return Some(lower);
                }
                return Some(lower + (upper - lower) * ((rank - below) / here).clamp(0.0, 1.0));
            }
            below += here;
            if upper.is_finite() {
                lower = *upper;
            }
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_merged_pods() {
        let (mut a, mut b) = (Distribution::default(), Distribution::default());
        a.add(0.1, 90);
        b.add(0.1, 5);
        b.add(0.5, 5);
        a.merge(&b);
        assert_eq!(a.count(), 100);
        assert!(a.quantile(0.5).unwrap() < 0.1);
        assert!((a.quantile(0.99).unwrap() - 0.42).abs() < 0.001);
    }

    #[test]
    fn overflow_empty_and_nonsense() {
        let mut d = Distribution::default();
        assert_eq!(d.quantile(0.5), None);
        d.add(f64::NAN, 3);
        assert_eq!(d.count(), 0);
        d.add(1.0, 0);
        d.add(f64::INFINITY, 4);
        assert_eq!(d.quantile(0.95), Some(1.0));
    }
}
