//! The page of a running mesh, in a real browser: an incident appears and settles, STOP is pressed and holds.

use crate::run::DemoRun;
use picket_core::phase::Phase;
use picket_core::ports::Coordinator as _;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_incident_is_watched_and_stop_holds() {
    let run = DemoRun::start("one-oom", 31);
    let operator = run.operator().await;
    // A reviewer keeps the pictures by naming a folder.
    let folder = tempfile::tempdir().unwrap();
    let out = std::env::var_os("PICKET_PICTURES").map_or_else(|| folder.path().to_path_buf(), Into::into).join("mesh.png");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/watch.mjs");
    let watched = Command::new("node").arg(script).arg(format!("http://{}", run.dashboard)).arg(&out).output().expect("node is installed");
    assert!(
        watched.status.success(),
        "{}\n{}\n{}",
        String::from_utf8_lossy(&watched.stdout),
        String::from_utf8_lossy(&watched.stderr),
        run.said()
    );
    assert!(out.metadata().is_ok_and(|m| m.len() > 10_000), "no picture at {}", out.display());
    let status = operator.status().await.unwrap();
    assert!(status.stop.set, "STOP was pressed on the page");
    assert!(status.phases.values().all(|p| p.state.phase == Phase::Observe), "{:?}", status.phases);
}
