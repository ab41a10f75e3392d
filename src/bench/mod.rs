//! `picket bench`: measures speed.

mod coordinator;
mod detect;
mod diagnosis;
mod embed;
mod graph;
mod long_log;
mod policy;

use crate::wiring::Wiring;

/// Measures.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// Cycles of acquire and release by many clients at once, against a coordinator that runs.
    Coordinator(coordinator::CoordinatorOptions),
    /// Baselines and Isolation Forests on one thread.
    Detect(detect::DetectOptions),
    /// Diagnoses by the built-in reasoner over many runbooks and services.
    Diagnosis(diagnosis::DiagnosisOptions),
    /// The embedding model on short and long texts.
    Embed(embed::EmbedOptions),
    /// The service graph: blast radii and updates.
    Graph(graph::GraphOptions),
    /// One decision: the policy alone, and with a coordinator of three nodes on this machine.
    Policy(policy::PolicyOptions),
}

/// Runs it. `wiring` is asked for where a mesh is measured: the rest needs none.
///
/// # Errors
/// When what is measured cannot be reached or loaded.
pub async fn run(wiring: impl FnOnce() -> anyhow::Result<Wiring>, command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Coordinator(options) => coordinator::run(&wiring()?, options).await,
        BenchCommand::Detect(options) => detect::run(options),
        BenchCommand::Diagnosis(options) => diagnosis::run(options),
        BenchCommand::Embed(options) => embed::run(options),
        BenchCommand::Graph(options) => graph::run(options),
        BenchCommand::Policy(options) => policy::run(options).await,
    }
}
