//! Picket's own streaming detector over the benchmark.

use super::corpus::{Corpus, LabelledSeries};
use super::cost::CostProfile;
use super::scorer::ScoredCorpus;
use crate::{Dataset, DatasetError};
use picket_detection::{StreamDetector, StreamProfile};
use serde::Serialize;

/// The benchmark's numbers for one detector and one set. Scores are normalised: 0 calls nothing, 100 is perfect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NabReport {
    /// Standard profile, with the threshold that is best on this very set (as published scores are).
    pub standard: f64,
    /// The profile that rewards few false calls, likewise.
    pub low_fp: f64,
    /// The profile that rewards few misses, likewise.
    pub low_fn: f64,
    /// Standard profile, each half of the set scored with the threshold that is best on the other.
    pub standard_split_half: f64,
    /// Labelled windows.
    pub windows: usize,
    /// Those detected at the standard profile's threshold.
    pub windows_hit: usize,
    /// Rows called outside of every window there.
    pub false_positive_rows: usize,
}

/// Scores every row of a series with the detector that live telemetry has, in order, none ahead of its time.
#[must_use]
pub fn detect(series: &LabelledSeries, profile: &StreamProfile) -> Vec<f64> {
    let mut detector = StreamDetector::new(profile);
    series.rows.iter().map(|(at, value)| detector.observe(*at, *value).score).collect()
}

/// What a detector's scores come to.
#[must_use]
pub fn report(scored: &ScoredCorpus) -> NabReport {
    let windows = scored.windows();
    let best = |cost: CostProfile| cost.normalised(scored.optimum(cost).tally.raw, windows);
    let standard = scored.optimum(CostProfile::STANDARD).tally;
    NabReport {
        standard: best(CostProfile::STANDARD),
        low_fp: best(CostProfile::LOW_FP),
        low_fn: best(CostProfile::LOW_FN),
        standard_split_half: scored.split_half(CostProfile::STANDARD),
        windows,
        windows_hit: standard.windows_hit,
        false_positive_rows: standard.false_positive_rows,
    }
}

/// Runs the default profile over a set. `progress` hears how many series are done, of how many.
///
/// # Errors
/// When the set cannot be read.
pub fn evaluate(set: &Dataset, progress: impl Fn(usize, usize)) -> Result<NabReport, DatasetError> {
    let corpus = Corpus::read(set)?;
    let profile = StreamProfile::default();
    let mut scores = Vec::with_capacity(corpus.series.len());
    for series in &corpus.series {
        scores.push(detect(series, &profile));
        progress(scores.len(), corpus.series.len());
    }
    Ok(report(&ScoredCorpus::new(&corpus, &scores)))
}
