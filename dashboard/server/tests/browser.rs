//! The page in a real browser: an incident appears and settles, STOP is pressed and holds.
//!
//! Needs node, npm, Chromium and a page built by `cargo xtask dashboard`.

mod fake;

use fake::story;
use picket_core::ledger::EntryState;
use picket_core::severity::Severity;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_appears_and_settles_and_stop_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    // A reviewer keeps the pictures by naming a folder.
    let out = std::env::var_os("PICKET_PICTURES").map_or_else(|| folder.path().to_path_buf(), Into::into).join("dashboard.png");
    let running = fake::start().await;
    let (bus, coordinator) = (running.bus.clone(), running.coordinator.clone());

    let scene = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(300));
        let asked = story::diagnosed(
            story::detected("inc-2", "payments"),
            "payments loses pods to memory 40 s after each deploy window opens; I propose a higher limit; you are asked because severity is 2.",
        );
        story::tell(&bus, &story::abstained("inc-1", "search")).await;
        let mut waiting = story::entry("act-2", &asked, EntryState::AwaitingApproval, Severity::Two);
        waiting.history[0].1 = EntryState::AwaitingApproval;
        coordinator.put(waiting);
        story::tell(&bus, &picket_core::incident_record::IncidentRecord { entry: Some("act-2".into()), ..asked }).await;
        // Each round an incident goes its whole way, one state a beat.
        for round in 3.. {
            let (incident, act) = (format!("inc-{round}"), format!("act-{round}"));
            let seen = story::detected(&incident, "cart");
            story::tell(&bus, &seen).await;
            for _ in 0..3 {
                story::freshen(&bus).await;
                beat.tick().await;
            }
            let mut known = story::diagnosed(
                seen,
                "cart lost three pods to memory in 40 s because its limit is too low for its load; I propose to raise the limit to 768 MiB.",
            );
            coordinator.put(story::entry(&act, &known, EntryState::Permitted, Severity::Three));
            known.entry = Some(act.as_str().into());
            story::tell(&bus, &known).await;
            for state in [EntryState::Claimed, EntryState::Observing, EntryState::Settled] {
                for _ in 0..3 {
                    story::freshen(&bus).await;
                    beat.tick().await;
                }
                coordinator.advance(&act, state);
            }
            story::tell(&bus, &story::resolved(known)).await;
            if round == 40 {
                break;
            }
        }
    });

    let watched = tokio::process::Command::new("node")
        .arg(root.join("tests/browser/watch.mjs"))
        .arg(format!("http://{}/", running.address))
        .arg(&out)
        .env("PICKET_WATCH_S", "60")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let watched = tokio::time::timeout(Duration::from_secs(240), watched)
        .await
        .expect("the browser took longer than four minutes")
        .expect("node must be installed");
    scene.abort();
    let said = format!("{}{}", String::from_utf8_lossy(&watched.stdout), String::from_utf8_lossy(&watched.stderr));
    assert!(watched.status.success(), "{said}");
    assert!(out.exists(), "{said}");
    let stops = running.coordinator.heard().into_iter().filter(|c| matches!(c, picket_core::coordination::Command::Stop { .. })).count();
    assert_eq!(stops, 1, "one press, one STOP");
    running.end().await;
}
