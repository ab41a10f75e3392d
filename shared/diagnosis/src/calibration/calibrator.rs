//! The calibrator: fitted once, applied to every stated confidence, kept as a snapshot.

use super::platt::Curve;
use super::{isotonic, platt, shift};
use picket_core::calibration::Judged;
use serde::{Deserialize, Serialize};

/// From so many judged incidents on Platt's curve is fitted; below, one shift.
pub const PLATT_MIN: usize = 30;
/// From so many on isotonic regression (Niculescu-Mizil and Caruana 2005).
pub const ISOTONIC_MIN: usize = 1000;
/// With fewer than this of right or wrong ones there is no curve to be seen, however many there are of the other.
pub const RARER_MIN: usize = 5;

/// How a calibrator was fitted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing was judged: what is stated stands.
    Identity,
    /// One shift of the log-odds under a prior.
    Shift,
    /// Platt's curve.
    Platt,
    /// Isotonic regression.
    Isotonic,
}

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calibration snapshot is unsound: {0}")]
pub struct Unsound(&'static str);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
enum Map {
    Identity,
    Shift { shift: f64 },
    Platt { slope: f64, offset: f64 },
    Isotonic { corners: Vec<(f64, f64)> },
}

/// What is stored: the map, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Snapshot {
    map: Map,
    judged: usize,
    lowest: f64,
    highest: f64,
}

/// Maps stated to calibrated confidence; never falls, 0..1 to 0..1.
///
/// Only what was stated is judged, mostly above the threshold for naming a cause. Outside the stated range a fit is a guess, so there it may
/// lower a confidence and not raise it: no candidate comes over a threshold because others, surer ones, were right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct Calibrator(Snapshot);

impl Default for Calibrator {
    fn default() -> Self {
        Self(Snapshot { map: Map::Identity, judged: 0, lowest: 0.0, highest: 1.0 })
    }
}

impl Calibrator {
    /// Fits to what was judged, by the method that so many allow.
    #[must_use]
    pub fn fit(judged: &[Judged]) -> Self {
        let right = judged.iter().filter(|j| j.right).count();
        let rarer = right.min(judged.len() - right);
        let map = match judged.len() {
            0 => return Self::default(),
            n if n < PLATT_MIN || rarer < RARER_MIN => Map::Shift { shift: shift::fit(judged) },
            n if n < ISOTONIC_MIN => {
                let Curve { slope, offset } = platt::fit(judged);
                Map::Platt { slope, offset }
            }
            _ => Map::Isotonic { corners: isotonic::fit(judged) },
        };
        let bound = |pick: fn(f64, f64) -> f64, start: f64| judged.iter().map(Judged::stated).fold(start, pick);
        Self(Snapshot { map, judged: judged.len(), lowest: bound(f64::min, 1.0), highest: bound(f64::max, 0.0) })
    }

    /// The calibrated confidence, 0..1. What is no number is no confidence.
    #[must_use]
    pub fn apply(&self, stated: f64) -> f64 {
        if stated.is_nan() {
            return 0.0;
        }
        let stated = stated.clamp(0.0, 1.0);
        let Snapshot { lowest, highest, .. } = self.0;
        let calibrated = if stated < lowest {
            self.mapped(lowest).min(stated)
        } else if stated > highest {
            self.mapped(stated).min(stated).max(self.mapped(highest))
        } else {
            self.mapped(stated)
        };
        calibrated.clamp(0.0, 1.0)
    }

    fn mapped(&self, stated: f64) -> f64 {
        match &self.0.map {
            Map::Identity => stated,
            Map::Shift { shift } => shift::apply(*shift, stated),
            Map::Platt { slope, offset } => Curve { slope: *slope, offset: *offset }.apply(stated),
            Map::Isotonic { corners } => isotonic::apply(corners, stated),
        }
    }

    /// How it was fitted.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self.0.map {
            Map::Identity => Method::Identity,
            Map::Shift { .. } => Method::Shift,
            Map::Platt { .. } => Method::Platt,
            Map::Isotonic { .. } => Method::Isotonic,
        }
    }

    /// On how many judged incidents it rests.
    #[must_use]
    pub const fn judged(&self) -> usize {
        self.0.judged
    }
}

impl From<Calibrator> for Snapshot {
    fn from(calibrator: Calibrator) -> Self {
        calibrator.0
    }
}

impl TryFrom<Snapshot> for Calibrator {
    type Error = Unsound;

    /// A snapshot that was fitted is sound; one that was written by hand, or damaged, may not be.
    fn try_from(snapshot: Snapshot) -> Result<Self, Unsound> {
        let ratio = |x: f64| (0.0..=1.0).contains(&x);
        if !ratio(snapshot.lowest) || !ratio(snapshot.highest) || snapshot.lowest > snapshot.highest {
            return Err(Unsound("its range of stated confidences is none"));
        }
        let sound = match &snapshot.map {
            Map::Identity => true,
            Map::Shift { shift } => shift.is_finite(),
            Map::Platt { slope, offset } => slope.is_finite() && *slope >= 0.0 && offset.is_finite(),
            Map::Isotonic { corners } => {
                !corners.is_empty()
                    && corners.iter().all(|(x, y)| ratio(*x) && ratio(*y))
                    && corners.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1)
            }
        };
        if sound { Ok(Self(snapshot)) } else { Err(Unsound("its curve falls, or is not made of numbers")) }
    }
}
