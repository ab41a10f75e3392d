//! Streaming detection on a single series: a score in 0..1 for every observation, from what came before it alone.
//!
//! An observation is unusual when the series has not been *there* before. Each member of the ensemble sees the series in a small space
//! of its own, and keeps a cover of the places visited: how far the newest place lies outside that cover is its novelty, in mean
//! absolute deviations of the series. What was seen once is part of the cover, so that a new level raises one alert and is accepted.
//!
//! | member | space | finds |
//! |---|---|---|
//! | levels | a fast and a slow exponentially weighted mean | shifts, drifts, runs at a wrong time |
//! | envelope | largest and smallest of the last observations | spikes, dips, loss of swing |
//! | calendar | smoothed residual of hour-of-day and day-of-week profiles | what is usual, but not now |
//!
//! The largest novelty counts, and becomes an alert only when it passes the gate: above a bar that rises with every recent alert,
//! above the series' own recent maximum, and not within the refractory period of the alert before.
//!
//! Scores do not change when the values are scaled or shifted, nor (up to the hour of the day) when the times are. The number of
//! centres of a cover bounds its memory and is its regulariser: a noisy series fills the space and makes the cover coarser.
//!
//! | part | source |
//! |---|---|
//! | `cover` | nearest-neighbour novelty (Knorr, Ng, "Algorithms for mining distance-based outliers in large datasets", VLDB 1998; KNN-CAD: Burnaev, Ishimtsev, "Conformalized density- and distance-based anomaly detection in time-series data", arXiv 1608.04585), kept in bounded memory by the doubling algorithm (Charikar, Chekuri, Feder, Motwani, "Incremental clustering and dynamic information retrieval", STOC 1997) |
//! | `scale` | winsorised mean and mean absolute deviation (Huber, "Robust Statistics", 1981) |
//! | `calendar` | additive seasonal factors (Holt 1957, Winters 1960), used as far as they explain anything |
//! | `sliding` | monotonic queue for the maximum of a sliding window |
//! | `gate` | suppression as the Numenta Anomaly Benchmark rewards it (Lavin, Ahmad, "Evaluating real-time anomaly detection algorithms", ICMLA 2015) |

mod calendar;
mod cover;
mod detector;
mod gate;
mod profile;
mod scale;
mod sliding;

pub use detector::{StreamDetector, StreamScore};
pub use profile::StreamProfile;

#[cfg(test)]
mod tests;
