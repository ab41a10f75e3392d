//! `picket incident ls | show | adjudicate`.

use super::table;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_core::cause::Cause;
use picket_core::coordination::Command;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::incident::IncidentStatus;
use picket_core::incident_record::IncidentRecord;
use picket_core::outcome::Adjudication;
use picket_core::ports::Bus as _;
use picket_core::time::Timestamp;

/// What was found.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum IncidentCommand {
    /// Every incident, newest first.
    Ls {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// One, with its diagnosis and evidence.
    Show {
        /// Which.
        id: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Says whether picket was right.
    Adjudicate {
        /// Which.
        id: String,
        /// It was.
        #[arg(long, conflicts_with = "incorrect", required_unless_present = "incorrect")]
        correct: bool,
        /// It was not.
        #[arg(long)]
        incorrect: bool,
        /// The true cause, when it was not.
        #[arg(long, value_parser = cause_of)]
        cause: Option<Cause>,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

fn cause_of(text: &str) -> Result<Cause, String> {
    let known = || Cause::ALL.map(Cause::as_str).join(", ");
    Cause::ALL.into_iter().find(|c| c.as_str() == text).ok_or_else(|| format!("`{text}` is not in the catalogue; there are: {}", known()))
}

async fn records(wiring: &Wiring) -> anyhow::Result<Vec<IncidentRecord>> {
    let values = wiring.bus().await?.latest(IncidentRecord::TOPIC_PREFIX, 0).await?;
    let mut records: Vec<IncidentRecord> = values.iter().filter_map(|v| serde_json::from_slice(&v.value).ok()).collect();
    records.sort_by_key(|r| std::cmp::Reverse(r.incident.opened_at));
    Ok(records)
}

async fn record(wiring: &Wiring, id: &str) -> anyhow::Result<IncidentRecord> {
    let found = records(wiring).await?.into_iter().find(|r| r.incident.id.as_str() == id);
    found.with_context(|| format!("no incident `{id}` (`picket incident ls` lists them)"))
}

fn finding(record: &IncidentRecord) -> String {
    match record.diagnosis.as_ref().map(|d| &d.verdict) {
        None => "-".to_owned(),
        Some(Verdict::Cause { cause, .. }) => cause.to_string(),
        Some(Verdict::Abstained { .. }) => "abstained".to_owned(),
    }
}

/// Runs it.
///
/// # Errors
/// When the bus is away or the incident unknown.
pub async fn run(wiring: &Wiring, command: &IncidentCommand) -> anyhow::Result<()> {
    match command {
        IncidentCommand::Ls { json: true } => super::print_json(&records(wiring).await?),
        IncidentCommand::Ls { json: false } => {
            let row = |r: &IncidentRecord| {
                let state = if r.incident.status == IncidentStatus::Open { "open" } else { "resolved" };
                [
                    r.incident.id.to_string(),
                    r.incident.severity.to_string(),
                    state.to_owned(),
                    r.incident.service.to_string(),
                    finding(r),
                    r.decision.clone().unwrap_or_default(),
                ]
            };
            let rows: Vec<_> = records(wiring).await?.iter().map(row).collect();
            table::print(["INCIDENT", "SEVERITY", "STATE", "SERVICE", "CAUSE", "DECISION"], &rows, "no incident so far");
            Ok(())
        }
        IncidentCommand::Show { id, json: true } => super::print_json(&record(wiring, id).await?),
        IncidentCommand::Show { id, json: false } => {
            show(&record(wiring, id).await?);
            Ok(())
        }
        IncidentCommand::Adjudicate { id, correct, cause, json, .. } => {
            let record = record(wiring, id).await?;
            let cause = cause.map_or_else(|| finding(&record), |cause| cause.to_string());
            let adjudication = Adjudication {
                incident: record.incident.id.clone(),
                agent: record.incident.agent,
                episode: format!("{}|{}", record.incident.service, cause),
                correct: *correct,
                stated: record.diagnosis.as_ref().and_then(Diagnosis::stated),
                diagnosed: matches!(record.diagnosis.as_ref().map(|d| &d.verdict), Some(Verdict::Cause { .. })),
                by: String::new(),
                at: Timestamp::default(),
            };
            let answer = super::submit(wiring, Command::Adjudicate { adjudication }).await?;
            if *json {
                return super::print_json(&answer);
            }
            println!("{id} is on record as {}", if *correct { "correct" } else { "incorrect" });
            Ok(())
        }
    }
}

fn show(record: &IncidentRecord) {
    let incident = &record.incident;
    println!("{} {} {}", incident.id, incident.severity, incident.service);
    if let Some(diagnosis) = &record.diagnosis {
        println!("{}\n", diagnosis.sentence);
        let rows: Vec<_> = diagnosis
            .evidence
            .iter()
            .map(|e| [e.id.clone(), format!("{:+.2}", e.weight), format!("{:?}", e.source).to_lowercase(), e.text.clone()])
            .collect();
        table::print(["ID", "WEIGHT", "SOURCE", "EVIDENCE"], &rows, "no evidence");
        println!();
        let rows: Vec<_> =
            diagnosis.ranking.iter().map(|c| [format!("{:.3}", c.probability), c.cause.to_string(), c.service.to_string()]).collect();
        table::print(["PROBABILITY", "CAUSE", "SERVICE"], &rows, "no candidate");
    }
    if let Some(decision) = &record.decision {
        println!("\ndecision: {decision}");
    }
    if let Some(entry) = &record.entry {
        println!("ledger entry: {entry}");
    }
}
