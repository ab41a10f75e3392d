//! `picket cluster retire`.

use crate::wiring::Wiring;
use picket_core::coordination::Command;

/// Clusters that the coordinator serves.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ClusterCommand {
    /// A cluster is no more: nobody waits for its fence or its journal. Refused while one of its acts is open.
    Retire {
        /// Its name.
        cluster: String,
        /// On record.
        #[arg(long)]
        why: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away or refuses.
pub async fn run(wiring: &Wiring, command: &ClusterCommand) -> anyhow::Result<()> {
    let ClusterCommand::Retire { cluster, why, json } = command;
    super::submit(wiring, Command::RetireCluster { cluster: cluster.as_str().into(), why: why.clone() }).await?;
    if *json {
        return super::print_json(&serde_json::json!({ "retired": cluster }));
    }
    println!("{cluster} is retired; an actuator or observer of it that still runs would bring it back: end them");
    Ok(())
}
