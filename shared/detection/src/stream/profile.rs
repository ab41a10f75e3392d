//! What a streaming detector is tuned by.

use serde::{Deserialize, Serialize};

/// The longest window that a profile may ask for, in observations.
pub(crate) const WINDOW_MAX: usize = 10_000;

/// The parameters of a [`super::StreamDetector`]. Lengths are counted in observations, so that one profile serves every interval.
///
/// The default lies on a plateau of the Numenta Anomaly Benchmark's development files: it scores 72.3 (standard profile), and between
/// 66 and 75 when any one length or weight is halved or doubled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamProfile {
    /// Time constant of the fast level; also smooths the calendar's residual.
    pub fast: f64,
    /// Time constant of the slow level.
    pub slow: f64,
    /// Window of the envelope; 0 leaves this member out.
    pub envelope: usize,
    /// What the envelope's novelty counts beside the levels'.
    pub envelope_weight: f64,
    /// Whether the calendar is a member.
    pub calendar: bool,
    /// Centres that each cover may keep: memory is 16 bytes a centre and member, time grows with it.
    pub centres: usize,
    /// Radius that a cover starts with, in mean absolute deviations.
    pub radius: f64,
    /// Novelty at which an untroubled series alerts, in mean absolute deviations beyond the cover.
    pub bar: f64,
    /// By what share of `bar` each recent alert raises it.
    pub fatigue: f64,
    /// Time constant with which an alert stops being recent.
    pub fatigue_memory: f64,
    /// After an alert this many observations raise no further one.
    pub refractory: usize,
    /// An alert's novelty must exceed every one in this many observations before it.
    pub recent: usize,
    /// Observations until the first novelty is stated.
    pub warm_up: u64,
    /// Residuals beyond this many mean absolute deviations teach no more than this many.
    pub clip: f64,
    /// Observations after which mean and deviation forget.
    pub memory: f64,
}

impl Default for StreamProfile {
    fn default() -> Self {
        Self {
            fast: 12.0,
            slow: 48.0,
            envelope: 24,
            envelope_weight: 0.5,
            calendar: true,
            centres: 32,
            radius: 0.1,
            bar: 0.2,
            fatigue: 0.3,
            fatigue_memory: 4_000.0,
            refractory: 75,
            recent: 100,
            warm_up: 60,
            clip: 10.0,
            memory: 20_000.0,
        }
    }
}

impl StreamProfile {
    /// Levels and envelope with few centres, for fleets of series: half the memory and time of the default.
    #[must_use]
    pub fn lean() -> Self {
        Self { calendar: false, centres: 16, ..Self::default() }
    }
}
