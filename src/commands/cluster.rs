//! `picket cluster ls | retire | reset`.

use super::table;
use crate::wiring::Wiring;
use picket_core::coordination::Command;
use picket_core::ids::ClusterName;
use picket_core::ports::Coordinator as _;

/// Clusters that the coordinator serves.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ClusterCommand {
    /// Which there are, how old what is known of each is, and where a breaker is open.
    Ls {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
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
    /// Somebody has looked at why its acts ended badly: its breaker closes, and picket may act there again.
    Reset {
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
    let (said, key, cluster, json, done) = match command {
        ClusterCommand::Ls { json } => return list(wiring, *json).await,
        ClusterCommand::Retire { cluster, why, json } => {
            let said = Command::RetireCluster { cluster: cluster.as_str().into(), why: why.clone() };
            (said, "retired", cluster, json, "is retired; an actuator or observer of it that still runs would bring it back: end them")
        }
        ClusterCommand::Reset { cluster, why, json } => {
            let said = Command::ResetBreaker { cluster: cluster.as_str().into(), why: why.clone() };
            (said, "reset", cluster, json, "may be acted on again")
        }
    };
    super::submit(wiring, said).await?;
    if *json {
        return super::print_json(&serde_json::json!({ key: cluster }));
    }
    println!("{cluster} {done}");
    Ok(())
}

async fn list(wiring: &Wiring, json: bool) -> anyhow::Result<()> {
    let status = super::as_person(wiring)?.status().await?;
    if json {
        return super::print_json(&serde_json::json!({ "facts_age_ms": status.facts_age_ms, "breakers": status.breakers }));
    }
    let row = |(cluster, age_ms): (&ClusterName, &i64)| {
        let breaker = status.breakers.get(cluster).map_or_else(|| "closed".to_owned(), |breaker| format!("open: {}", breaker.why));
        [cluster.to_string(), format!("{:.1} s ago", *age_ms as f64 / 1000.0), breaker]
    };
    let rows: Vec<_> = status.facts_age_ms.iter().map(row).collect();
    table::print(["CLUSTER", "WATCHED", "BREAKER"], &rows, "no observer has said anything yet");
    Ok(())
}
