//! What detection is tuned by. Every length is event time.

use serde::{Deserialize, Serialize};

/// Settings of a [`crate::Detector`]. The defaults suit telemetry every five seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectionSettings {
    /// Length of the rolling baseline; its time constant is half of it (the mean age of a plain window of that length).
    pub baseline_window_ms: i64,
    /// Standard deviations from the baseline at which a value is a breach.
    pub threshold_sigma: f64,
    /// Share of a service's windows that the Isolation Forest may call unusual, 0..0.5.
    pub contamination: f64,
    /// Consecutive breaches until an anomaly is raised; two are enough when the score is twice the threshold.
    pub persistence: u32,
    /// Windows that a baseline must have seen before it judges.
    pub warmup_points: u32,
    /// Time that a baseline must have seen before it judges.
    pub warmup_ms: i64,
    /// How often windows are evaluated.
    pub interval_ms: i64,
    /// A breach this long is slowly accepted as the new level.
    pub accept_after_ms: i64,
    /// How long a single event (OOM kill, restart, security finding) counts as present.
    pub event_hold_ms: i64,
    /// How long fewer replicas than desired are borne (a rollout's own time).
    pub replicas_patience_ms: i64,
    /// Seed of the Isolation Forests.
    pub seed: u64,
    /// A certificate with less time left than this is a finding.
    pub certificate_warn_s: f64,
    /// A volume that will be full within this time is a finding.
    pub disk_horizon_s: f64,
    /// Memory that will reach its limit within this time is a finding.
    pub memory_horizon_s: f64,
    /// Bound on services.
    pub services_max: usize,
    /// Bound on series (and on counters behind them) per service; further ones are counted and left out.
    pub series_max: usize,
    /// Points of history kept per series.
    pub history_max: usize,
    /// The window over which use is summarised for rightsizing.
    pub long_window_ms: i64,
    /// Period over which recurring swings of load are learned.
    pub season_ms: i64,
}

impl Default for DetectionSettings {
    fn default() -> Self {
        Self {
            baseline_window_ms: 15 * 60_000,
            threshold_sigma: 3.0,
            contamination: 0.05,
            persistence: 3,
            warmup_points: 12,
            warmup_ms: 50_000,
            interval_ms: 5_000,
            accept_after_ms: 15 * 60_000,
            event_hold_ms: 30_000,
            replicas_patience_ms: 20_000,
            seed: 1,
            certificate_warn_s: 14.0 * 86_400.0,
            disk_horizon_s: 3_600.0,
            memory_horizon_s: 300.0,
            services_max: 5_000,
            series_max: 2_000,
            history_max: 360,
            long_window_ms: 86_400_000,
            season_ms: 86_400_000,
        }
    }
}

impl DetectionSettings {
    /// A point older than this says nothing of now.
    pub(crate) const fn stale_ms(&self) -> i64 {
        self.interval_ms * 4
    }

    /// The baselines' time constant.
    pub(crate) const fn tau_ms(&self) -> i64 {
        self.baseline_window_ms / 2
    }
}
