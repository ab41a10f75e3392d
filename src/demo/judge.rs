//! Adjudicates settled incidents by the simulator's ground truth: the demo's independent evidence.

use super::layout::Layout;
use crate::history::History;
use picket_adapters::nats::JetStreamBus;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::Command;
use picket_core::diagnosis::Verdict;
use picket_core::ids::IncidentId;
use picket_core::incident_record::IncidentRecord;
use picket_core::outcome::Adjudication;
use picket_core::phase::Phase;
use picket_core::ports::{Bus as _, Coordinator as _};
use picket_core::time::Timestamp;
use picket_loadtest::truth::{self, TruthRecord};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An incident is judged this long after it was opened, event time: its diagnosis is no longer changing.
const JUDGE_AFTER_MS: i64 = 60_000;

/// Compares what was said with what was so.
pub struct Judge {
    operator: CoordinatorClient,
    truth_files: Vec<PathBuf>,
    records: BTreeMap<IncidentId, IncidentRecord>,
    judged: std::collections::BTreeSet<IncidentId>,
    revision: u64,
    promotes: bool,
    history: History,
}

/// The last state of every fault in these files; a line being written is left for later.
pub fn read_truth(files: &[PathBuf]) -> Vec<TruthRecord> {
    let whole = |text: String| text.rfind('\n').map(|end| text[..=end].to_owned()).unwrap_or_default();
    let texts = files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).map(whole);
    texts.filter_map(|t| truth::read(&t).ok()).flatten().collect()
}

impl Judge {
    /// `promotes`: says yes to every phase as soon as it is earned.
    pub fn new(operator: CoordinatorClient, layout: &Layout, promotes: bool) -> Self {
        let truth_files = layout.simulators.keys().map(|c| layout.truth_file(c)).collect();
        Self {
            operator,
            truth_files,
            records: BTreeMap::new(),
            judged: Default::default(),
            revision: 0,
            promotes,
            history: History::default(),
        }
    }

    /// Everything that was said of the incidents.
    pub fn into_history(self) -> History {
        self.history
    }

    /// Judges what is due.
    ///
    /// # Errors
    /// When the bus or the coordinator is away.
    pub async fn look(&mut self, bus: &JetStreamBus, now: Timestamp) -> anyhow::Result<()> {
        for value in bus.latest(IncidentRecord::TOPIC_PREFIX, self.revision).await? {
            self.revision = self.revision.max(value.revision);
            if let Ok(record) = serde_json::from_slice::<IncidentRecord>(&value.value) {
                self.history.take(record.clone(), now);
                self.records.insert(record.incident.id.clone(), record);
            }
        }
        let due: Vec<_> = self
            .records
            .values()
            .filter(|r| now.since_ms(r.incident.opened_at) >= JUDGE_AFTER_MS && !self.judged.contains(&r.incident.id))
            .cloned()
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let truths = read_truth(&self.truth_files);
        if self.promotes {
            self.promote().await?;
        }
        for record in due {
            if let Some(adjudication) = judge(&record, &truths, now) {
                let id = format!("adjudicate-{}", record.incident.id);
                self.operator.submit(id.into(), Command::Adjudicate { adjudication }).await?;
            }
            self.judged.insert(record.incident.id.clone());
        }
        Ok(())
    }
}

impl Judge {
    /// The person's consent to whatever the gate says is earned.
    async fn promote(&self) -> anyhow::Result<()> {
        let status = self.operator.status().await?;
        let stop_epoch = status.stop.epoch;
        for (agent, view) in status.phases {
            let next = match view.state.phase {
                Phase::Observe => Phase::Assist,
                Phase::Assist => Phase::Autonomous,
                Phase::Autonomous => continue,
            };
            if view.gate.missing.is_empty() {
                let why = format!("earned: {} of {} episodes right", view.state.correct, view.state.episodes);
                let id = format!("earned-{agent}-{next}-{}-{stop_epoch}", view.state.episodes);
                self.operator.submit(id.into(), Command::SetPhase { agent, phase: next, stop_epoch, why }).await?;
            }
        }
        Ok(())
    }
}

/// `None` without a diagnosis: there is nothing to judge.
fn judge(record: &IncidentRecord, truths: &[TruthRecord], now: Timestamp) -> Option<Adjudication> {
    let diagnosis = record.diagnosis.as_ref()?;
    let (named, cause) = match &diagnosis.verdict {
        Verdict::Cause { cause, service, .. } => (Some((*cause, service)), cause.as_str()),
        Verdict::Abstained { .. } => (None, "abstained"),
    };
    let opened = record.incident.opened_at;
    let correct = named.is_some_and(|(cause, service)| {
        let about = |t: &&TruthRecord| t.onset <= opened && t.right_services.contains(service);
        truths.iter().filter(about).any(|t| t.cause == Some(cause) || t.also_right.contains(&cause))
    });
    Some(Adjudication {
        incident: record.incident.id.clone(),
        agent: record.incident.agent,
        episode: format!("{}|{cause}", record.incident.service),
        correct,
        diagnosed: named.is_some(),
        by: String::new(),
        at: now,
    })
}
