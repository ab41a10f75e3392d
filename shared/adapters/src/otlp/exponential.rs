//! Exponential histograms as explicit ones, in few buckets.

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;

/// Buckets kept: at 64 a latency histogram over four decades keeps bounds 15 % apart.
const BUCKETS_MAX: usize = 64;
/// The scales that the protocol's senders use.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// Explicit bounds and counts of the same observations, or the reason why it is no histogram.
///
/// Adjacent buckets are merged until few enough remain: two of one scale make exactly one of the scale below, so nothing
/// is estimated. Observations below zero fall into the lowest bucket, whose upper bound is the zero threshold.
pub(super) fn explicit(point: &ExponentialHistogramDataPoint) -> Result<(Vec<f64>, Vec<u64>), &'static str> {
    if !SCALES.contains(&point.scale) {
        return Err("inconsistent_histogram");
    }
    let zero_threshold = if point.zero_threshold.is_finite() && point.zero_threshold > 0.0 { point.zero_threshold } else { 0.0 };
    let below = point.negative.as_ref().map_or(Some(0), |buckets| total(&buckets.bucket_counts)).ok_or("inconsistent_histogram")?;
    let lowest = point.zero_count.checked_add(below).ok_or("inconsistent_histogram")?;
    let (mut scale, mut offset, mut counts) = (point.scale, 0_i32, Vec::new());
    if let Some(positive) = &point.positive {
        // Leading and trailing empty buckets carry nothing.
        let from = positive.bucket_counts.iter().position(|count| *count > 0).unwrap_or(positive.bucket_counts.len());
        let to = positive.bucket_counts.iter().rposition(|count| *count > 0).map_or(from, |last| last + 1);
        let skipped = i32::try_from(from).map_err(|_| "inconsistent_histogram")?;
        offset = positive.offset.checked_add(skipped).ok_or("inconsistent_histogram")?;
        counts = positive.bucket_counts[from..to].to_vec();
    }
    while counts.len() > BUCKETS_MAX {
        (offset, counts) = merged(offset, &counts).ok_or("inconsistent_histogram")?;
        scale -= 1;
    }
    // base^index with base = 2^(2^-scale), so 2^(index * 2^-scale).
    let bound = |index: i64| (index as f64 * (-f64::from(scale)).exp2()).exp2();
    let mut bounds = vec![zero_threshold];
    let mut out = vec![lowest];
    let floor = bound(i64::from(offset));
    if !counts.is_empty() && floor > zero_threshold {
        bounds.push(floor);
        out.push(0);
    }
    for (n, count) in counts.iter().enumerate() {
        let upper = bound(i64::from(offset) + n as i64 + 1);
        if !upper.is_finite() || upper <= bounds[bounds.len() - 1] {
            return Err("inconsistent_histogram");
        }
        bounds.push(upper);
        out.push(*count);
    }
    out.push(0);
    let same = total(&out).is_some_and(|sum| sum == point.count);
    if same { Ok((bounds, out)) } else { Err("inconsistent_histogram") }
}

pub(super) fn total(counts: &[u64]) -> Option<u64> {
    counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))
}

fn merged(offset: i32, counts: &[u64]) -> Option<(i32, Vec<u64>)> {
    let first = offset.div_euclid(2);
    let mut out: Vec<u64> = Vec::with_capacity(counts.len() / 2 + 1);
    for (n, count) in counts.iter().enumerate() {
        let index = i64::from(offset) + n as i64;
        let place = usize::try_from(index.div_euclid(2) - i64::from(first)).ok()?;
        if place == out.len() {
            out.push(0);
        }
        out[place] = out[place].checked_add(*count)?;
    }
    Some((first, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

    fn point(scale: i32, offset: i32, counts: Vec<u64>, zero: u64) -> ExponentialHistogramDataPoint {
        let count = counts.iter().sum::<u64>() + zero;
        ExponentialHistogramDataPoint {
            scale,
            zero_count: zero,
            count,
            positive: Some(Buckets { offset, bucket_counts: counts }),
            ..Default::default()
        }
    }

    #[test]
    fn bounds_are_powers_of_the_base() {
        let (bounds, counts) = explicit(&point(0, -1, vec![1, 2, 3], 4)).unwrap();
        assert_eq!(bounds, [0.0, 0.5, 1.0, 2.0, 4.0]);
        assert_eq!(counts, [4, 0, 1, 2, 3, 0]);
        let (bounds, _) = explicit(&point(1, 0, vec![1, 1], 0)).unwrap();
        assert!((bounds[2] - 2_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn many_buckets_are_merged_without_moving_an_observation_over_a_bound() {
        let fine = point(5, -321, (1..=160).collect(), 7);
        let (bounds, counts) = explicit(&fine).unwrap();
        assert!(counts.len() <= BUCKETS_MAX + 3);
        assert_eq!(counts.iter().sum::<u64>(), fine.count);
        // Each bound that remains parts the observations exactly as the fine histogram did.
        let base = 2_f64.powf(1.0 / 32.0);
        let mut cumulative = 0;
        for (bound, count) in bounds.iter().zip(&counts) {
            cumulative += count;
            let below: u64 = (1..=160_u64).filter(|n| base.powi(-321 + *n as i32) <= bound * 1.000_001).sum::<u64>() + 7;
            if *bound > base.powi(-321) {
                assert_eq!(cumulative, below, "at {bound}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut wrong = point(0, 0, vec![1], 0);
        wrong.count = 5;
        assert!(explicit(&wrong).is_err());
        assert!(explicit(&point(0, 5_000, vec![1], 0)).is_err(), "a bound beyond the largest number");
        assert!(explicit(&point(0, i32::MAX, vec![0, 1], 0)).is_err());
        assert_eq!(explicit(&point(3, 0, vec![], 0)).unwrap().1, [0, 0]);
    }
}
