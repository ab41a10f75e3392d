//! The terminal's view of a run: a bar for its time, a line for every turn of events.

use super::collect::DemoReport;
use super::layout::Layout;
use crate::score_table::ScoreTable;
use indicatif::{ProgressBar, ProgressStyle};
use picket_adapters::nats::JetStreamBus;
use picket_coordinator_client::CoordinatorClient;
use picket_core::diagnosis::Verdict;
use picket_core::ids::{AgentKind, EntryId, IncidentId};
use picket_core::incident::IncidentStatus;
use picket_core::incident_record::IncidentRecord;
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::ports::{Bus as _, Coordinator as _};
use std::collections::BTreeMap;
use std::time::Instant;

/// Where lines go.
pub struct Terminal {
    bar: ProgressBar,
    started: Instant,
    quiet: bool,
}

impl Terminal {
    /// `quiet` says nothing.
    pub fn new(quiet: bool, length_s: u64) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(length_s) };
        let style =
            ProgressStyle::with_template("{elapsed_precise} {wide_bar:.dim} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, started: Instant::now(), quiet }
    }

    /// One line.
    pub fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            println!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// What is being waited for.
    pub fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// The mesh is up.
    pub fn ready(&self, dashboard: &str, layout: &Layout) {
        self.say(&format!("dashboard  {dashboard}"));
        self.say(&format!("logs       {}", layout.dir.join("logs").display()));
        self.say("baselines learn for about a minute of event time before the first fault");
    }

    /// Time passes.
    pub fn beat(&self) {
        self.bar.set_position(self.started.elapsed().as_secs());
    }

    /// The report as a table.
    pub fn report(&self, report: &DemoReport) {
        self.bar.finish_and_clear();
        if !self.quiet {
            println!("\nseed {}, scenario {}\n{}", report.seed, report.scenario, ScoreTable(&report.score));
            report.earned.iter().for_each(|one| print!("{one}"));
        }
    }
}

/// What was already said.
#[derive(Default)]
pub struct View {
    revision: u64,
    ledger: u64,
    incidents: BTreeMap<IncidentId, String>,
    entries: BTreeMap<EntryId, EntryState>,
    phases: BTreeMap<AgentKind, Phase>,
}

impl View {
    /// Says what is new.
    ///
    /// # Errors
    /// When the bus or the coordinator is away.
    pub async fn refresh(&mut self, bus: &JetStreamBus, reader: &CoordinatorClient, screen: &Terminal) -> anyhow::Result<()> {
        for value in bus.latest(IncidentRecord::TOPIC_PREFIX, self.revision).await? {
            self.revision = self.revision.max(value.revision);
            if let Ok(record) = serde_json::from_slice::<IncidentRecord>(&value.value) {
                self.tell_incident(&record, screen);
            }
        }
        let page = reader.watch(self.ledger, 0).await?;
        self.ledger = page.revision;
        for change in page.changes {
            let entry = change.entry;
            if self.entries.insert(entry.id.clone(), entry.state) == Some(entry.state) {
                continue;
            }
            let why = match (&entry.outcome, entry.violations.first()) {
                (Some(outcome), _) => format!(": {}", outcome.why()),
                (None, Some(violation)) => format!(": {}", violation.reason),
                _ => String::new(),
            };
            let undo = if entry.parent.is_some() { "undo " } else { "" };
            screen.say(&format!("  {:<17} {undo}{}{why}", format!("{:?}", entry.state), entry.work.action().sentence()));
        }
        for (agent, view) in reader.status().await?.phases {
            let phase = view.state.phase;
            if self.phases.insert(agent, phase) != Some(phase) {
                screen.say(&format!("phase      {agent} is in {phase}: {}", view.state.because));
            }
        }
        screen.step(&format!("{} incidents, {} acts", self.incidents.len(), self.entries.len()));
        Ok(())
    }

    fn tell_incident(&mut self, record: &IncidentRecord, screen: &Terminal) {
        let incident = &record.incident;
        let (sentence, key) = match (&record.diagnosis, incident.status) {
            (_, IncidentStatus::Resolved) => (format!("resolved   {}", incident.service), "resolved".to_owned()),
            (None, _) => (format!("incident   {} {} {:?}", incident.severity, incident.service, incident.symptoms()), "open".to_owned()),
            (Some(diagnosis), _) => match &diagnosis.verdict {
                Verdict::Cause { cause, .. } => {
                    (format!("diagnosis  {:.2} {}", diagnosis.confidence, diagnosis.sentence), cause.to_string())
                }
                Verdict::Abstained { .. } => (format!("abstains   {}", diagnosis.sentence), "abstains".to_owned()),
            },
        };
        if self.incidents.insert(incident.id.clone(), key.clone()).as_ref() != Some(&key) {
            screen.say(&sentence);
        }
    }
}
