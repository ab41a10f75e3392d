//! Recorded public telemetry through the real gateway and bus. Skipped where the data are not there.

use crate::run::{alone, picket};
use std::path::Path;

fn replay(set: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(set);
    if !data.exists() {
        println!("skipped: {} is not there", data.display());
        return;
    }
    let _alone = alone();
    let out = picket().arg("replay").arg(&data).args(["--speed", "200000", "--seconds", "15", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(found["points"].as_u64().unwrap() > 1000, "{found}");
    assert_eq!(found["permitted"], 0, "recorded telemetry is forced to Observe");
}

#[test]
fn nab_plays() {
    replay("nab/nab-dev.tar.xz");
}

#[test]
fn petshop_plays() {
    replay("petshop/dataset.tar.xz");
}
