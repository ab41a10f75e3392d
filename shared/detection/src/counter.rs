//! Counters and cumulative histograms as what happened since the point before.

use crate::distribution::Distribution;
use picket_core::signal::{MetricValue, Temporality};
use picket_core::time::Timestamp;

/// Beyond this a difference says nothing of now: the counter is only taken up again.
const GAP_MAX_MS: i64 = 300_000;
/// The first point of a counter that began this shortly before counts whole: a new pod's first requests are seen.
const NEWBORN_MS: i64 = 30_000;

/// What was added since the point before.
#[derive(Clone, Debug, Default)]
pub struct Increment {
    /// Observations, or the sum's increase.
    pub count: f64,
    /// By bucket; empty for a sum.
    pub distribution: Distribution,
    /// Over how long.
    pub dt_ms: i64,
}

/// The last point of one counter.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    last: Option<(Timestamp, Timestamp, f64, Vec<u64>)>,
}

impl Counter {
    /// Takes a point; `None` when nothing can be said (the first, one out of order, after a long gap, no number, no counter).
    ///
    /// A later `start`, a lower count or other buckets are a reset: the count since the reset is what was added.
    /// `sibling`: when other counters of the same metric and sender last reported before; a counter that was not among them then
    /// (the first 500 of a service) counts whole.
    pub fn advance(&mut self, at: Timestamp, value: &MetricValue, sibling: Option<Timestamp>) -> Option<Increment> {
        let (bounds, counts, total, temporality, start): (&[f64], &[u64], f64, _, _) = match value {
            MetricValue::Gauge { .. } => return None,
            MetricValue::Sum { value, temporality, start, .. } => (&[], &[], *value, *temporality, *start),
            MetricValue::Histogram { bounds, counts, count, temporality, start, .. } => {
                if counts.len() != bounds.len() + 1 && !counts.is_empty() {
                    return None;
                }
                (bounds, counts, *count as f64, *temporality, *start)
            }
        };
        if !total.is_finite() || total < 0.0 || self.last.as_ref().is_some_and(|l| at <= l.0) {
            return None;
        }
        let before = match temporality {
            Temporality::Cumulative => self.last.replace((at, start, total, counts.to_vec())),
            Temporality::Delta => {
                let before = self.last.replace((at, start, 0.0, Vec::new()));
                let since = if start.0 > 0 && start < at { start } else { before?.0 };
                return increment(bounds, counts, &[], total, at.since_ms(since));
            }
        };
        let Some((last_at, last_start, last_total, last_counts)) = before else {
            if let Some(absent) = sibling.filter(|s| *s < at && at.since_ms(*s) <= NEWBORN_MS) {
                return increment(bounds, counts, &[], total, at.since_ms(absent.max(start)).max(1));
            }
            let age_ms = at.since_ms(start);
            return if start.0 > 0 && (1..=NEWBORN_MS).contains(&age_ms) { increment(bounds, counts, &[], total, age_ms) } else { None };
        };
        let fell = counts.len() != last_counts.len() || counts.iter().zip(&last_counts).any(|(now, then)| now < then);
        if start > last_start || total < last_total || fell {
            let since = if start > last_at { start } else { last_at };
            return increment(bounds, counts, &[], total, at.since_ms(since).max(1));
        }
        increment(bounds, counts, &last_counts, total - last_total, at.since_ms(last_at))
    }
}

fn increment(bounds: &[f64], counts: &[u64], before: &[u64], added: f64, dt_ms: i64) -> Option<Increment> {
    if dt_ms <= 0 || dt_ms > GAP_MAX_MS {
        return None;
    }
    let mut distribution = Distribution::default();
    for (i, count) in counts.iter().enumerate() {
        let upper = bounds.get(i).copied().unwrap_or(f64::INFINITY);
        distribution.add(upper, count.saturating_sub(before.get(i).copied().unwrap_or(0)));
    }
    Some(Increment { count: added, distribution, dt_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(counts: [u64; 3], start: i64) -> MetricValue {
        MetricValue::Histogram {
            bounds: vec![0.1, 1.0],
            counts: counts.to_vec(),
            sum: 0.0,
            count: counts.iter().sum(),
            temporality: Temporality::Cumulative,
            start: Timestamp(start),
        }
    }

    fn sum(value: f64, start: i64) -> MetricValue {
        MetricValue::Sum { value, monotonic: true, temporality: Temporality::Cumulative, start: Timestamp(start) }
    }

    #[test]
    fn differences_and_resets() {
        let mut counter = Counter::default();
        assert!(counter.advance(Timestamp(100_000), &histogram([5, 5, 5], 1), None).is_none(), "since when the first counts is long ago");
        let step = counter.advance(Timestamp(105_000), &histogram([7, 6, 5], 1), None).unwrap();
        assert_eq!((step.count, step.distribution.count(), step.dt_ms), (3.0, 3, 5_000));
        let reset = counter.advance(Timestamp(110_000), &histogram([2, 0, 0], 107_000), None).unwrap();
        assert_eq!((reset.count, reset.dt_ms), (2.0, 3_000));
        let silent_reset = counter.advance(Timestamp(115_000), &histogram([1, 0, 0], 107_000), None).unwrap();
        assert_eq!((silent_reset.count, silent_reset.dt_ms), (1.0, 5_000));
    }

    #[test]
    fn a_reset_hidden_by_a_higher_total_is_seen_in_the_buckets() {
        let mut counter = Counter::default();
        counter.advance(Timestamp(100_000), &histogram([9, 1, 0], 0), None);
        let step = counter.advance(Timestamp(105_000), &histogram([3, 8, 0], 0), None).unwrap();
        assert_eq!(step.count, 11.0);
    }

    #[test]
    fn a_new_pods_first_point_counts() {
        let mut counter = Counter::default();
        assert_eq!(counter.advance(Timestamp(105_000), &sum(8.0, 100_000), None).unwrap().count, 8.0);
    }

    #[test]
    fn the_first_failures_of_a_known_sender_count() {
        let mut failures = Counter::default();
        let step = failures.advance(Timestamp(105_000), &sum(4.0, 1), Some(Timestamp(100_000))).unwrap();
        assert_eq!((step.count, step.dt_ms), (4.0, 5_000));
    }

    #[test]
    fn out_of_order_gaps_and_nonsense() {
        let mut counter = Counter::default();
        counter.advance(Timestamp(100_000), &sum(1.0, 1), None);
        assert!(counter.advance(Timestamp(95_000), &sum(2.0, 1), None).is_none());
        assert!(counter.advance(Timestamp(105_000), &sum(f64::NAN, 1), None).is_none());
        assert!(counter.advance(Timestamp(1_000_000), &sum(90.0, 1), None).is_none(), "fifteen minutes say nothing of now");
        assert_eq!(counter.advance(Timestamp(1_005_000), &sum(95.0, 1), None).unwrap().count, 5.0);
        assert!(counter.advance(Timestamp(1_010_000), &MetricValue::Gauge { value: 3.0 }, None).is_none());
        let torn = MetricValue::Histogram {
            bounds: vec![1.0],
            counts: vec![1, 2, 3],
            sum: 0.0,
            count: 6,
            temporality: Temporality::Delta,
            start: Timestamp(0),
        };
        assert!(counter.advance(Timestamp(1_015_000), &torn, None).is_none());
    }
}
