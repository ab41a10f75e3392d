//! On a small day made by hand.

use super::evaluate;
use crate::{Dataset, DatasetError};
use std::fmt::Write as _;
use std::path::Path;

const DAY: &str = "2020-02-29";
/// Row of the injection.
const AT: usize = 200;

fn clock(row: usize) -> String {
    format!("{DAY} {:02}:{:02}:19.5 +0000 UTC m=+{row}", row / 60, row % 60)
}

fn pod(name: &str, busy: f64, slow: f64) -> String {
    let mut text = "Time,TimeStamp,PodName,CpuUsage(m),PodServerLatencyP90(s),PodWorkload(Ops),Unknown\n".to_owned();
    for row in 0..400 {
        let noise = 1.0 + ((row * 37 + name.len() * 11) % 29) as f64 / 500.0;
        let (busy, slow) = if (AT..AT + 3).contains(&row) { (busy, slow) } else { (1.0, 1.0) };
        // The second column's clock is years off.
        writeln!(text, "{},{},{name},{},{},{},x", clock(row), 5 + row, noise * busy, noise * slow, 2.0 * noise).unwrap();
    }
    text
}

fn made(home: &Path, calls: bool) {
    let folder = home.join(DAY).join("metric");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, busy, slow) in [("front-1a-x", 1.0, 1.5), ("cart-2b-y", 1.0, 1.0), ("big-store-3c-z", 9.0, 3.0)] {
        std::fs::write(folder.join(format!("{name}_metric.csv")), pod(name, busy, slow)).unwrap();
    }
    let mut front = "Time,TimeStamp,ServiceName,SuccessRate(%),LatencyP90(s)\n".to_owned();
    for row in 0..400 {
        let slow = if (AT..AT + 3).contains(&row) { 1.5 } else { 1.0 };
        writeln!(front, "{},{row},Front,100,{}", clock(row), slow * (1.0 + (row % 13) as f64 / 300.0)).unwrap();
    }
    std::fs::write(folder.join("front_service.csv"), front).unwrap();
    if calls {
        let text = "Source,Target,Weight\nfront,cart,1\ncart,big-store,1\ncart,10.0.0.1,1\n";
        std::fs::write(folder.join("dependency.csv"), text).unwrap();
    }
    let faults = format!(
        r#"{{"03": [{{"inject_time": "{DAY} 03:19:30", "inject_timestamp": "7", "inject_pod": "big-store-3c-z", "inject_type": "cpu"}}]}}"#
    );
    std::fs::write(home.join(format!("{DAY}-fault_list.json")), faults).unwrap();
    std::fs::write(home.join("root_cause.json"), "{}").unwrap();
}

#[test]
fn the_busy_pod_is_found_with_and_without_known_calls() {
    for calls in [true, false] {
        let home = tempfile::tempdir().unwrap();
        made(home.path(), calls);
        let report = evaluate(&Dataset::open(home.path()).unwrap(), DAY, |_, _| ()).unwrap();
        assert_eq!((report.top1, report.cases, report.top1_named), (1.0, 1, 1.0), "{report:?}");
        assert_eq!(report.placed[0].first.as_deref(), Some("big-store"));
        assert!(report.specificity > 0.9 && report.normal_windows > 350, "{report:?}");
    }
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let spoil = |file: &str, from: &str, to: &str| {
        let home = tempfile::tempdir().unwrap();
        made(home.path(), true);
        let path = home.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        match evaluate(&Dataset::open(home.path()).unwrap(), DAY, |_, _| ()).unwrap_err() {
            DatasetError::Malformed { line, .. } => line,
            other => panic!("{other}"),
        }
    };
    let (store, faults) = (format!("{DAY}/metric/big-store-3c-z_metric.csv"), format!("{DAY}-fault_list.json"));
    assert_eq!(spoil(&store, ",5,big-store-3c-z,", ",5,big-store-3c-z,much"), 2);
    assert_eq!(spoil(&store, " 00:03:19.5", " soon"), 5);
    assert_eq!(spoil(&store, ",x\n", "\n"), 2);
    assert_eq!(spoil(&store, "PodName", "Nothing"), 1);
    assert_eq!(spoil(&faults, "inject_time\"", "time\""), 0);
    assert_eq!(spoil(&faults, "03:19:30", "23:19:30"), 0, "a fault outside the metrics");
    assert_eq!(spoil(&faults, "]}", "]"), 1);
}

#[test]
fn a_day_that_is_not_there_is_missed() {
    let home = tempfile::tempdir().unwrap();
    made(home.path(), true);
    let set = Dataset::open(home.path()).unwrap();
    assert!(matches!(evaluate(&set, "1999-01-01", |_, _| ()), Err(DatasetError::Missing { .. })));
    let list = home.path().join(format!("{DAY}-fault_list.json"));
    std::fs::rename(&list, home.path().join("list.json")).unwrap();
    assert_eq!(evaluate(&set, DAY, |_, _| ()).unwrap().cases, 1, "the list is known by its times");
    std::fs::remove_file(home.path().join("list.json")).unwrap();
    assert!(matches!(evaluate(&set, DAY, |_, _| ()), Err(DatasetError::Missing { .. })));
}
