//! `picket eval`: measures the pipeline.

mod nab;
mod scenarios;
mod world;

#[cfg(test)]
mod earn_tests;

/// Measures.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum EvalCommand {
    /// The whole pipeline on simulated clusters, in one process, on virtual time.
    Scenarios(scenarios::ScenarioOptions),
    /// The streaming detector on the Numenta Anomaly Benchmark.
    Nab(nab::NabOptions),
}

/// Runs it.
///
/// # Errors
/// When it cannot be set up, or an invariant was violated.
pub async fn run(command: &EvalCommand) -> anyhow::Result<()> {
    match command {
        EvalCommand::Scenarios(options) => scenarios::run(options).await,
        EvalCommand::Nab(options) => nab::run(options).await,
    }
}
