//! `picket sim`: the safety core, and the whole mesh, against everything that may go wrong, one seed at a time.

use indicatif::ProgressBar;
use picket_coordinator_simulation::{Options, Outcome, Summary};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Proves.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum SimCommand {
    /// The coordinator: real state machine, log, API and Raft, on a simulated network and disk.
    Coordinator(SimOptions),
    /// The whole mesh: agents, observers and actuators around that coordinator, on a simulated cluster that others change too, with
    /// lying models, telemetry that is late, twice or lost, and any role dying wherever it stands.
    Mesh(SimOptions),
}

/// Which seeds.
#[derive(Clone, Debug, clap::Args)]
pub struct SimOptions {
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Machine output.
    #[arg(long)]
    json: bool,
    /// Writes what happened in the first seed, line by line, to this file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

type OnDone<'a> = &'a (dyn Fn(&Outcome) + Sync);

/// What is simulated.
struct Subject {
    name: &'static str,
    run_seed: fn(u64, bool) -> Outcome,
    run_seeds: fn(&[u64], OnDone<'_>) -> Summary,
}

const COORDINATOR: Subject = Subject {
    name: "coordinator",
    run_seed: |seed, keep_trace| picket_coordinator_simulation::run_seed(seed, &Options::for_seed(seed), keep_trace),
    run_seeds: |seeds, on_done| picket_coordinator_simulation::run_seeds(seeds, Options::for_seed, on_done),
};

const MESH: Subject = Subject {
    name: "mesh",
    run_seed: picket_mesh_simulation::run_seed,
    run_seeds: |seeds, on_done| picket_mesh_simulation::run_seeds(seeds, on_done),
};

/// Runs it; fails when any seed found anything.
///
/// # Errors
/// When the trace cannot be written.
pub fn run(command: &SimCommand) -> anyhow::Result<ExitCode> {
    let (subject, options) = match command {
        SimCommand::Coordinator(options) => (COORDINATOR, options),
        SimCommand::Mesh(options) => (MESH, options),
    };
    if let Some(path) = &options.trace {
        std::fs::write(path, (subject.run_seed)(options.from, true).trace)?;
    }
    let seeds: Vec<u64> = (options.from..options.from.saturating_add(options.seeds)).collect();
    let bar = if options.json { ProgressBar::hidden() } else { ProgressBar::new(options.seeds) };
    let summary = (subject.run_seeds)(&seeds, &|outcome| {
        bar.suspend(|| tell(subject.name, outcome));
        bar.inc(1);
    });
    bar.finish_and_clear();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print(&summary)?;
    }
    Ok(if summary.failed_seeds.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A seed that found something is one command to run again.
fn tell(subject: &str, outcome: &Outcome) {
    for finding in &outcome.findings {
        eprintln!("seed {}: {finding}", outcome.seed);
    }
    if !outcome.findings.is_empty() {
        eprintln!("again: picket sim {subject} --seeds 1 --from {} --trace FILE", outcome.seed);
    }
}

fn print(summary: &Summary) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let Summary { seeds, steps, entries, calls, answered, happened, .. } = summary;
    writeln!(out, "{seeds} seeds, {steps} steps, {entries} log entries, {answered} of {calls} calls answered")?;
    writeln!(out, "went wrong, as it was meant to: {}", serde_json::to_string(happened)?)?;
    for (invariant, count) in summary.violations.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "{} broken in {count} seeds: {}", invariant.as_str(), invariant.says())?;
    }
    for (what, count) in &summary.other {
        writeln!(out, "{what} broken in {count} seeds")?;
    }
    if summary.failed_seeds.is_empty() {
        writeln!(out, "nothing was found")
    } else {
        writeln!(out, "failed seeds: {:?}", summary.failed_seeds)
    }
}
