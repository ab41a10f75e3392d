//! `cargo xtask bench`: speed, measured against what others use.

pub mod build;
mod coordinator;
mod etcd;
mod group;
pub mod machine;
mod measure;
mod picket;
mod report;

pub use coordinator::CoordinatorOptions;

use clap::Subcommand;

/// What is measured.
#[derive(Subcommand)]
pub enum BenchCommand {
    /// The coordinator as three processes on loopback: cycles of acquire and release, failover, memory, restart.
    Coordinator(CoordinatorOptions),
}

/// Builds, measures, prints.
///
/// # Errors
/// Naming what could not be built, started or measured.
pub fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Coordinator(options) => coordinator::run(options),
    }
}
