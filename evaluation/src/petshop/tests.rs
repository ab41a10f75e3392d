//! On a small set made by hand.

use super::evaluate;
use crate::{Dataset, DatasetError};
use std::fmt::Write as _;
use std::path::Path;

const NODES: [&str; 3] = ["front", "cart", "store"];

/// Rows of five minutes; `slow` multiplies each node's latency from the third row on.
fn metrics(rows: usize, begin: usize, slow: [f64; 3]) -> String {
    let mut text = String::new();
    for (label, name) in [("microservice", 0), ("metric", 1), ("statistic", 2)] {
        text.push_str(label);
        for node in NODES {
            for column in [[node, "latency", "Average"], [node, "latency", "p99"], [node, "requests", "Sum"]] {
                write!(text, ",{}", column[name]).unwrap();
            }
        }
        text.push('\n');
    }
    writeln!(text, "unix_timestamp{}", ",".repeat(9)).unwrap();
    for row in 0..rows {
        write!(text, "{}.0", begin + row * 300).unwrap();
        for (n, factor) in slow.iter().enumerate() {
            let noise = 1.0 + ((row * 37 + begin + n * 11) % 29) as f64 / 1000.0;
            let latency = noise * if row >= 2 { *factor } else { 1.0 };
            // A cell may be empty.
            let tail = if row % 7 == 0 { String::new() } else { format!("{latency}") };
            write!(text, ",{latency},{tail},{}", 100.0 * noise).unwrap();
        }
        text.push('\n');
    }
    text
}

fn made(home: &Path) {
    let incident = home.join("shop/kept/one");
    std::fs::create_dir_all(&incident).unwrap();
    std::fs::create_dir_all(home.join("shop/usual")).unwrap();
    std::fs::write(home.join("shop/graph.csv"), ",front,cart,store\nfront,0.0,1.0,0.0\ncart,0.0,0.0,1.0\nstore,0.0,0.0,0.0\n").unwrap();
    std::fs::write(home.join("shop/usual/metrics.csv"), metrics(200, 1_000_000, [1.0; 3])).unwrap();
    std::fs::write(incident.join("metrics.csv"), metrics(5, 2_000_000, [1.5, 3.0, 6.0])).unwrap();
    let target = r#"{"target": {"node": "front", "metric": "latency", "agg": "Average", "timestamp": 2000650},
        "root_cause": {"node": "store", "metric": null}}"#;
    std::fs::write(incident.join("target.json"), target).unwrap();
}

#[test]
fn the_slow_callee_is_found_and_normal_windows_stay_quiet() {
    let home = tempfile::tempdir().unwrap();
    made(home.path());
    let mut told = Vec::new();
    let report = evaluate(&Dataset::open(home.path()).unwrap(), |done, total| told.push((done, total))).unwrap();
    assert_eq!((report.top1, report.top3, report.top5, report.cases), (1.0, 1.0, 1.0, 1), "{report:?}");
    assert!(report.specificity > 0.9 && report.normal_windows == 2 * (100 - 4), "{report:?}");
    assert_eq!(told, [(1, 2), (2, 2)]);
    let json = serde_json::to_value(&report).unwrap();
    for key in ["top1", "top3", "top5", "cases", "specificity"] {
        assert!(json[key].is_number(), "{key}: {json}");
    }
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let spoil = |file: &str, from: &str, to: &str| {
        let home = tempfile::tempdir().unwrap();
        made(home.path());
        let path = home.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        evaluate(&Dataset::open(home.path()).unwrap(), |_, _| ()).unwrap_err()
    };
    let at = |error: DatasetError| match error {
        DatasetError::Malformed { path, line, .. } => (path.file_name().unwrap().to_string_lossy().into_owned(), line),
        other => panic!("{other}"),
    };
    assert_eq!(at(spoil("shop/usual/metrics.csv", "\n1000000.0,", "\n1000000.0,slow")), ("metrics.csv".to_owned(), 5));
    assert_eq!(at(spoil("shop/usual/metrics.csv", "\n1000300.0,", "\n999.0,")), ("metrics.csv".to_owned(), 6));
    assert_eq!(at(spoil("shop/usual/metrics.csv", "microservice,", "microservice,,")), ("metrics.csv".to_owned(), 2));
    assert_eq!(at(spoil("shop/graph.csv", "cart,0.0", "cart,yes")), ("graph.csv".to_owned(), 3));
    assert_eq!(at(spoil("shop/kept/one/target.json", "\"target\"", "\"goal\"")), ("target.json".to_owned(), 0));
    assert_eq!(at(spoil("shop/kept/one/target.json", "}}", "}")), ("target.json".to_owned(), 2));
    assert_eq!(at(spoil("shop/kept/one/metrics.csv", "microservice", "service")), ("metrics.csv".to_owned(), 1));
}

#[test]
fn a_set_without_its_parts_says_what_is_missing() {
    for gone in ["shop/graph.csv", "shop/usual/metrics.csv", "shop/kept/one/target.json", "shop/kept/one/metrics.csv"] {
        let home = tempfile::tempdir().unwrap();
        made(home.path());
        std::fs::remove_file(home.path().join(gone)).unwrap();
        let error = evaluate(&Dataset::open(home.path()).unwrap(), |_, _| ()).unwrap_err();
        assert!(matches!(error, DatasetError::Missing { .. }), "{gone}: {error}");
    }
}
