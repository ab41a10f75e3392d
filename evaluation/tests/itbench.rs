//! Reads the public set, where it is: what diagnosis makes of it is reported, and nothing there is acted on wrongly.

use picket_evaluation::{Dataset, itbench};
use std::path::PathBuf;

#[test]
fn itbench_is_read_whole_and_nothing_is_acted_on_wrongly() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("itbench");
    if !path.exists() {
        eprintln!("skipped: no {} (set PICKET_DATA)", path.display());
        return;
    }
    let report = itbench::evaluate(&Dataset::open(&path).unwrap(), |_, _| ()).unwrap();
    for one in &report.judged {
        eprintln!(
            "  {} {:?}: {:?} at {:?} of {}, first {:?}; {}",
            one.scenario, one.outcome, one.right, one.position, one.ranked, one.first, one.sentence
        );
    }
    eprintln!(
        "top1 {:.3} top3 {:.3} of {}, by chance {:.3}; named {}, abstained {}; acts {}, wrong {}; unknown {:?}",
        report.top1,
        report.top3,
        report.cases,
        report.top1_by_chance,
        report.named,
        report.abstained,
        report.acts_proposed,
        report.acts_wrong,
        report.unknown
    );
    assert_eq!(report.scenarios, report.cases + report.not_rankable + report.no_alerts + report.no_truth);
    assert!(report.cases > 0 && report.alerts > report.alerts_unknown + report.alerts_unplaced, "{report:?}");
    assert_eq!(report.acts_wrong, 0, "{report:?}");
}
