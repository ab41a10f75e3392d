//! `picket-coordinator-chaos run`: a group of processes, tormented. `node` is one of its processes.

use clap::{Parser, Subcommand};
use picket_coordinator_chaos::namespaces::Namespaces;
use picket_coordinator_chaos::node::{self, NodeOptions};
use picket_coordinator_chaos::run::{self, RunOptions};
use rand::{RngExt as _, SeedableRng as _};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::process::ExitCode;

/// The coordinator as real processes, under kill -9, SIGSTOP and partitions.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Torments a group and checks every promise; fails when one is broken.
    Run(RunOptions),
    /// One node of it.
    Node(NodeOptions),
}

fn main() -> io::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(options) => {
            let namespaces = match Namespaces::make(3) {
                Ok(namespaces) => {
                    // Before there is a second thread.
                    namespaces.enter()?;
                    Some(namespaces)
                }
                Err(why) => {
                    println!("skipped: partitions, which need root and network namespaces ({why})");
                    None
                }
            };
            let fresh = rand::rngs::SmallRng::seed_from_u64(RandomState::new().hash_one(0)).random_range(0..1 << 40);
            let seed = options.seed.unwrap_or(fresh);
            let verdict = tokio::runtime::Runtime::new()?.block_on(run::run(seed, options.seconds, namespaces))?;
            println!("{verdict}");
            Ok(if verdict.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Node(options) => {
            let filter = tracing_subscriber::EnvFilter::new("warn,picket_coordinator=info");
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).init();
            tokio::runtime::Runtime::new()?.block_on(node::run(options))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
