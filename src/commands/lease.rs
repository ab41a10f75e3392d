//! `picket lease ls | show`, and what `lease_hold` adds.

use super::lease_hold::{self, HoldCommand};
use super::table;
use crate::wiring::Wiring;
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
    /// Leases for other automation.
    #[command(flatten)]
    Hold(HoldCommand),
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away.
pub async fn run(wiring: &Wiring, command: &LeaseCommand) -> anyhow::Result<()> {
    let (json, ending) = match command {
        LeaseCommand::Hold(command) => return lease_hold::run(wiring, command).await,
        LeaseCommand::Ls { json } => (json, String::new()),
        LeaseCommand::Show { namespace, json } => (json, format!("/{namespace}")),
    };
    let status = super::as_person(wiring)?.status().await?;
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
