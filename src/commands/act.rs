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
    },
    /// Says no.
    Deny {
        /// The ledger entry.
        id: String,
        /// On record.
        #[arg(long)]
        why: String,
    },
    /// Takes an act back.
    Undo {
        /// The ledger entry.
        id: String,
    },
    /// Decides what cannot be known.
    Resolve {
        /// The ledger entry.
        id: String,
        /// What it counts as.
        #[arg(long = "as", value_parser = ["settled", "failed", "undo"])]
        how: String,
    },
    /// Stops everything, at once.
    Stop {
        /// Undos may go on.
        #[arg(long)]
        keep_undos: bool,
    },
    /// Releases the STOP that is set now; agents stay in Observe.
    Resume,
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away or refuses.
pub async fn run(wiring: &Wiring, command: &ActCommand) -> anyhow::Result<()> {
    let (command, said) = match command {
        ActCommand::Approve { id } => {
            let client = as_person(wiring)?;
            let entries = client.entries(SETTLED_MAX).await?;
            let entry = entries.into_iter().find(|e| e.id.as_str() == id).with_context(|| format!("no ledger entry `{id}`"))?;
            let stop_epoch = client.status().await?.stop.epoch;
            println!("{}\n{}\ndigest {}", entry.proposal.sentence, entry.work.action().sentence(), entry.digest);
            (Command::Approve { entry: entry.id, digest: entry.digest, stop_epoch }, "approved")
        }
        ActCommand::Deny { id, why } => (Command::Deny { entry: id.as_str().into(), why: why.clone() }, "denied"),
        ActCommand::Undo { id } => {
            let stop_epoch = as_person(wiring)?.status().await?.stop.epoch;
            (Command::Undo { entry: id.as_str().into(), stop_epoch }, "being taken back")
        }
        ActCommand::Resolve { id, how } => {
            let resolution = match how.as_str() {
                "settled" => Resolution::Settled,
                "failed" => Resolution::Failed,
                _ => Resolution::Undo { stop_epoch: as_person(wiring)?.status().await?.stop.epoch },
            };
            (Command::Resolve { entry: id.as_str().into(), resolution }, "resolved")
        }
        ActCommand::Stop { keep_undos } => (Command::Stop { keep_undos: *keep_undos }, "STOP is set"),
        ActCommand::Resume => {
            let stop = as_person(wiring)?.status().await?.stop;
            if stop.set {
                println!("STOP {} was pressed by {}", stop.epoch, stop.by);
            }
            (Command::Resume { stop_epoch: stop.epoch }, "STOP is released; agents are in Observe")
        }
    };
    super::submit(wiring, command).await?;
    println!("{said}");
    Ok(())
}
