//! The ensemble: three views of one series, the largest novelty, the gate.

use super::calendar::Calendar;
use super::cover::Cover;
use super::gate::AlertGate;
use super::profile::{StreamProfile, WINDOW_MAX};
use super::scale::Scale;
use super::sliding::SlidingMax;
use picket_core::time::Timestamp;

/// What one observation amounts to.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct StreamScore {
    /// How far the series is where it never was, in its mean absolute deviations; not suppressed.
    pub novelty: f64,
    /// 0..1: 0 unless this is an alert; then 1/2, 2/3, 4/5, 8/9 and so on for a novelty of once, twice, four times, eight times the
    /// bar and so on. Finer than that, more novelty does not mean more likely trouble.
    pub score: f64,
}

impl StreamScore {
    /// True when somebody should be told.
    #[must_use]
    pub const fn is_alert(&self) -> bool {
        self.score > 0.0
    }
}

/// An exponentially weighted mean over observations.
#[derive(Copy, Clone, Debug)]
struct Level {
    weight: f64,
    mean: f64,
}

impl Level {
    fn starting(constant: f64, value: f64) -> Self {
        Self { weight: 1.0 / constant.max(1.0), mean: value }
    }

    fn learn(&mut self, value: f64) -> f64 {
        self.mean += self.weight * (value - self.mean);
        self.mean
    }
}

#[derive(Clone, Debug)]
struct Levels {
    fast: Level,
    slow: Level,
    visited: Cover<2>,
}

#[derive(Clone, Debug)]
struct Envelope {
    highest: SlidingMax,
    /// The largest of the negated values is the smallest, negated.
    lowest: SlidingMax,
    weight: f64,
    visited: Cover<2>,
}

#[derive(Clone, Debug)]
struct Seasonal {
    calendar: Calendar,
    level: Level,
    visited: Cover<1>,
}

#[derive(Clone, Debug)]
struct Members {
    /// Values are taken relative to the first one: a large offset must not cost precision.
    origin: f64,
    levels: Levels,
    envelope: Option<Envelope>,
    seasonal: Option<Seasonal>,
}

impl Members {
    fn starting(profile: &StreamProfile, origin: f64) -> Self {
        let scale = Scale::new(profile.clip, profile.memory);
        let (fast, slow) = (Level::starting(profile.fast, 0.0), Level::starting(profile.slow, 0.0));
        let envelope = (profile.envelope > 0 && profile.envelope_weight > 0.0).then(|| Envelope {
            highest: SlidingMax::new(profile.envelope.min(WINDOW_MAX)),
            lowest: SlidingMax::new(profile.envelope.min(WINDOW_MAX)),
            weight: profile.envelope_weight,
            // What counts less is told apart less finely.
            visited: Cover::new(&scale, profile.centres, profile.radius / profile.envelope_weight),
        });
        let seasonal = profile.calendar.then(|| Seasonal {
            calendar: Calendar::new(scale.clone()),
            level: fast,
            visited: Cover::new(&scale, profile.centres, profile.radius),
        });
        let levels = Levels { fast, slow, visited: Cover::new(&scale, profile.centres, profile.radius) };
        Self { origin, levels, envelope, seasonal }
    }

    fn novelty(&mut self, at: Timestamp, value: f64) -> f64 {
        let value = value - self.origin;
        let place = [self.levels.fast.learn(value), self.levels.slow.learn(value)];
        let mut novelty = self.levels.visited.visit(place);
        if let Some(envelope) = &mut self.envelope {
            let place = [envelope.highest.push(value), -envelope.lowest.push(-value)];
            novelty = novelty.max(envelope.weight * envelope.visited.visit(place));
        }
        if let Some(seasonal) = &mut self.seasonal {
            let residual = seasonal.calendar.residual(at, value);
            novelty = novelty.max(seasonal.visited.visit([seasonal.level.learn(residual)]));
        }
        novelty
    }
}

/// The score of an alert whose novelty is so many times the bar.
fn graded(times: f64) -> f64 {
    let step = times.max(1.0).log2().floor().exp2();
    step / (1.0 + step)
}

/// Scores the observations of one series, in the order in which they come. Bounded memory; no clock, no randomness.
#[derive(Clone, Debug)]
pub struct StreamDetector {
    profile: StreamProfile,
    members: Option<Box<Members>>,
    gate: AlertGate,
    seen: u64,
}

impl StreamDetector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(profile: StreamProfile) -> Self {
        let gate = AlertGate::new(&profile);
        Self { profile, members: None, gate, seen: 0 }
    }

    /// Takes an observation. `at` says the hour and the day only; a value that is no finite number is passed over with a score of 0.
    pub fn observe(&mut self, at: Timestamp, value: f64) -> StreamScore {
        if !value.is_finite() {
            return StreamScore::default();
        }
        let members = self.members.get_or_insert_with(|| Box::new(Members::starting(&self.profile, value)));
        let novelty = members.novelty(at, value);
        self.seen += 1;
        if self.seen <= self.profile.warm_up {
            return StreamScore::default();
        }
        let score = self.gate.step(novelty).map_or(0.0, graded);
        StreamScore { novelty, score }
    }
}
