//! The benchmark on its own data, when that is there: in the folder that `PICKET_DATA` names, or in `shared/data` beside the workspace.

use flate2::read::GzDecoder;
use picket_detection::StreamProfile;
use picket_evaluation::nab::{Corpus, CostProfile, NabReport, ScoredCorpus, detect, evaluate, report};
use picket_evaluation::{Dataset, DatasetError};
use std::io::Read as _;
use std::path::PathBuf;

/// The set, or `None` and a word about it.
fn set() -> Option<Dataset> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("nab");
    match Dataset::open(&path) {
        Ok(set) => Some(set),
        Err(DatasetError::Io { .. }) => {
            println!("skipped: no data in {} (PICKET_DATA names another folder)", path.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The published scores of a detector, by series and row; rows that are not listed scored 0.
fn published(set: &Dataset, corpus: &Corpus, detector: &str) -> Vec<Vec<f64>> {
    let name = format!("{detector}_anomaly_scores.csv.gz");
    let path = set.files().unwrap().into_iter().find(|p| p.ends_with(&name)).unwrap();
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut scores: Vec<Vec<f64>> = corpus.series.iter().map(|s| vec![0.0; s.rows.len()]).collect();
    for line in text.lines().skip(1) {
        let [file, row, score] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let series = corpus.series.iter().position(|s| s.name == file).unwrap();
        scores[series][row.parse::<usize>().unwrap()] = score.parse().unwrap();
    }
    scores
}

/// What a second implementation, written from the published scorer's rules in another language, makes of the same files: standard,
/// low FP, low FN.
const EXPECTED: [(&str, [f64; 3]); 3] = [
    ("relativeEntropy", [57.4705, 51.4764, 61.2304]),
    ("twitterADVec", [53.3106, 37.8973, 60.1237]),
    ("skyline", [39.2652, 28.8333, 49.9268]),
];

#[test]
fn published_detectors_score_what_they_are_known_to() {
    let Some(set) = set() else { return };
    let corpus = Corpus::read(&set).unwrap();
    for (detector, expected) in EXPECTED {
        let scored = ScoredCorpus::new(&corpus, &published(&set, &corpus, detector));
        for (cost, expected) in [CostProfile::STANDARD, CostProfile::LOW_FP, CostProfile::LOW_FN].into_iter().zip(expected) {
            let score = cost.normalised(scored.optimum(cost).tally.raw, scored.windows());
            assert!((score - expected).abs() < 0.005, "{detector}: {score}, not {expected}, at {cost:?}");
        }
    }
}

#[test]
fn pickets_detector_holds_up() {
    let Some(set) = set() else { return };
    let report = evaluate(&set, |_, _| ()).unwrap();
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    let (_, [standard, low_fp, low_fn]) = EXPECTED[0];
    assert!(report.standard > standard + 10.0 && report.low_fp > low_fp + 10.0 && report.low_fn > low_fn + 10.0, "{report:?}");
    assert!(report.standard - report.standard_split_half < 6.0, "{report:?}");
}

fn scored(corpus: &Corpus) -> NabReport {
    let scores: Vec<Vec<f64>> = corpus.series.iter().map(|s| detect(s, &StreamProfile::default())).collect();
    report(&ScoredCorpus::new(corpus, &scores))
}

/// Nothing may hang on the unit, the zero, or the hour that a series happens to start at.
#[test]
fn other_units_and_times_score_the_same() {
    let Some(set) = set() else { return };
    let plain = Corpus::read(&set).unwrap();
    let moved = |factor: f64, offset: f64, ms: i64| {
        let mut corpus = plain.clone();
        for (at, value) in corpus.series.iter_mut().flat_map(|s| &mut s.rows) {
            (*at, *value) = (at.plus_ms(ms), factor * *value + offset);
        }
        scored(&corpus)
    };
    let base = scored(&plain);
    for (factor, offset, hours) in [(0.37, 0.0, 0), (1_000.0, -5e4, 0), (1.0, 0.0, 24 * 7 * 100), (0.02, 3.0, 5), (7.3, 0.0, 77)] {
        let report = moved(factor, offset, hours * 3_600_000 + if hours % 24 == 0 { 0 } else { 1_020_000 });
        println!("x {factor} + {offset}, {hours} h later: {report:?}");
        assert!((report.standard - base.standard).abs() < 3.0, "{report:?} against {base:?}");
    }
}
