//! Gathers what the mesh said and did, and has it scored against the ground truth.

use super::layout::Layout;
use super::witness::{Witness, read_truth};
use crate::judge::Earned;
use crate::wiring::Wiring;
use picket_adapters::sqlite::SqliteAuditLog;
use picket_coordinator_client::CoordinatorClient;
use picket_core::invariants::Invariant;
use picket_core::ports::Coordinator as _;
use picket_loadtest::report::{self, Observations, Report};
use picket_loadtest::scenario::Scenario;

/// Terminal entries that are asked for: more than a run makes.
const ENTRIES_MAX: usize = 1000;

/// The report of a demo run: the score, and what was run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DemoReport {
    /// The seed: the same one gives the same faults.
    pub seed: u64,
    /// The scenario.
    pub scenario: String,
    /// What came of it.
    #[serde(flatten)]
    pub score: Report,
    /// How far each agent came by what it earned; left out when phases were granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earned: Vec<Earned>,
}

/// The report of a run that is about to end.
///
/// # Errors
/// When the coordinator or an audit log cannot be read.
pub async fn report(
    wiring: &Wiring,
    layout: &Layout,
    operator: &CoordinatorClient,
    scenario: Scenario,
    seed: u64,
    mut witness: Witness,
) -> anyhow::Result<DemoReport> {
    let mut violations = operator.status().await?.violations;
    for cluster in layout.simulators.keys() {
        let file = wiring.data("audit")?.join(crate::roles::actuator::audit_file(cluster));
        if file.exists() && SqliteAuditLog::open(file).await?.verify().await.is_err() {
            *violations.entry(Invariant::I8).or_default() += 1;
        }
    }
    let earned = if witness.promotes() { witness.earned(seed).await? } else { Vec::new() };
    let history = witness.into_history();
    let truth_files: Vec<_> = layout.simulators.keys().map(|c| layout.truth_file(c)).collect();
    let (truths, ledger) = (read_truth(&truth_files), operator.entries(ENTRIES_MAX).await?);
    // Beside the logs, for whoever wants to know why the score is what it is.
    std::fs::write(layout.dir.join("trace.txt"), history.text(super::EVENT_START, &truths, &ledger))?;
    let (incidents, diagnoses) = history.into_parts();
    let observations = Observations { incidents, diagnoses, ledger, violations };
    Ok(DemoReport { seed, scenario: scenario.as_str().to_owned(), score: report::score(&truths, &observations), earned })
}
