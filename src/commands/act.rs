//! `picket approve | deny | undo | resolve | stop | resume`: what a person says to the ledger.

use super::as_person;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_core::coordination::{Answer, Command, Decision, Resolution, StopView};
use picket_core::ports::Coordinator as _;
use std::time::Duration;

/// Entries that an approval is looked for among, beside those still open.
const SETTLED_MAX: usize = 50;
/// How long `picket stop` goes on to tell what STOP still waits for.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

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
        ActCommand::Stop { keep_undos, json } => {
            let answer = super::submit(wiring, Command::Stop { keep_undos: *keep_undos }).await?;
            return if *json { super::print_json(&answer) } else { tell_stopping(wiring, *keep_undos).await };
        }
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
    match answer {
        Answer::Decided { decision: Decision::AwaitingApproval, .. } => println!("your yes is on record; a second person must say yes too"),
        _ => println!("{said}"),
    }
    Ok(())
}

/// STOP holds from its first moment; this tells when nothing of what was claimed before can land any more.
async fn tell_stopping(wiring: &Wiring, keep_undos: bool) -> anyhow::Result<()> {
    let client = as_person(wiring)?;
    let until = tokio::time::Instant::now() + STOPPED_WITHIN;
    let mut said = String::new();
    loop {
        let stop = client.status().await?.stop;
        if !stop.set {
            println!("STOP was released by {}", stop.released_by);
            return Ok(());
        }
        if said.is_empty() && keep_undos && !stop.keep_undos {
            println!("STOP was set before: undos stay withheld until its release");
        }
        let now = stopping(&stop);
        if now != said {
            println!("{now}");
            said = now;
        }
        if !stop.stopping {
            return Ok(());
        }
        if tokio::time::Instant::now() > until {
            println!("STOP holds; the dashboard goes on to show what it still waits for");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn stopping(stop: &StopView) -> String {
    let missing: Vec<_> = stop.fences_missing.iter().map(|cluster| cluster.as_str()).collect();
    match (stop.stopping, stop.open_claims) {
        (false, _) => "stopped".to_owned(),
        (true, 0) => format!("stopping: the fences of {} are not confirmed", missing.join(", ")),
        (true, n) => format!("stopping: {n} claimed to their end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopped_is_said_last() {
        let missing = StopView { set: true, stopping: true, fences_missing: vec!["east".into()], ..StopView::default() };
        assert_eq!(stopping(&StopView { open_claims: 2, ..missing.clone() }), "stopping: 2 claimed to their end");
        assert_eq!(stopping(&missing), "stopping: the fences of east are not confirmed");
        assert_eq!(stopping(&StopView { set: true, ..StopView::default() }), "stopped");
    }
}
