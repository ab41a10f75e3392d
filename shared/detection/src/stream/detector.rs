//! The ensemble: three views of one series, the largest novelty, the gate.

use super::calendar::Calendar;
use super::cover::Cover;
use super::gate::AlertGate;
use super::profile::{StreamProfile, WINDOW_MAX};
use super::scale::Scale;
use super::sliding::SlidingMax;
use picket_core::time::Timestamp;

/// Beyond this many mean absolute deviations a value is as far away as can be: the levels have to find back from it.
const REACH: f64 = 1e4;
/// Of a series that has no deviation yet: what arithmetic bears.
const VALUE_MAX: f64 = 1e150;

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
    fn new(constant: f64) -> Self {
        Self { weight: 1.0 / constant.max(1.0), mean: 0.0 }
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
    scale: Scale,
    levels: Levels,
    /// What a profile leaves out costs a pointer.
    envelope: Option<Box<Envelope>>,
    seasonal: Option<Box<Seasonal>>,
}

impl Members {
    fn new(profile: &StreamProfile) -> Self {
        let scale = Scale::new(profile.clip, profile.memory);
        let (fast, slow) = (Level::new(profile.fast), Level::new(profile.slow));
        let envelope = (profile.envelope > 0 && profile.envelope_weight > 0.0).then(|| {
            Box::new(Envelope {
                highest: SlidingMax::new(profile.envelope.min(WINDOW_MAX)),
                lowest: SlidingMax::new(profile.envelope.min(WINDOW_MAX)),
                weight: profile.envelope_weight,
                // What counts less is told apart less finely.
                visited: Cover::new(&scale, profile.centres, profile.radius / profile.envelope_weight),
            })
        });
        let seasonal = profile.calendar.then(|| {
            Box::new(Seasonal {
                calendar: Calendar::new(scale.clone()),
                level: fast,
                visited: Cover::new(&scale, profile.centres, profile.radius),
            })
        });
        let levels = Levels { fast, slow, visited: Cover::new(&scale, profile.centres, profile.radius) };
        Self { scale, levels, envelope, seasonal }
    }

    fn novelty(&mut self, at: Timestamp, value: f64) -> f64 {
        self.scale.learn(value);
        let (mean, reach) = (self.scale.mean(), REACH * self.scale.deviation());
        let value = if reach > 0.0 { value.clamp(mean - reach, mean + reach) } else { value };
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
    members: Members,
    gate: AlertGate,
    warm_up: u64,
    seen: u64,
    /// Values are taken relative to the first one: a large offset must not cost precision.
    origin: Option<f64>,
}

impl StreamDetector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(profile: &StreamProfile) -> Self {
        Self { members: Members::new(profile), gate: AlertGate::new(profile), warm_up: profile.warm_up, seen: 0, origin: None }
    }

    /// Takes an observation. `at` says the hour and the day only; a value that is no finite number is passed over with a score of 0.
    pub fn observe(&mut self, at: Timestamp, value: f64) -> StreamScore {
        if !value.is_finite() {
            return StreamScore::default();
        }
        let origin = *self.origin.get_or_insert(value);
        let novelty = self.members.novelty(at, (value - origin).clamp(-VALUE_MAX, VALUE_MAX));
        self.seen += 1;
        if self.seen <= self.warm_up {
            return StreamScore::default();
        }
        let score = self.gate.step(novelty).map_or(0.0, graded);
        StreamScore { novelty, score }
    }

    /// What is usual: the winsorised mean. `None` before the first observation.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.origin.map(|origin| origin + self.members.scale.mean())
    }

    /// Memory that it holds at present, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Members { levels, envelope, seasonal, .. } = &self.members;
        let envelope = envelope.as_deref().map_or(0, |e| size_of_val(e) + e.visited.heap() + e.highest.heap() + e.lowest.heap());
        let seasonal = seasonal.as_deref().map_or(0, |s| size_of_val(s) + s.visited.heap());
        size_of_val(self) + levels.visited.heap() + envelope + seasonal + self.gate.heap()
    }
}
