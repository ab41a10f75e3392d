//! What is normal for one series, and how far a window strays from it.

use super::series::{MetricKind, WindowShape};

/// Windows stray further than this share of normal windows before it counts.
const NORMAL_SHARE: f64 = 0.98;
/// Straying below this (log ratio) never counts, however still the series lies: about 5 %.
const EFFECT_MIN: f64 = 0.05;
/// The same for a share of requests, whose every percent hurts.
const AVAILABILITY_MIN: f64 = 0.005;
/// Added before logarithms, as a share of the usual level: zeros are readings too.
const OFFSET: f64 = 0.05;
/// Fewer normal windows than this say nothing.
const WINDOWS_MIN: usize = 30;
/// Fewer rows than this fit no line.
const FIT_ROWS_MIN: usize = 50;

/// How far a window strays.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub(crate) struct Straying {
    /// Above both the usual level and the level just before: log ratio (availability: share of the usual).
    pub up: f64,
    /// `up` in units of what 98 % of normal windows stay under.
    pub up_sigma: f64,
    /// Below both.
    pub down: f64,
    /// `down` in its units.
    pub down_sigma: f64,
    /// -log10 of the share of normal windows whose mean is as high.
    pub surprise: f64,
    /// First step of the incident that is beyond 98 % of normal windows, either way.
    pub onset: Option<usize>,
}

/// Learned from the normal period.
#[derive(Clone, Debug)]
pub(crate) struct Yardstick {
    kind: MetricKind,
    /// Usual positive level; units of the series.
    level: f64,
    /// What the traffic explains: readings = intercept + slope * traffic.
    line: Option<(f64, f64)>,
    usual: f64,
    up_unit: f64,
    down_unit: f64,
    /// Means of normal windows, sorted.
    means: Vec<f64>,
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Some(if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) })
}

fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|v| v.is_finite()).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    let there = finite(values);
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

/// Least squares; none when the readings do not rise with the traffic.
fn fit(readings: &[f64], traffic: &[f64], usable: &dyn Fn(usize) -> bool) -> Option<(f64, f64)> {
    let pairs: Vec<_> = (0..readings.len())
        .filter(|row| usable(*row))
        .filter_map(|row| Some((*traffic.get(row)?, readings[row])))
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    if pairs.len() < FIT_ROWS_MIN {
        return None;
    }
    let n = pairs.len() as f64;
    let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = pairs.iter().map(|p| (p.0 - mx).powi(2)).sum();
    let together: f64 = pairs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    let slope = together / spread;
    (spread > 0.0 && slope > 0.0).then_some((my - slope * mx, slope))
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

impl Yardstick {
    /// Learns from every window of this shape whose incident steps are usable; none where there are too few readings.
    pub fn learn(
        kind: MetricKind,
        readings: &[f64],
        traffic: Option<&[f64]>,
        shape: WindowShape,
        usable: &dyn Fn(usize) -> bool,
    ) -> Option<Self> {
        let here = |keep: &dyn Fn(f64) -> bool| -> Vec<f64> {
            readings.iter().enumerate().filter(|(row, v)| usable(*row) && v.is_finite() && keep(**v)).map(|(_, v)| *v).collect()
        };
        let level = median(&mut here(&|v| v > 0.0)).unwrap_or(1.0);
        let line = traffic.filter(|_| kind.follows_traffic()).and_then(|traffic| fit(readings, traffic, usable));
        let mut learned = Self { kind, level, line, usual: 0.0, up_unit: 0.0, down_unit: 0.0, means: Vec::new() };
        let scaled = learned.scaled(readings, traffic);
        let mut usual: Vec<_> = (0..scaled.len()).filter(|row| usable(*row) && scaled[*row].is_finite()).map(|row| scaled[row]).collect();
        learned.usual = median(&mut usual)?;
        let (mut ups, mut downs) = (Vec::new(), Vec::new());
        let excess = learned.excess(readings, traffic);
        for from in 0..(readings.len() + 1).saturating_sub(shape.length()) {
            let incident = from + shape.before..from + shape.length();
            if !incident.clone().all(usable) {
                continue;
            }
            if let Some((up, down)) = learned.stray(&scaled[from..from + shape.length()], shape) {
                ups.push(up);
                downs.push(down);
            }
            learned.means.extend(mean(&excess[incident]));
        }
        if ups.len() < WINDOWS_MIN {
            return None;
        }
        let floor = if kind == MetricKind::Availability { AVAILABILITY_MIN } else { EFFECT_MIN };
        for list in [&mut ups, &mut downs, &mut learned.means] {
            list.sort_by(f64::total_cmp);
        }
        learned.up_unit = quantile(&ups, NORMAL_SHARE).max(floor);
        learned.down_unit = quantile(&downs, NORMAL_SHARE).max(floor);
        Some(learned)
    }

    /// Readings without a unit: logarithms against what is expected, or shares of the usual.
    fn scaled(&self, readings: &[f64], traffic: Option<&[f64]>) -> Vec<f64> {
        if self.kind == MetricKind::Availability {
            return readings.iter().map(|v| v / self.level).collect();
        }
        let offset = OFFSET * self.level;
        let one = |(row, v): (usize, &f64)| {
            let expected = self.expected(row, traffic).map_or(1.0, |e| e.max(0.0) + offset);
            // No traffic reading: nothing is expected, nothing is said.
            ((v.max(0.0) + offset) / expected).ln()
        };
        readings.iter().enumerate().map(|(row, v)| if v.is_nan() { f64::NAN } else { one((row, v)) }).collect()
    }

    fn expected(&self, row: usize, traffic: Option<&[f64]>) -> Option<f64> {
        let (intercept, slope) = self.line?;
        Some(intercept + slope * traffic.and_then(|t| t.get(row)).copied().unwrap_or(f64::NAN))
    }

    /// Readings beyond what the traffic explains, in the series' unit.
    fn excess(&self, readings: &[f64], traffic: Option<&[f64]>) -> Vec<f64> {
        readings.iter().enumerate().map(|(row, v)| v - self.expected(row, traffic).unwrap_or(0.0)).collect()
    }

    /// Peak and trough of the mean of two steps, against the harsher of the usual level and the level just before.
    fn stray(&self, scaled: &[f64], shape: WindowShape) -> Option<(f64, f64)> {
        let (before, during) = scaled.split_at(shape.before.min(scaled.len()));
        let during = finite(during);
        if during.is_empty() {
            return None;
        }
        let just_before = median(&mut finite(before)).unwrap_or(self.usual);
        let pairs: Vec<f64> =
            if during.len() == 1 { during } else { during.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect() };
        let peak = pairs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let trough = pairs.iter().copied().fold(f64::INFINITY, f64::min);
        Some(((peak - self.usual.max(just_before)).max(0.0), (self.usual.min(just_before) - trough).max(0.0)))
    }

    /// How far this window strays; none when it has no reading in the incident.
    pub fn measure(&self, readings: &[f64], traffic: Option<&[f64]>, shape: WindowShape) -> Option<Straying> {
        let scaled = self.scaled(readings, traffic);
        let (up, down) = self.stray(&scaled, shape)?;
        let during = shape.before.min(scaled.len());
        let level = mean(&self.excess(readings, traffic)[during..]);
        let as_high = level.map_or(self.means.len(), |level| self.means.len() - self.means.partition_point(|m| *m < level));
        let surprise = -((as_high + 1) as f64 / (self.means.len() + 1) as f64).log10();
        let onset = scaled[during..].iter().position(|v| v - self.usual >= self.up_unit || self.usual - v >= self.down_unit);
        Some(Straying { up, up_sigma: up / self.up_unit, down, down_sigma: down / self.down_unit, surprise, onset })
    }
}
