//! `picket bench`: measures speed.

mod coordinator;
mod long_log;

use crate::wiring::Wiring;

/// Measures.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// Cycles of acquire and release by many clients at once, against a coordinator that runs.
    Coordinator(coordinator::CoordinatorOptions),
}

/// Runs it.
///
/// # Errors
/// When what is measured cannot be reached.
pub async fn run(wiring: &Wiring, command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Coordinator(options) => coordinator::run(wiring, options).await,
    }
}
