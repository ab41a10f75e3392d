//! `picket lease ls | show | watch`, and what `hold` adds.

mod hold;
mod watch;

use crate::commands::table;
use crate::wiring::Wiring;
use hold::HoldCommand;
use picket_core::coordination::LeaseView;
use picket_core::ports::Coordinator as _;

/// Who holds which scope.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum LeaseCommand {
    /// Every live lease.
    Ls {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// The leases of one namespace, in every cluster.
    Show {
        /// The namespace.
        namespace: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// What is held, then every change: two looks a second, so what comes and goes in between is not seen.
    Watch {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// What other automation does with leases.
    #[command(flatten)]
    Hold(HoldCommand),
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away.
pub async fn run(wiring: &Wiring, command: &LeaseCommand) -> anyhow::Result<()> {
    let coordinator = super::as_person(wiring)?;
    let (json, ending) = match command {
        LeaseCommand::Hold(command) => return hold::run(wiring, command).await,
        LeaseCommand::Watch { json } => return watch::run(&coordinator, *json).await,
        LeaseCommand::Ls { json } => (json, String::new()),
        LeaseCommand::Show { namespace, json } => (json, format!("/{namespace}")),
    };
    let status = coordinator.status().await?;
    let leases: Vec<LeaseView> = status.leases.into_iter().filter(|l| l.scope.to_string().ends_with(&ending)).collect();
    if *json {
        return super::print_json(&leases);
    }
    let rows: Vec<_> = leases
        .iter()
        .map(|l| {
            let left_s = l.expires_at.since_ms(status.now) as f64 / 1000.0;
            [l.scope.to_string(), l.holder.clone(), l.token.to_string(), format!("{left_s:.0} s"), l.waiting.join(", ")]
        })
        .collect();
    table::print(["SCOPE", "HOLDER", "TOKEN", "LEFT", "WAITING"], &rows, "no scope is held");
    Ok(())
}
