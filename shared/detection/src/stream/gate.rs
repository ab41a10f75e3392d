//! From novelty to alerts: what is suppressed matters more than how novelty is measured.

use super::profile::{StreamProfile, WINDOW_MAX};
use super::sliding::SlidingMax;

/// Lets a novelty through when it is above the bar and the recent maximum, and no alert was just raised.
#[derive(Clone, Debug)]
pub(crate) struct AlertGate {
    bar: f64,
    fatigue: f64,
    keep: f64,
    refractory: u64,
    recent: SlidingMax,
    recent_alerts: f64,
    silent_for: Option<u64>,
}

impl AlertGate {
    pub fn new(profile: &StreamProfile) -> Self {
        Self {
            bar: profile.bar.max(f64::MIN_POSITIVE),
            fatigue: profile.fatigue.max(0.0),
            keep: (-1.0 / profile.fatigue_memory.max(1.0)).exp(),
            refractory: profile.refractory as u64,
            recent: SlidingMax::new(profile.recent.clamp(1, WINDOW_MAX)),
            recent_alerts: 0.0,
            silent_for: None,
        }
    }

    /// The bar that the next novelty has to pass.
    pub fn bar(&self) -> f64 {
        self.bar * (1.0 + self.fatigue * self.recent_alerts)
    }

    /// Bytes beside the gate itself.
    pub fn heap(&self) -> usize {
        self.recent.heap()
    }

    /// Takes one novelty: how many times the bar it is, when it is an alert.
    pub fn step(&mut self, novelty: f64) -> Option<f64> {
        self.recent_alerts *= self.keep;
        self.silent_for = self.silent_for.map(|n| n + 1);
        let record = self.recent.max().is_none_or(|max| novelty > max);
        if novelty > 0.0 {
            self.recent.push(novelty);
        } else {
            self.recent.pass();
        }
        let rested = self.silent_for.is_none_or(|n| n >= self.refractory);
        let times = novelty / self.bar();
        let alert = record && rested && times > 1.0;
        if alert {
            self.recent_alerts += 1.0;
            self.silent_for = Some(0);
        }
        alert.then_some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> AlertGate {
        AlertGate::new(&StreamProfile {
            bar: 1.0,
            fatigue: 0.5,
            fatigue_memory: 50.0,
            refractory: 10,
            recent: 20,
            ..StreamProfile::default()
        })
    }

    #[test]
    fn an_episode_alerts_once_and_a_larger_one_after_a_rest_again() {
        let mut gate = gate();
        assert_eq!(gate.step(2.0), Some(2.0));
        assert!((0..9).all(|i| gate.step(3.0 + f64::from(i)).is_none()), "refractory");
        assert!(gate.step(10.0).is_none(), "not above the recent maximum");
        assert!(gate.step(50.0).is_some());
    }

    #[test]
    fn alerts_raise_the_bar_and_rest_lowers_it() {
        let mut gate = gate();
        let rested = gate.bar();
        gate.step(2.0);
        let tired = gate.bar();
        assert!(tired > 1.4 * rested);
        (0..500).for_each(|_| assert!(gate.step(0.0).is_none()));
        assert!(gate.bar() < 1.01 * rested);
        assert!(gate.step(1.0).is_none(), "at the bar is not above it");
        assert!(gate.step(1.1).is_some());
    }
}
