//! Holds the ranking to its floors on the public sets, where they are.

use picket_evaluation::{Dataset, RootCauseReport, nezha, petshop};
use std::path::PathBuf;

/// `PICKET_DATA`, or `shared/data` beside the repository; none where the set is absent.
fn set(name: &str) -> Option<Dataset> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join(name);
    if !path.exists() {
        eprintln!("skipped: no {} (set PICKET_DATA)", path.display());
        return None;
    }
    Some(Dataset::open(&path).unwrap())
}

fn show(report: &RootCauseReport) {
    eprintln!(
        "top1 {:.3} top3 {:.3} top5 {:.3} of {}; named {:.3}; specificity {:.3} over {}; largest z {:.2?}; {:?}",
        report.top1,
        report.top3,
        report.top5,
        report.cases,
        report.top1_named,
        report.specificity,
        report.normal_windows,
        report.largest_z,
        report.parts
    );
    for case in report.placed.iter().filter(|p| p.position != Some(1)) {
        eprintln!("  {} wants {} at {:?}, first {:?}: {:?}", case.case, case.truth, case.position, case.first, case.reasons);
    }
}

#[test]
fn petshop_holds_its_floor() {
    let Some(set) = set("petshop") else { return };
    let report = petshop::evaluate(&set, |_, _| ()).unwrap();
    show(&report);
    assert!(report.top1 >= 0.50 && report.top3 >= 0.82 && report.specificity >= 0.75, "{report:?}");
}

#[test]
fn nezha_online_boutique_holds_its_floor() {
    let Some(set) = set("nezha") else { return };
    let report = nezha::evaluate(&set, "2022-08-22", |_, _| ()).unwrap();
    show(&report);
    assert!(report.top1 >= 0.58 && report.top3 >= 0.79 && report.top5 >= 0.87, "{report:?}");
}

#[test]
fn nezha_train_ticket_holds_its_floor() {
    let Some(set) = set("nezha") else { return };
    let report = nezha::evaluate(&set, "2023-01-29", |_, _| ()).unwrap();
    show(&report);
    assert!(report.top1 >= 0.18 && report.top3 >= 0.32 && report.top5 >= 0.40, "{report:?}");
}
