//! Listens to what the demo's mesh says of incidents, and has the judge set it against the simulators' ground truth.

use super::layout::Layout;
use crate::history::History;
use crate::judge::{Earned, Judge};
use picket_adapters::nats::JetStreamBus;
use picket_coordinator_client::CoordinatorClient;
use picket_core::incident_record::IncidentRecord;
use picket_core::ports::{Bus as _, PortResult};
use picket_core::time::Timestamp;
use picket_loadtest::truth::{self, TruthRecord};
use std::path::PathBuf;

/// Keeps every word for the report.
pub struct Witness {
    judge: Judge<CoordinatorClient>,
    truth_files: Vec<PathBuf>,
    revision: u64,
    history: History,
}

/// The last state of every fault in these files; a line being written is left for later.
pub fn read_truth(files: &[PathBuf]) -> Vec<TruthRecord> {
    let whole = |text: String| text.rfind('\n').map(|end| text[..=end].to_owned()).unwrap_or_default();
    let texts = files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).map(whole);
    texts.filter_map(|t| truth::read(&t).ok()).flatten().collect()
}

impl Witness {
    /// `day_ms`: promotes on days of this length what is earned.
    pub fn new(operator: CoordinatorClient, layout: &Layout, day_ms: Option<i64>) -> Self {
        let truth_files = layout.simulators.keys().map(|c| layout.truth_file(c)).collect();
        Self { judge: Judge::new(operator, day_ms), truth_files, revision: 0, history: History::default() }
    }

    /// Everything that was said of the incidents.
    pub fn into_history(self) -> History {
        self.history
    }

    /// True when phases are earned in this run.
    pub const fn promotes(&self) -> bool {
        self.judge.promotes()
    }

    /// What each agent has earned.
    ///
    /// # Errors
    /// When the coordinator is away.
    pub async fn earned(&mut self, seed: u64) -> PortResult<Vec<Earned>> {
        self.judge.earned(seed, super::EVENT_START).await
    }

    /// Listens, and has judged what is due.
    ///
    /// # Errors
    /// When the bus or the coordinator is away.
    pub async fn look(&mut self, bus: &JetStreamBus, now: Timestamp) -> PortResult<()> {
        for value in bus.latest(IncidentRecord::TOPIC_PREFIX, self.revision).await? {
            self.revision = self.revision.max(value.revision);
            if let Ok(record) = serde_json::from_slice::<IncidentRecord>(&value.value) {
                self.judge.hear(&record);
                self.history.take(record, now);
            }
        }
        if !self.judge.has_due(now) {
            return Ok(());
        }
        self.judge.sit(&read_truth(&self.truth_files), now).await
    }
}
