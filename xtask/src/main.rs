//! `cargo xtask`: the two commands that do all the set-up, and the builds behind them.

mod bench;
mod cargo;
mod dashboard;
mod demo;
mod document;
mod eval;
mod model;
mod packages;
mod suites;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sets up, builds, tests and shows picket.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing, builds, and runs the whole mesh on simulated clusters.
    Demo {
        /// Options of `picket demo`, such as `--seconds 180 --json out.json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Installs what is missing and runs every test.
    Test,
    /// Builds the dashboard's page (WebAssembly).
    Dashboard,
    /// Measures speed; builds in release, which takes many minutes the first time.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Measures detection and diagnosis on public sets and simulated clusters; builds in release.
    Eval(eval::EvalOptions),
    /// Fetches the embedding model.
    Model,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo { options } => demo::run(&options),
        Command::Test => suites::run(),
        Command::Dashboard => dashboard::build().map(|dist| println!("the page is in {}", dist.display())),
        Command::Bench(command) => bench::run(&command),
        Command::Eval(options) => eval::run(&options),
        Command::Model => model::ensure().map(|folder| println!("the model is in {}", folder.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
