//! The benchmark's scoring, from its paper's section II and its published data: what a call on each row is worth, and at which
//! threshold the sum over all rows is largest.

use super::corpus::{Corpus, LabelledSeries};
use super::cost::CostProfile;
use std::collections::BTreeMap;

/// Steepness of the scoring function.
const STEEPNESS: f64 = 5.0;
/// Behind a window by more than this many of its widths, a call is as false as can be.
const FAR: f64 = 3.0;

/// The scaled sigmoid: 0.98661 at -1 (the start of a window), 0 at 0 (its end), -1 far behind it.
fn worth(position: f64) -> f64 {
    if position >= FAR { -1.0 } else { 2.0 / (1.0 + (STEEPNESS * position).exp()) - 1.0 }
}

/// A row that counts.
#[derive(Copy, Clone, Debug)]
struct ScoredRow {
    score: f64,
    /// In a window 0..1, the earlier the more; outside of every window -1..0.
    worth: f64,
    /// Series and window.
    window: Option<(usize, usize)>,
}

/// What calling every row at or above a threshold comes to.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Tally {
    /// Sum of what was detected, less what was missed and called falsely.
    pub raw: f64,
    /// Windows with a call.
    pub windows_hit: usize,
    /// Rows called outside of every window.
    pub false_positive_rows: usize,
}

/// The best threshold and what it comes to.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Optimum {
    /// Rows with this score or more are called; infinite when it is best to call none.
    pub threshold: f64,
    /// The tally there.
    pub tally: Tally,
}

/// A set with a detector's score for each of its rows.
#[derive(Clone, Debug)]
pub struct ScoredCorpus {
    series: Vec<(usize, Vec<ScoredRow>)>,
}

impl ScoredCorpus {
    /// Joins a set and scores: one vector per series, one score per row, in the set's order. Missing scores count as 0.
    #[must_use]
    pub fn new(corpus: &Corpus, scores: &[Vec<f64>]) -> Self {
        let empty = Vec::new();
        let of = |i: usize| scores.get(i).unwrap_or(&empty);
        Self { series: corpus.series.iter().enumerate().map(|(i, s)| (s.windows.len(), rows(i, s, of(i)))).collect() }
    }

    /// Windows in it.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.series.iter().map(|(windows, _)| windows).sum()
    }

    /// Those series whose place `pick` says yes to.
    #[must_use]
    pub fn part(&self, pick: impl Fn(usize) -> bool) -> Self {
        let picked = self.series.iter().enumerate().filter(|(i, _)| pick(*i));
        Self { series: picked.map(|(_, one)| one.clone()).collect() }
    }

    /// Calls every row at or above a threshold.
    #[must_use]
    pub fn tally(&self, threshold: f64, cost: CostProfile) -> Tally {
        let mut count = Count::new(self.windows(), cost);
        self.series.iter().flat_map(|(_, rows)| rows).filter(|row| row.score >= threshold).for_each(|row| count.call(row));
        count.tally()
    }

    /// Tries every score as the threshold. Of equally good ones the highest is taken.
    #[must_use]
    pub fn optimum(&self, cost: CostProfile) -> Optimum {
        let mut rows: Vec<&ScoredRow> = self.series.iter().flat_map(|(_, rows)| rows).collect();
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut count = Count::new(self.windows(), cost);
        let mut best = Optimum { threshold: f64::INFINITY, tally: count.tally() };
        for called in rows.chunk_by(|a, b| a.score == b.score) {
            called.iter().for_each(|row| count.call(row));
            if count.raw > best.tally.raw {
                best = Optimum { threshold: called[0].score, tally: count.tally() };
            }
        }
        best
    }

    /// The score with the threshold chosen on one half of the series and applied to the other, both ways: every other series in
    /// order of name is a half, so that each has its share of every category.
    #[must_use]
    pub fn split_half(&self, cost: CostProfile) -> f64 {
        let (even, odd) = (self.part(|i| i % 2 == 0), self.part(|i| i % 2 == 1));
        let raw = even.tally(odd.optimum(cost).threshold, cost).raw + odd.tally(even.optimum(cost).threshold, cost).raw;
        cost.normalised(raw, self.windows())
    }
}

/// A tally in the making.
struct Count {
    cost: CostProfile,
    windows: BTreeMap<(usize, usize), f64>,
    raw: f64,
    false_positive_rows: usize,
}

impl Count {
    fn new(windows: usize, cost: CostProfile) -> Self {
        Self { cost, windows: BTreeMap::new(), raw: -cost.miss * windows as f64, false_positive_rows: 0 }
    }

    fn call(&mut self, row: &ScoredRow) {
        let Some(window) = row.window else {
            self.false_positive_rows += 1;
            self.raw += self.cost.false_positive * row.worth;
            return;
        };
        // In a window only the earliest call counts: the worthiest.
        let before = self.windows.insert(window, row.worth);
        match before {
            None => self.raw += self.cost.miss + row.worth,
            Some(before) if before < row.worth => self.raw += row.worth - before,
            Some(before) => {
                self.windows.insert(window, before);
            }
        }
    }

    fn tally(&self) -> Tally {
        Tally { raw: self.raw, windows_hit: self.windows.len(), false_positive_rows: self.false_positive_rows }
    }
}

fn rows(place: usize, series: &LabelledSeries, scores: &[f64]) -> Vec<ScoredRow> {
    let mut scored = Vec::new();
    let mut next = 0;
    for i in 0..series.rows.len() {
        while series.windows.get(next).is_some_and(|w| w.last < i) {
            next += 1;
        }
        let inside = series.windows.get(next).filter(|w| w.first <= i);
        let behind = next.checked_sub(1).map(|w| series.windows[w]);
        let (worth, window) = match (inside, behind) {
            (Some(w), _) => (worth(-((w.last - i + 1) as f64) / w.rows() as f64) / worth(-1.0), Some((place, next))),
            // The window's own last row is 0 widths behind it; one of a single row is no measure of distance.
            (None, Some(w)) if w.rows() > 1 => (worth((i - w.last) as f64 / (w.rows() - 1) as f64), None),
            (None, _) => (-1.0, None),
        };
        if i >= series.probation() {
            scored.push(ScoredRow { score: scores.get(i).copied().unwrap_or(0.0), worth, window });
        }
    }
    scored
}

#[cfg(test)]
mod tests;
