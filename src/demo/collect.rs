//! Gathers what the mesh said and did, and has it scored against the ground truth.

use super::judge::read_truth;
use super::layout::Layout;
use crate::wiring::Wiring;
use picket_adapters::sqlite::SqliteAuditLog;
use picket_coordinator_client::CoordinatorClient;
use picket_core::incident_record::IncidentRecord;
use picket_core::invariants::Invariant;
use picket_core::ports::{Bus as _, Coordinator as _};
use picket_loadtest::report::{self, Observations, Report};

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
}

/// The report of a run that is about to end.
///
/// # Errors
/// When the bus, the coordinator or an audit log cannot be read.
pub async fn report(
    wiring: &Wiring,
    layout: &Layout,
    operator: &CoordinatorClient,
    scenario: &str,
    seed: u64,
) -> anyhow::Result<DemoReport> {
    let bus = wiring.bus().await?;
    let values = bus.latest(IncidentRecord::TOPIC_PREFIX, 0).await?;
    let records: Vec<IncidentRecord> = values.iter().filter_map(|v| serde_json::from_slice(&v.value).ok()).collect();
    let mut violations = operator.status().await?.violations;
    for cluster in layout.simulators.keys() {
        let file = wiring.data("audit")?.join(crate::roles::actuator::audit_file(cluster));
        if file.exists() && SqliteAuditLog::open(file).await?.verify().await.is_err() {
            *violations.entry(Invariant::I8).or_default() += 1;
        }
    }
    let truth_files: Vec<_> = layout.simulators.keys().map(|c| layout.truth_file(c)).collect();
    let observations = Observations {
        incidents: records.iter().map(|r| r.incident.clone()).collect(),
        diagnoses: records.into_iter().filter_map(|r| r.diagnosis).collect(),
        ledger: operator.entries(ENTRIES_MAX).await?,
        violations,
    };
    Ok(DemoReport { seed, scenario: scenario.to_owned(), score: report::score(&read_truth(&truth_files), &observations) })
}
