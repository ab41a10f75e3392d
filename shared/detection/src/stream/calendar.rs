//! What of a series the time of the day and the day of the week explain.
//!
//! A profile of 24 hours and one of 7 days hold mean deviations from the series' own mean. A slot teaches when it is over, so that a
//! profile is always judged on times it has not seen; it is used only as far as it made the series more predictable.

use super::scale::Scale;
use picket_core::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Least weight of the newest occurrence of an hour, and of a day of the week.
const HOUR_WEIGHT: f64 = 0.1;
const DAY_WEIGHT: f64 = 0.25;
/// A profile that takes away a third of the mean deviation is believed fully.
const BELIEF: f64 = 3.0;
/// Below this a deviation is none: divisions stay finite.
const TINY: f64 = 1e-300;

/// Means per slot of a cycle.
#[derive(Clone, Debug)]
struct Profile<const N: usize> {
    slots: [f64; N],
    seen: [u32; N],
    length_ms: i64,
    least: f64,
    open: Option<i64>,
    sum: f64,
    count: u32,
}

impl<const N: usize> Profile<N> {
    const fn new(length_ms: i64, least: f64) -> Self {
        Self { slots: [0.0; N], seen: [0; N], length_ms, least, open: None, sum: 0.0, count: 0 }
    }

    /// Closes the slot that was open, when `at` lies in another one.
    fn turn(&mut self, at: Timestamp) {
        let now = at.0.div_euclid(self.length_ms);
        if let Some(open) = self.open.replace(now).filter(|open| *open != now && self.count > 0) {
            let slot = open.rem_euclid(N as i64) as usize;
            self.seen[slot] = self.seen[slot].saturating_add(1);
            let weight = (1.0 / f64::from(self.seen[slot])).max(self.least);
            self.slots[slot] += weight * (self.sum / f64::from(self.count) - self.slots[slot]);
            (self.sum, self.count) = (0.0, 0);
        }
    }

    fn note(&mut self, deviation: f64) {
        self.sum += deviation;
        self.count = self.count.saturating_add(1);
    }

    /// The mean of the slot that `at` lies in.
    fn step(&self, at: Timestamp) -> f64 {
        self.slots[at.0.div_euclid(self.length_ms).rem_euclid(N as i64) as usize]
    }

    /// The line between the middles of the two slots around `at`.
    fn line(&self, at: Timestamp) -> f64 {
        let early = at.0.saturating_sub(self.length_ms / 2);
        let (slot, into) = (early.div_euclid(self.length_ms), early.rem_euclid(self.length_ms) as f64 / self.length_ms as f64);
        let (from, to) = (slot.rem_euclid(N as i64) as usize, (slot + 1).rem_euclid(N as i64) as usize);
        self.slots[from] + into * (self.slots[to] - self.slots[from])
    }
}

/// The calendar of one series.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    scale: Scale,
    hours: Profile<24>,
    days: Profile<7>,
    /// Mean absolute deviation left by the mean alone, by the hours, by hours and days.
    left: [f64; 3],
}

fn belief(without: f64, with: f64) -> f64 {
    ((1.0 - with / without.max(TINY)) * BELIEF).clamp(0.0, 1.0)
}

impl Calendar {
    pub fn new(scale: Scale) -> Self {
        Self { scale, hours: Profile::new(HOUR_MS, HOUR_WEIGHT), days: Profile::new(DAY_MS, DAY_WEIGHT), left: [0.0; 3] }
    }

    /// Takes a value: its deviation from what is usual at this time, in the series' unit.
    pub fn residual(&mut self, at: Timestamp, value: f64) -> f64 {
        self.hours.turn(at);
        self.days.turn(at);
        let (hour, day) = (self.hours.line(at), self.days.step(at));
        let hours = belief(self.left[0], self.left[1]);
        let days = belief(self.left[0].min(self.left[1]), self.left[2]);
        let residual = value - self.scale.mean() - hours * hour - days * day;

        let (taught, weight) = (self.scale.residual(value), self.scale.weight());
        let base = if self.left[1] < self.left[0] { taught - hour } else { taught };
        for (left, deviation) in self.left.iter_mut().zip([taught, taught - hour, base - day]) {
            *left += weight * (deviation.abs() - *left);
        }
        self.hours.note(taught - days * day);
        self.days.note(taught - hour);
        self.scale.learn(value);
        residual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residuals(days: i64, value: impl Fn(i64) -> f64) -> Vec<f64> {
        let mut calendar = Calendar::new(Scale::new(8.0, 20_000.0));
        (0..days * 96).map(|i| i * 900_000).map(|ms| calendar.residual(Timestamp(ms), value(ms))).collect()
    }

    fn mean_size(values: &[f64]) -> f64 {
        values.iter().map(|v| v.abs()).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn a_daily_swing_is_learned() {
        let swing = |ms: i64| (ms as f64 / DAY_MS as f64 * std::f64::consts::TAU).sin() * 10.0;
        let left = residuals(10, swing);
        assert!(mean_size(&left[..96]) > 4.0);
        assert!(mean_size(&left[5 * 96..]) < 1.0, "{}", mean_size(&left[5 * 96..]));
    }

    #[test]
    fn quiet_week_ends_are_learned() {
        let week = |ms: i64| if ms.div_euclid(DAY_MS).rem_euclid(7) >= 5 { 0.0 } else { 10.0 };
        let left = residuals(8 * 7, week);
        assert!(mean_size(&left[..7 * 96]) > 2.0);
        assert!(mean_size(&left[6 * 7 * 96..]) < 1.0, "{}", mean_size(&left[6 * 7 * 96..]));
    }

    #[test]
    fn noise_teaches_no_season() {
        let noise = |ms: i64| f64::from(((ms / 900_000) as u32).wrapping_mul(2_654_435_761) >> 8);
        let mut plain = Scale::new(8.0, 20_000.0);
        let mut left = Vec::new();
        for i in 0..20 * 96 {
            left.push(noise(i * 900_000) - plain.mean());
            plain.learn(noise(i * 900_000));
        }
        let seasonal = residuals(20, noise);
        assert!(mean_size(&seasonal) < 1.1 * mean_size(&left), "{} against {}", mean_size(&seasonal), mean_size(&left));
    }
}
