//! The demo as the README promises it, on a seed drawn by the run.

use crate::run::{alone, free_port, picket};

/// Minutes of nothing but this mesh: about three.
#[test]
fn the_demo_keeps_its_promises() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let out = picket()
        .args(["demo", "--seconds", "180", "--listen", &format!("127.0.0.1:{}", free_port()), "--json"])
        .arg(&json)
        .arg("--dir")
        .arg(folder.path().join("run"))
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    println!("{said}");
    assert!(out.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("`{key}` is no number: {report:#}"));
    assert!(number("incidents_injected") >= 10.0 && number("traps") >= 4.0, "{report:#}");
    assert!(number("catalogued_detected") / number("catalogued") > 0.9, "over 90 % of incidents in the catalogue: {report:#}");
    assert!(number("actions_applied") >= 5.0 && number("actions_undone") >= 1.0, "{report:#}");
    assert!(number("mttd_p95_s") < 30.0, "{report:#}");
    assert!(number("mttr_p95_s") < 120.0, "{report:#}");
    assert_eq!(number("traps_acted_on"), 0.0, "{report:#}");
    assert!(number("uncatalogued_abstained") / number("uncatalogued") >= 0.8, "{report:#}");
    let violations = report["violations"].as_object().expect("violations by invariant");
    assert_eq!(violations.len(), 12);
    assert!(violations.values().all(|n| n == 0), "{violations:?}");
}
