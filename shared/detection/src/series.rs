//! One series: its history, its baseline, and when a value of it is a breach.

use crate::baseline::Baseline;
use crate::seasonal::Season;
use crate::settings::DetectionSettings;
use crate::suppress::Gate;
use picket_core::anomaly::{Direction, Symptom};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a series measures: its scale, its least deviation, and how large a change must be to matter to a person.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// 95th percentile, ms. Judged by its logarithm: latencies are skewed.
    LatencyMs,
    /// Requests per second. By its logarithm.
    RequestRate,
    /// Failed of all, 0..1.
    ErrorRatio,
    /// CPU used of the limit.
    CpuFraction,
    /// Working set of the limit.
    MemoryFraction,
    /// Error records per window.
    ErrorLogs,
}

/// Keeps the logarithm of a rate of nothing finite, in requests per second.
const RATE_OFFSET: f64 = 0.1;
/// The share of requests that must fail beyond the usual one to matter. A queue that is full for a moment sheds about as much.
const ERRORS_MATTER: f64 = 0.02;

impl Measure {
    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::LatencyMs => value.max(0.01).ln(),
            Self::RequestRate => (value.max(0.0) + RATE_OFFSET).ln(),
            _ => value,
        }
    }

    fn unscaled(self, value: f64) -> f64 {
        match self {
            Self::LatencyMs => value.exp(),
            Self::RequestRate => (value.exp() - RATE_OFFSET).max(0.0),
            _ => value,
        }
    }

    /// The least standard deviation, in scaled units: what few points cannot show, and the noise of sampling `samples` requests.
    fn floor(self, expected: f64, samples: f64) -> f64 {
        let n = samples.max(1.0);
        match self {
            // A p95 of n skewed values wavers by about 1/sqrt(n) in its logarithm.
            Self::LatencyMs => 0.12_f64.max(1.0 / n.sqrt()),
            Self::RequestRate => 0.10_f64.max(1.0 / n.sqrt()),
            Self::ErrorRatio => {
                // Half a failure is added: none seen so far does not mean none ever.
                let p = ((expected * n + 0.5) / (n + 1.0)).clamp(0.0, 1.0);
                0.004_f64.max((p * (1.0 - p) / n).sqrt())
            }
            Self::CpuFraction => 0.05,
            Self::MemoryFraction => 0.03,
            Self::ErrorLogs => expected.max(1.0).sqrt(),
        }
    }

    /// Whether the change is large enough to matter, in the series' own unit.
    fn matters(self, value: f64, usual: f64, samples: f64) -> bool {
        let up = value > usual;
        match self {
            Self::LatencyMs => up && value > usual * 1.5 && value > usual + 20.0,
            Self::RequestRate if up => value > usual * 1.5 && value > usual + 1.0,
            Self::RequestRate => value < usual * 0.5 && usual > 1.0,
            Self::ErrorRatio => up && value > usual + ERRORS_MATTER && value * samples >= 2.5,
            Self::CpuFraction if up => value > usual * 1.5 && value > usual + 0.2,
            Self::CpuFraction => value < usual * 0.4 && usual > 0.1,
            Self::MemoryFraction => up && value > usual * 1.25 && value > usual + 0.15 && value > 0.6,
            Self::ErrorLogs => up && value > usual * 3.0 && value >= usual + 5.0,
        }
    }

    /// Whether the change only just matters: it must last twice as long before it is told.
    fn is_slight(self, value: f64, usual: f64) -> bool {
        matches!(self, Self::ErrorRatio) && value < usual + 2.0 * ERRORS_MATTER
    }

    const fn is_load(self) -> bool {
        matches!(self, Self::RequestRate | Self::CpuFraction)
    }
}

/// A series as the dashboard and the monitor see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesView {
    /// Metric name and what sets it apart.
    pub name: String,
    /// What a rise of it means.
    pub symptom: Symptom,
    /// History, oldest first.
    pub points: Vec<(Timestamp, f64)>,
    /// What is usual; `None` before the first point.
    pub expected: Option<f64>,
    /// The standard deviation, in the series' unit; `None` while the baseline is cold.
    pub sigma: Option<f64>,
}

/// A breach that has been confirmed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Confirmed {
    pub symptom: Symptom,
    pub direction: Direction,
    pub score: f64,
    pub value: f64,
    pub expected: f64,
    pub onset: Timestamp,
    pub last_seen: Timestamp,
}

/// The state of one series.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub name: String,
    /// The callee, for series about calls to one.
    pub peer: Option<String>,
    measure: Measure,
    up: Symptom,
    down: Option<Symptom>,
    baseline: Baseline,
    season: Option<Season>,
    gate: Gate,
    breach: Option<(Direction, f64, f64, f64)>,
    history: VecDeque<(Timestamp, f64)>,
    samples: f64,
}

impl Series {
    pub fn new(
        name: String,
        measure: Measure,
        up: Symptom,
        down: Option<Symptom>,
        peer: Option<&str>,
        settings: &DetectionSettings,
    ) -> Self {
        Self {
            name,
            peer: peer.map(str::to_owned),
            measure,
            up,
            down,
            baseline: Baseline::new(settings.tau_ms(), settings.warmup_points, settings.warmup_ms),
            season: measure.is_load().then(|| Season::new(settings.season_ms)),
            gate: Gate::default(),
            breach: None,
            history: VecDeque::new(),
            samples: 1.0,
        }
    }

    /// Takes one window's value, made of `samples` observations.
    pub fn observe(&mut self, at: Timestamp, value: f64, samples: f64, settings: &DetectionSettings) {
        if !value.is_finite() || self.history.back().is_some_and(|(last, _)| at <= *last) {
            return;
        }
        self.samples = samples;
        if self.history.len() >= settings.history_max.max(1) {
            self.history.pop_front();
        }
        self.history.push_back((at, value));

        let scaled = self.measure.scaled(value);
        let centre = self.baseline.expected().unwrap_or(scaled);
        let floor = self.measure.floor(self.usual(), samples);
        let breach = self.judge(at, value, scaled, settings);
        let strong = breach.is_some_and(|(_, score, ..)| score >= 2.0 * settings.threshold_sigma);
        let needed = match breach {
            Some((_, _, value, usual)) if self.measure.is_slight(value, usual) => 2 * settings.persistence,
            _ if strong => settings.persistence.min(2),
            _ => settings.persistence,
        };
        self.gate.step(breach.is_some(), at, needed);
        if breach.is_some() || !self.gate.is_active() {
            self.breach = breach;
        }
        if let Some(season) = self.season.as_mut().filter(|_| self.baseline.is_warm()) {
            let deviation = scaled - centre;
            season.note(at, deviation, deviation.abs() > 2.0 * self.baseline.sigma(floor));
        }
        // While it is out of line it must not teach, or the fault becomes the norm; after long enough it is the new norm.
        let accepted = self.gate.is_active() && at.since_ms(self.gate.onset()) > settings.accept_after_ms;
        if !self.gate.is_suspect() || accepted {
            self.baseline.learn(at, scaled, floor);
        }
    }

    fn judge(&self, at: Timestamp, value: f64, scaled: f64, settings: &DetectionSettings) -> Option<(Direction, f64, f64, f64)> {
        if !self.baseline.is_warm() {
            return None;
        }
        let centre = self.baseline.expected()?;
        let usual = self.measure.unscaled(centre);
        let deviation = scaled - centre;
        let direction = if deviation > 0.0 { Direction::Up } else { Direction::Down };
        if direction == Direction::Down && self.down.is_none() {
            return None;
        }
        let score = deviation.abs() / self.baseline.sigma(self.measure.floor(usual, self.samples));
        let out = score >= settings.threshold_sigma && self.measure.matters(value, usual, self.samples);
        let excused = out && self.season.as_ref().is_some_and(|s| s.excuses(at, deviation));
        (out && !excused).then_some((direction, score, value, usual))
    }

    /// The breach, once confirmed and as long as it lasts.
    pub fn confirmed(&self) -> Option<Confirmed> {
        let (direction, score, value, expected) = self.breach.filter(|_| self.gate.is_active())?;
        let symptom = match direction {
            Direction::Up => self.up,
            Direction::Down => self.down?,
        };
        Some(Confirmed { symptom, direction, score, value, expected, onset: self.gate.onset(), last_seen: self.gate.last_seen() })
    }

    pub fn is_suspect(&self) -> bool {
        self.gate.is_suspect()
    }

    /// What is usual, in the series' unit.
    pub fn usual(&self) -> f64 {
        self.baseline.expected().map_or(0.0, |e| self.measure.unscaled(e))
    }

    pub fn usual_if_known(&self) -> Option<f64> {
        self.baseline.expected().map(|e| self.measure.unscaled(e))
    }

    pub fn latest(&self) -> Option<(Timestamp, f64)> {
        self.history.back().copied()
    }

    pub fn history(&self) -> &VecDeque<(Timestamp, f64)> {
        &self.history
    }

    pub fn view(&self) -> SeriesView {
        let usual = self.usual();
        let sigma = self.baseline.is_warm().then(|| {
            let sigma = self.baseline.sigma(self.measure.floor(usual, self.samples));
            match self.measure {
                // First order: the deviation of a logarithm is relative.
                Measure::LatencyMs => usual * sigma,
                Measure::RequestRate => (usual + RATE_OFFSET) * sigma,
                _ => sigma,
            }
        });
        SeriesView {
            name: self.name.clone(),
            symptom: self.up,
            points: self.history.iter().copied().collect(),
            expected: self.usual_if_known(),
            sigma,
        }
    }
}
