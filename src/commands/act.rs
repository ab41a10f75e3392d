//! `picket approve | deny | undo | resolve | stop | resume`: what a person says to the ledger.

use super::as_person;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_core::coordination::{Command, Resolution};
use picket_core::ports::Coordinator as _;

/// Entries that an approval is looked for among, beside those still open.
const SETTLED_MAX: usize = 50;

/// What a person says to the ledger.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ActCommand {
    /// Says yes to exactly what is shown.
    Approve {
        /// The ledger entry.
        id: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Says no.
    Deny {
        /// The ledger entry.
        id: String,
        /// On record.
        #[arg(long)]
        why: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Takes an act back.
    Undo {
        /// The ledger entry.
        id: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Decides what cannot be known.
    Resolve {
        /// The ledger entry.
        id: String,
        /// What it counts as.
        #[arg(long = "as", value_parser = ["settled", "failed", "undo"])]
        how: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Stops everything, at once.
    Stop {
        /// Undos may go on.
        #[arg(long)]
        keep_undos: bool,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Releases the STOP that is set now; agents stay in Observe.
    Resume {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away or refuses.
pub async fn run(wiring: &Wiring, command: &ActCommand) -> anyhow::Result<()> {
    let (command, said, json) = match command {
        ActCommand::Approve { id, json } => {
            let client = as_person(wiring)?;
            let entries = client.entries(SETTLED_MAX).await?;
            let entry = entries.into_iter().find(|e| e.id.as_str() == id).with_context(|| format!("no ledger entry `{id}`"))?;
            let stop_epoch = client.status().await?.stop.epoch;
            if !json {
                println!("{}\n{}\ndigest {}", entry.proposal.sentence, entry.work.action().sentence(), entry.digest);
            }
            (Command::Approve { entry: entry.id, digest: entry.digest, stop_epoch }, "approved", json)
        }
        ActCommand::Deny { id, why, json } => (Command::Deny { entry: id.as_str().into(), why: why.clone() }, "denied", json),
        ActCommand::Undo { id, json } => {
            let stop_epoch = as_person(wiring)?.status().await?.stop.epoch;
            (Command::Undo { entry: id.as_str().into(), stop_epoch }, "being taken back", json)
        }
        ActCommand::Resolve { id, how, json } => {
            let resolution = match how.as_str() {
                "settled" => Resolution::Settled,
                "failed" => Resolution::Failed,
                _ => Resolution::Undo { stop_epoch: as_person(wiring)?.status().await?.stop.epoch },
            };
            (Command::Resolve { entry: id.as_str().into(), resolution }, "resolved", json)
        }
        ActCommand::Stop { keep_undos, json } => (Command::Stop { keep_undos: *keep_undos }, "STOP is set", json),
        ActCommand::Resume { json } => {
            let stop = as_person(wiring)?.status().await?.stop;
            if stop.set && !json {
                println!("STOP {} was pressed by {}", stop.epoch, stop.by);
            }
            (Command::Resume { stop_epoch: stop.epoch }, "STOP is released; agents are in Observe", json)
        }
    };
    let answer = super::submit(wiring, command).await?;
    if *json {
        return super::print_json(&answer);
    }
    println!("{said}");
    Ok(())
}
