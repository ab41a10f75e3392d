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

/// The report of a run that is about to end.
///
/// # Errors
/// When the bus, the coordinator or an audit log cannot be read.
pub async fn report(wiring: &Wiring, layout: &Layout, operator: &CoordinatorClient, scenario: &str) -> anyhow::Result<Report> {
    let bus = wiring.bus().await?;
    let incidents = bus.latest(IncidentRecord::TOPIC_PREFIX, 0).await?;
    let incidents = incidents.iter().filter_map(|v| serde_json::from_slice(&v.value).ok()).collect();
    let status = operator.status().await?;
    let mut violations = status.violations;
    for cluster in layout.simulators.keys() {
        let file = wiring.data("audit")?.join(crate::roles::actuator::audit_file(cluster));
        if file.exists() && SqliteAuditLog::open(file).await?.verify().await.is_err() {
            *violations.entry(Invariant::I8).or_default() += 1;
        }
    }
    let truth_files: Vec<_> = layout.simulators.keys().map(|c| layout.truth_file(c)).collect();
    let observations = Observations { incidents, entries: operator.entries(ENTRIES_MAX).await?, violations };
    let mut report = report::score(&read_truth(&truth_files), &observations);
    report.scenario = scenario.to_owned();
    Ok(report)
}
