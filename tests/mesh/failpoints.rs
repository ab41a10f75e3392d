//! An actuator that dies after each of its steps, one after the other, in one run: every act has its effect once or not at all, and every
//! entry ends.

use crate::run::DemoRun;
use picket::failpoint::{STEPS, VARIABLE};
use picket_core::coordination::LedgerEntry;
use picket_core::ledger::EntryState;
use picket_core::outcome::Report;
use picket_core::ports::Coordinator as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// One cluster's actuators die at the odd steps, the other's at the even ones: twice as many acts pass by.
const CLUSTERS: [&str; 2] = ["east", "west"];

/// Puts the next step of each cluster where its actuator looks, once it has died at the one before. True when all were passed.
fn armed(folder: &Path, left: &mut BTreeMap<&str, Vec<&str>>) -> bool {
    let mut all = true;
    for (cluster, steps) in left {
        let file = folder.join(cluster);
        if !file.exists()
            && let Some(step) = steps.pop()
        {
            std::fs::write(&file, step).unwrap();
        }
        all &= steps.is_empty() && !file.exists();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actuator_that_dies_after_any_step_has_done_its_acts_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (n, step) in STEPS.iter().enumerate() {
        left.entry(CLUSTERS[n % 2]).or_default().push(step);
    }
    armed(folder.path(), &mut left);
    let run = DemoRun::start_with("demo", 31, &[(VARIABLE, folder.path())]);
    let operator = run.operator().await;
    run.until("the actuators have died at every step", Duration::from_secs(280), async || armed(folder.path(), &mut left).then_some(()))
        .await;
    let died = std::fs::read_dir(run.dir().join("logs")).unwrap().filter_map(Result::ok);
    let died: usize = died.map(|log| std::fs::read_to_string(log.path()).unwrap_or_default().matches("dies here").count()).sum();
    assert_eq!(died, STEPS.len(), "{}", run.said());

    let touched = |e: &LedgerEntry| e.history.iter().any(|(_, state)| *state == EntryState::Claimed);
    let entries = run
        .until("every claim is over or being watched", Duration::from_secs(90), async || {
            let entries = operator.entries(1000).await.ok()?;
            let settled = |e: &LedgerEntry| e.state.is_terminal() || e.state == EntryState::Observing || e.paging;
            entries.iter().filter(|e| touched(e)).all(settled).then_some(entries)
        })
        .await;
    let claimed: Vec<_> = entries.iter().filter(|e| touched(e)).collect();
    assert!(claimed.len() >= STEPS.len() / 2, "{claimed:#?}");
    for entry in &claimed {
        // What was written is known to be: by its stamp, however its actuator died.
        assert!(matches!(entry.report, Some(Report::Applied { .. } | Report::NoEffect { .. })), "{entry:#?}");
        assert_eq!(entry.history.iter().filter(|(_, state)| *state == EntryState::Claimed).count(), 1);
    }
    let verified = run.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let status = operator.status().await.unwrap();
    assert!(status.violations.values().all(|n| *n == 0), "{:?}", status.violations);
}
