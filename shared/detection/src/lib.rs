//! Detection: from telemetry to anomalies ([`Detector`]), from anomalies to incidents ([`Correlator`]).
//!
//! Pure: time comes as an argument, randomness from a seeded ChaCha stream; nothing here reads a clock, waits or does I/O. Whatever
//! arrives is borne: values that are no number, points out of order, gaps, resets, senders without bound.
//!
//! | part | method |
//! |---|---|
//! | `baseline` | exponentially weighted mean and variance for uneven sampling, clipped residuals, median/MAD start |
//! | `seasonal` | swings of load that recur at the same time of the day |
//! | `suppress` | consecutive-breach persistence with hysteresis |
//! | `forecast` | Theil–Sen line to a bound |
//! | `isolation_forest`, `joint` | Isolation Forest (Liu, Ting, Zhou 2008) over a service's features |
//! | `stream` | novelty of levels, envelope and calendar residual against covers of what was visited, for one series of any kind |
//! | `service` | the telemetry table: which metric makes which series and symptom |
//! | `correlate` | one incident per cause, along the service graph |
//!
//! Each file names the source of its method.

mod baseline;
mod changes;
mod correlate;
mod counter;
mod detector;
mod distribution;
mod forecast;
mod isolation_forest;
mod joint;
mod seasonal;
mod series;
mod service;
mod settings;
mod stream;
mod suppress;
mod use_summary;

pub use baseline::Baseline;
pub use correlate::{CorrelationSettings, Correlator, IncidentEvent};
pub use detector::Detector;
pub use isolation_forest::IsolationForest;
pub use series::SeriesView;
pub use settings::DetectionSettings;
pub use stream::{StreamDetector, StreamProfile, StreamScore};
pub use use_summary::UseSummary;

#[cfg(test)]
mod tests;
