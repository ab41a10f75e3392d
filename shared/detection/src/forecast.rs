//! When a bound will be reached: a robust line through recent points.
//!
//! Slope: the median of all pairwise slopes (H. Theil, 1950; P. K. Sen, "Estimates of the regression coefficient based on Kendall's
//! tau", JASA 63, 1968), which bears 29 % of wild points; its lower confidence bound is Sen's, by rank.

use crate::baseline::{MAD_TO_SIGMA, median};
use picket_core::time::Timestamp;
use std::collections::VecDeque;

/// Points that a line needs.
const POINTS_MIN: usize = 6;
/// Points looked at, spread evenly over what is given (pairs grow with the square).
const POINTS_MAX: usize = 48;
/// Normal quantile of the slope's one-sided bound (90 %). Callers ask for a least change besides, so it may be quick to speak.
const Z: f64 = 1.28;
/// The lengths of the past looked at, in points: the short one sees a fast change soon, the long one a slow change at all.
const PASTS: [usize; 3] = [6, 24, 96];

/// Deviations of single points that a change must exceed (the ends of a line through six are known to about 1.4 of them).
const DEPTH_SIGMA: f64 = 6.0;

/// A change goes on while it keeps this share of its pace over so many points.
const PACE: f64 = 0.33;
const STRETCH: usize = 6;

/// A line's slope, per second.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Slope {
    /// The most likely.
    pub per_s: f64,
    /// With 90 % at least this.
    pub low_per_s: f64,
    /// With 90 % at most this.
    pub high_per_s: f64,
}

/// The slope of some points; `None` when there are too few, or all at one time.
#[must_use]
pub fn slope(points: impl ExactSizeIterator<Item = (Timestamp, f64)>) -> Option<Slope> {
    let len = points.len();
    let stride = len.div_ceil(POINTS_MAX).max(1);
    // Counted from the newest, so that the newest is always in it.
    let points: Vec<_> =
        points.enumerate().filter(|(i, p)| (len - 1 - i).is_multiple_of(stride) && p.1.is_finite()).map(|(_, p)| p).collect();
    if points.len() < POINTS_MIN {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            let dt_ms = b.0.since_ms(a.0);
            if dt_ms > 0 {
                slopes.push((b.1 - a.1) / (dt_ms as f64 / 1000.0));
            }
        }
    }
    let per_s = median(&mut slopes)?;
    let n = points.len() as f64;
    let spread = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let pairs = slopes.len() as f64;
    let low = (((pairs - spread) / 2.0).floor().max(0.0)) as usize;
    let high = (((pairs + spread) / 2.0).ceil()).min(pairs - 1.0) as usize;
    Some(Slope { per_s, low_per_s: slopes[low], high_per_s: slopes[high] })
}

/// A change that is sure.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Trend {
    /// How fast, per second; positive.
    pub per_s: f64,
    /// Since when without a rest.
    pub since: Timestamp,
}

/// The steepest fall of recent points that is sure and at least `least` deep over the points it is seen in.
#[must_use]
pub fn sure_fall(points: &VecDeque<(Timestamp, f64)>, least: f64) -> Option<Trend> {
    let noise = noise(points);
    let fall = |past: usize| {
        let recent = points.range(points.len().saturating_sub(past)..);
        let first = recent.clone().next()?.0;
        let span_s = points.back()?.0.since_ms(first) as f64 / 1000.0;
        let slope = slope(recent.copied())?;
        let depth = -slope.per_s * span_s;
        (slope.high_per_s < 0.0 && depth >= least && depth >= DEPTH_SIGMA * noise).then_some(-slope.per_s)
    };
    let per_s = PASTS.into_iter().filter_map(fall).reduce(f64::max)?;
    Some(Trend { per_s, since: since(points, per_s).or(points.back().map(|p| p.0))? })
}

/// Back from the newest point: the first from which on the points fell at the line's pace, without a rest.
fn since(points: &VecDeque<(Timestamp, f64)>, per_s: f64) -> Option<Timestamp> {
    let falls = |i: &usize| {
        let ((then, before), (at, value)) = (points[i - STRETCH], points[*i]);
        before - value >= PACE * per_s * at.since_ms(then) as f64 / 1_000.0
    };
    let first = (STRETCH..points.len()).rev().take_while(falls).last()?;
    Some(points[first].0)
}

/// Deviation of single points, from the steps between neighbours: a steady slope adds nothing to it, nor does the start of one.
fn noise(points: &VecDeque<(Timestamp, f64)>) -> f64 {
    let recent = points.range(points.len().saturating_sub(PASTS[2])..);
    let mut steps: Vec<f64> = recent.clone().zip(recent.skip(1)).map(|(a, b)| b.1 - a.1).collect();
    let Some(centre) = median(&mut steps) else { return 0.0 };
    steps.iter_mut().for_each(|s| *s = (*s - centre).abs());
    let widen = 1.0 + 4.0 / steps.len() as f64;
    MAD_TO_SIGMA * median(&mut steps).unwrap_or(0.0) / std::f64::consts::SQRT_2 * widen
}

/// As [`sure_fall`], upwards.
#[must_use]
pub fn sure_rise(points: &VecDeque<(Timestamp, f64)>, least: f64) -> Option<Trend> {
    let turned = points.range(points.len().saturating_sub(PASTS[2])..).map(|(at, v)| (*at, -v)).collect();
    sure_fall(&turned, least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: i64, f: impl Fn(i64) -> f64) -> Vec<(Timestamp, f64)> {
        (0..n).map(|i| (Timestamp(i * 5_000), f(i))).collect()
    }

    #[test]
    fn a_line_with_wild_points_keeps_its_slope() {
        let points = line(40, |i| if i % 7 == 3 { 1e9 } else { 100.0 - 10.0 * i as f64 });
        let slope = slope(points.into_iter()).unwrap();
        assert!((slope.per_s + 2.0).abs() < 0.01, "{slope:?}");
        assert!(slope.high_per_s < 0.0);
    }

    #[test]
    fn noise_has_no_sure_slope() {
        let points = line(40, |i| ((i * 7919) % 13) as f64);
        let slope = slope(points.into_iter()).unwrap();
        assert!(slope.low_per_s <= 0.0 && slope.high_per_s >= 0.0, "{slope:?}");
    }

    #[test]
    fn a_fall_is_seen_within_a_few_points_of_its_start() {
        let points: VecDeque<_> = line(60, |i| if i < 56 { 1_000.0 } else { 1_000.0 - 10.0 * (i - 55) as f64 }).into();
        let fall = sure_fall(&points, 10.0).unwrap();
        assert!(fall.per_s > 1.0 && (54..=57).contains(&(fall.since.0 / 5_000)), "{fall:?}");
        let noisy: VecDeque<_> = line(60, |i| 1_000.0 + ((i * 7919) % 5) as f64).into();
        assert_eq!(sure_fall(&noisy, 10.0), None);
        assert_eq!(sure_rise(&points, 10.0), None);
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(slope(line(5, |i| i as f64).into_iter()), None);
        assert_eq!(slope(line(20, |_| f64::NAN).into_iter()), None);
    }
}
