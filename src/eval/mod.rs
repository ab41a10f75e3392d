//! `picket eval`: measures the pipeline.

mod itbench;
mod nab;
mod retrieval;
mod root_cause;
mod scenarios;
mod world;

#[cfg(test)]
mod earn_tests;
#[cfg(test)]
mod zero_tests;

/// Measures.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum EvalCommand {
    /// The whole pipeline on simulated clusters, in one process, on virtual time.
    Scenarios(scenarios::ScenarioOptions),
    /// Root-cause ranking on PetShop: top 1, 3, 5 and specificity.
    #[command(name = "petshop")]
    PetShop(root_cause::PetShopOptions),
    /// Root-cause ranking on a day of Nezha, from metrics alone.
    Nezha(root_cause::NezhaOptions),
    /// Live diagnosis on the alerts of ITBench's incidents alone: place of the cause, abstentions, acts.
    #[command(name = "itbench")]
    ItBench(itbench::ItBenchOptions),
    /// The streaming detector on the Numenta Anomaly Benchmark.
    Nab(nab::NabOptions),
    /// The knowledge search on runbooks and alerts: recall, reciprocal rank, time.
    Retrieval(retrieval::RetrievalOptions),
}

/// Runs it.
///
/// # Errors
/// When it cannot be set up, or an invariant was violated.
pub async fn run(command: &EvalCommand) -> anyhow::Result<()> {
    match command {
        EvalCommand::Scenarios(options) => scenarios::run(options).await,
        EvalCommand::PetShop(options) => root_cause::petshop(options).await,
        EvalCommand::Nezha(options) => root_cause::nezha(options).await,
        EvalCommand::ItBench(options) => itbench::run(options).await,
        EvalCommand::Nab(options) => nab::run(options).await,
        EvalCommand::Retrieval(options) => retrieval::run(options).await,
    }
}
