//! By hand, from the formulas of the benchmark's paper.

use super::*;
use crate::nab::corpus::Window;
use picket_core::time::Timestamp;

fn series(rows: usize, windows: &[(usize, usize)]) -> LabelledSeries {
    LabelledSeries {
        name: "a/x.csv".to_owned(),
        rows: (0..rows).map(|i| (Timestamp(i as i64 * 300_000), 0.0)).collect(),
        windows: windows.iter().map(|(first, last)| Window { first: *first, last: *last }).collect(),
    }
}

fn scored(rows: usize, windows: &[(usize, usize)], calls: &[(usize, f64)]) -> ScoredCorpus {
    let mut scores = vec![0.0; rows];
    calls.iter().for_each(|(row, score)| scores[*row] = *score);
    ScoredCorpus::new(&Corpus { series: vec![series(rows, windows)] }, &[scores])
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-4, "{a} is not {b}");
}

#[test]
fn nothing_is_0_and_everything_at_once_is_100() {
    for cost in [CostProfile::STANDARD, CostProfile::LOW_FP, CostProfile::LOW_FN] {
        let none = scored(100, &[(40, 49), (80, 89)], &[]).tally(0.5, cost);
        close(cost.normalised(none.raw, 2), 0.0);
        let all = scored(100, &[(40, 49), (80, 89)], &[(40, 1.0), (80, 1.0)]).tally(0.5, cost);
        close(cost.normalised(all.raw, 2), 100.0);
        assert_eq!((all.windows_hit, all.false_positive_rows), (2, 0));
    }
}

#[test]
fn the_earliest_call_in_a_window_counts_whatever_its_score() {
    // Row 45 of 40..=49 lies at -(49 - 45 + 1) / 10 = -0.5, worth (2 / (1 + e^-2.5) - 1) / 0.98661 = 0.85981; row 49 at -0.1, 0.24824.
    close(scored(100, &[(40, 49)], &[(45, 1.0)]).tally(0.5, CostProfile::STANDARD).raw, 0.859_81);
    close(scored(100, &[(40, 49)], &[(49, 1.0)]).tally(0.5, CostProfile::STANDARD).raw, 0.248_24);
    close(scored(100, &[(40, 49)], &[(45, 0.6), (46, 0.9), (49, 1.0)]).tally(0.5, CostProfile::STANDARD).raw, 0.859_81);
}

#[test]
fn false_calls_cost_more_the_further_behind_a_window_they_are() {
    // Before the first window: fully. Row 52: (52 - 49) / 9 widths behind, 2 / (1 + e^(5/3)) - 1 = -0.68226. Row 90: beyond 3 widths.
    for (row, worth) in [(30, -1.0), (52, -0.682_26), (90, -1.0)] {
        let tally = scored(100, &[(40, 49)], &[(row, 1.0)]).tally(0.5, CostProfile::STANDARD);
        close(tally.raw, -1.0 + 0.11 * worth);
        assert_eq!(tally.false_positive_rows, 1);
    }
    close(scored(100, &[(40, 49)], &[(30, 1.0)]).tally(0.5, CostProfile::LOW_FN).raw, -2.0 - 0.11);
    close(scored(100, &[(40, 49)], &[(30, 1.0)]).tally(0.5, CostProfile::LOW_FP).raw, -1.0 - 0.22);
}

#[test]
fn the_first_rows_are_not_scored() {
    let tally = scored(100, &[(40, 49)], &[(14, 1.0), (15, 1.0)]).tally(0.5, CostProfile::STANDARD);
    assert_eq!(tally.false_positive_rows, 1, "15 of 100 rows are on probation");
    assert_eq!(series(20_000, &[]).probation(), 750);
}

#[test]
fn the_optimum_is_the_best_of_all_thresholds() {
    let corpus = scored(200, &[(100, 119)], &[(30, 0.9), (100, 0.8), (50, 0.7), (60, 0.7)]);
    let best = corpus.optimum(CostProfile::STANDARD);
    assert!(best.threshold == 0.8);
    close(best.tally.raw, 1.0 - 0.11);
    for threshold in [0.9, 0.8, 0.7, 0.1] {
        assert!(corpus.tally(threshold, CostProfile::STANDARD).raw <= best.tally.raw);
    }
    let hopeless = scored(200, &[(100, 119)], &[(30, 0.9)]).optimum(CostProfile::STANDARD);
    assert!(hopeless.threshold.is_infinite() && hopeless.tally.raw == -1.0);
}

#[test]
fn halves_lend_each_other_their_thresholds() {
    let one = |score| {
        let mut scores = vec![0.0; 200];
        scores[100] = score;
        scores[30] = score - 0.1;
        scores
    };
    let corpus = Corpus { series: vec![series(200, &[(100, 119)]), series(200, &[(100, 119)])] };
    // Alike halves lose nothing.
    let alike = ScoredCorpus::new(&corpus, &[one(0.8), one(0.8)]);
    close(alike.split_half(CostProfile::STANDARD), 100.0);
    // 0.8 calls nothing in the second; 0.5 calls the false row of the first as well.
    let apart = ScoredCorpus::new(&corpus, &[one(0.8), one(0.5)]);
    close(apart.split_half(CostProfile::STANDARD), CostProfile::STANDARD.normalised(-1.0 + 1.0 - 0.11, 2));
}
