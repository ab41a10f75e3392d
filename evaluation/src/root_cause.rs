//! What an evaluation of root-cause ranking comes to.

use picket_diagnosis::root_cause::{Period, Ranking};
use serde::Serialize;
use std::collections::BTreeMap;

/// Where one case's true cause was placed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Placed {
    /// The case, as the set names it.
    pub case: String,
    /// Which part of the set it belongs to.
    pub part: String,
    /// The true root cause.
    pub truth: String,
    /// Its position from 1; none when it is not among the suspects.
    pub position: Option<usize>,
    /// Whether a cause was named at all.
    pub named: bool,
    /// The first suspect, with reasons.
    pub first: Option<String>,
    /// Why that one.
    pub reasons: Vec<String>,
    /// Position by the largest z-score over the same readings, for comparison.
    pub by_largest_z: Option<usize>,
}

/// The score of a part of a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// Cases in it.
    pub cases: usize,
    /// Share with the true cause first.
    pub top1: f64,
    /// Among the first three.
    pub top3: f64,
    /// Among the first five.
    pub top5: f64,
    /// Share of normal windows in which no cause is named; none where the part has no normal windows.
    pub specificity: Option<f64>,
}

/// The score of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootCauseReport {
    /// Share of cases with the true cause first. An incident is given, so the order counts whether or not a cause was named;
    /// `top1_named` counts only named ones.
    pub top1: f64,
    /// Among the first three.
    pub top3: f64,
    /// Among the first five.
    pub top5: f64,
    /// Cases.
    pub cases: usize,
    /// Share of normal windows in which no cause is named.
    pub specificity: f64,
    /// Normal windows looked at.
    pub normal_windows: usize,
    /// Share of cases with the true cause first and named.
    pub top1_named: f64,
    /// Top 1, 3 and 5 by the largest z-score, for comparison.
    pub largest_z: [f64; 3],
    /// By part of the set.
    pub parts: BTreeMap<String, Part>,
    /// Every case.
    pub placed: Vec<Placed>,
}

/// Normal windows by part: how many, and in how many a cause was named.
pub(crate) type NormalWindows = BTreeMap<String, (usize, usize)>;

fn share(placed: &[&Placed], within: impl Fn(&Placed) -> bool) -> f64 {
    placed.iter().filter(|p| within(p)).count() as f64 / placed.len().max(1) as f64
}

fn part(placed: &[&Placed], (windows, named): (usize, usize)) -> Part {
    let top = |k: usize| share(placed, |p| p.position.is_some_and(|at| at <= k));
    let specificity = (windows > 0).then(|| 1.0 - named as f64 / windows as f64);
    Part { cases: placed.len(), top1: top(1), top3: top(3), top5: top(5), specificity }
}

impl RootCauseReport {
    pub(crate) fn new(placed: Vec<Placed>, normal: &NormalWindows) -> Self {
        let all: Vec<_> = placed.iter().collect();
        let total = normal.values().fold((0, 0), |sum, (windows, named)| (sum.0 + windows, sum.1 + named));
        let whole = part(&all, total);
        let names: std::collections::BTreeSet<_> = placed.iter().map(|p| &p.part).chain(normal.keys()).cloned().collect();
        let parts = names.into_iter().map(|name| {
            let its: Vec<_> = placed.iter().filter(|p| p.part == name).collect();
            let score = part(&its, normal.get(&name).copied().unwrap_or_default());
            (name, score)
        });
        let largest = |k: usize| share(&all, |p| p.by_largest_z.is_some_and(|at| at <= k));
        Self {
            top1: whole.top1,
            top3: whole.top3,
            top5: whole.top5,
            cases: placed.len(),
            specificity: whole.specificity.unwrap_or(f64::NAN),
            normal_windows: total.0,
            top1_named: share(&all, |p| p.named && p.position == Some(1)),
            largest_z: [largest(1), largest(3), largest(5)],
            parts: parts.collect(),
            placed,
        }
    }
}

/// Position of a node in a ranking, counting only nodes that may be a cause.
pub(crate) fn position(ranking: &Ranking, truth: &str, may_be: impl Fn(&str) -> bool) -> Option<usize> {
    let mut suspects = ranking.suspects.iter().filter(|s| may_be(&s.node));
    suspects.position(|s| s.node == truth).map(|at| at + 1)
}

/// Spread below this share of the mean is rounding.
const ROUNDING: f64 = 1e-9;

/// Position by the largest z-score: |mean in the incident - normal mean| / normal standard deviation, the largest over a node's series.
/// The yardstick that published methods are held against.
pub(crate) fn by_largest_z(normal: &Period, window: &Period, before: usize, truth: &str) -> Option<usize> {
    let mut largest: BTreeMap<&str, f64> = BTreeMap::new();
    for (usual, shown) in normal.series.iter().zip(&window.series) {
        let usable = usual.readings.iter().enumerate().filter(|(row, v)| v.is_finite() && normal.are_usable(*row..row + 1));
        let usual: Vec<_> = usable.map(|(_, v)| *v).collect();
        let during: Vec<_> = shown.readings.iter().skip(before).copied().filter(|v| v.is_finite()).collect();
        if usual.len() < 2 || during.is_empty() {
            continue;
        }
        let mean = usual.iter().sum::<f64>() / usual.len() as f64;
        let deviation = (usual.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (usual.len() - 1) as f64).sqrt();
        let z = (during.iter().sum::<f64>() / during.len() as f64 - mean).abs() / deviation;
        // A series that never moves has no deviation but rounding.
        if deviation > mean.abs() * ROUNDING {
            let known = largest.entry(&shown.node).or_default();
            *known = known.max(z);
        }
    }
    let its = largest.get(truth)?;
    Some(1 + largest.values().filter(|z| *z > its).count())
}
