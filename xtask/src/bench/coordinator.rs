//! The coordinator beside etcd: the same client program, the same machine, in one run.

use super::build::{self, Programs};
use super::etcd::{self, Etcd};
use super::group::empty_folder;
use super::machine;
use super::measure::median;
use super::picket::Picket;
use super::report::{CycleRow, NAME, Report};
use crate::{document, packages};
use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Clients of the load that measures acquires beside many live leases.
const LEASES_CLIENTS: &str = "16";
/// Connections that the clients of a load share, at most: more help neither service on two cores.
const CONNECTIONS_MAX: usize = 4;

/// What to measure beside.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Other {
    /// Debian's etcd, three processes with its defaults.
    Etcd,
}

/// The parts of the measurement.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Acquire and release by many clients.
    Cycles,
    /// kill -9 of the leader until the next acquire.
    Failover,
    /// Memory and acquires beside many live leases.
    Leases,
    /// Start of a node with a long log.
    Restart,
}

/// How much.
#[derive(Args)]
pub struct CoordinatorOptions {
    /// What to measure beside.
    #[arg(long)]
    vs: Option<Other>,
    /// Cargo's profile; `dev` while working, and say so with every figure.
    #[arg(long, default_value = "release", env = "PICKET_BENCH_PROFILE")]
    profile: String,
    /// Numbers of clients.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    clients: Vec<usize>,
    /// Measured length of each run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Runs of each load, taking turns; the median is shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Deaths of the leader.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Live leases.
    #[arg(long, default_value_t = 100_000)]
    leases: usize,
    /// Length of the log that a node restarts with.
    #[arg(long, default_value_t = 1024)]
    log_mb: u64,
    /// Only these parts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Writes the table into this file, in place of the one that is there.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

impl CoordinatorOptions {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Builds, measures, prints the table.
///
/// # Errors
/// Naming what could not be built, started or measured.
pub fn run(options: &CoordinatorOptions) -> anyhow::Result<()> {
    ensure!(!options.clients.is_empty() && options.rounds > 0, "at least one number of clients and one round");
    let beside_etcd = options.vs == Some(Other::Etcd);
    if beside_etcd {
        packages::ensure(&[packages::ETCD])?;
    }
    let programs = build::build(&options.profile)?;
    let folder = empty_folder(&programs.target.join("bench-coordinator"))?;
    let mut report = Report {
        machine: machine::describe(&folder)?,
        profile: programs.profile.clone(),
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        etcd: beside_etcd.then(etcd::version).transpose()?,
        ..Report::default()
    };
    if options.wants(Part::Cycles) {
        report.cycles = cycles(&programs, &folder, options, beside_etcd)?;
    }
    if options.wants(Part::Failover) {
        failovers(&programs, &folder, options, beside_etcd, &mut report)?;
    }
    if options.wants(Part::Leases) {
        leases(&programs, &folder, options, &mut report)?;
    }
    if options.wants(Part::Restart) {
        restart(&programs, &folder, options, &mut report)?;
    }
    println!("\n{}", report.markdown());
    if let Some(file) = &options.write {
        document::replace(file, NAME, &report.markdown())?;
    }
    std::fs::remove_dir_all(&folder).with_context(|| format!("{}: cannot be removed", folder.display()))
}

/// Each load has its service for itself: new processes, empty data, nothing else running.
fn cycles(programs: &Programs, folder: &Path, options: &CoordinatorOptions, beside_etcd: bool) -> anyhow::Result<Vec<CycleRow>> {
    let mut rows = Vec::new();
    for clients in &options.clients {
        let (mut picket, mut standing, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=options.rounds {
            let load = Load::new(*clients, options.seconds);
            picket.push(tell(&format!("picket, {clients} clients, round {round}"), {
                Picket::start(programs, &folder.join("picket"))?.measure(&load.options(&[]))?
            }));
            if beside_etcd {
                let etcd = Etcd::start(programs, &folder.join("etcd"))?;
                standing.push(tell("etcd, standing lease", etcd.measure(&load.options(&["--run", "standing"]))?));
                fresh.push(tell("etcd, fresh leases", etcd.measure(&load.options(&["--run", "fresh", "--fresh-leases"]))?));
            }
        }
        rows.push(CycleRow { clients: *clients, picket, standing, fresh });
    }
    Ok(rows)
}

/// The options of one load, for both programs.
struct Load {
    clients: String,
    connections: String,
    seconds: String,
}

impl Load {
    fn new(clients: usize, seconds: f64) -> Self {
        let connections = clients.div_ceil(64).clamp(1, CONNECTIONS_MAX);
        Self { clients: clients.to_string(), connections: connections.to_string(), seconds: seconds.to_string() }
    }

    fn options<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut options = vec!["--clients", &self.clients, "--connections", &self.connections, "--seconds", &self.seconds];
        options.extend(more);
        options
    }
}

/// Says what was measured at once: a run takes minutes.
fn tell(what: &str, report: Value) -> Value {
    println!(
        "{what}: {:.0} cycles/s, acquire p50 {:.2} ms, p99 {:.2} ms, {} errors{}",
        report["cycles_per_s"].as_f64().unwrap_or(f64::NAN),
        report["acquire_p50_ms"].as_f64().unwrap_or(f64::NAN),
        report["acquire_p99_ms"].as_f64().unwrap_or(f64::NAN),
        report["errors"],
        report["error"].as_str().map(|e| format!(" ({e})")).unwrap_or_default(),
    );
    report
}

fn failovers(programs: &Programs, folder: &Path, options: &CoordinatorOptions, etcd: bool, report: &mut Report) -> anyhow::Result<()> {
    let mut picket = Picket::start(programs, &folder.join("picket"))?;
    for number in 1..=options.kills {
        let ms = picket.failover_ms()?;
        println!("picket, failover {number}: {ms:.0} ms");
        report.failover_ms.push(ms);
    }
    drop(picket);
    if etcd {
        let mut etcd = Etcd::start(programs, &folder.join("etcd"))?;
        for number in 1..=options.kills {
            let ms = etcd.failover_ms()?;
            println!("etcd, failover {number}: {ms:.0} ms");
            report.etcd_failover_ms.push(ms);
        }
    }
    Ok(())
}

fn leases(programs: &Programs, folder: &Path, options: &CoordinatorOptions, report: &mut Report) -> anyhow::Result<()> {
    let picket = Picket::start(programs, &folder.join("picket"))?;
    let seconds = options.seconds.to_string();
    let load = ["--clients", LEASES_CLIENTS, "--seconds", &seconds];
    let p99 = |picket: &Picket, what: &str| -> anyhow::Result<f64> {
        let rounds = (0..options.rounds).map(|_| {
            let measured = tell(what, picket.measure(&load)?);
            measured["acquire_p99_ms"].as_f64().context("no acquire_p99_ms")
        });
        Ok(median(rounds.collect::<anyhow::Result<_>>()?))
    };
    report.p99_empty_ms = Some(p99(&picket, "picket, empty")?);
    picket.measure(&["--clients", "256", "--fill", &options.leases.to_string()])?;
    report.leases = Some(options.leases);
    report.p99_full_ms = Some(p99(&picket, "picket, full")?);
    let resident = picket.group.pids().into_iter().map(machine::resident_mb).collect::<anyhow::Result<Vec<_>>>()?;
    println!("picket, {} leases live: {resident:.0?} MB resident", options.leases);
    report.resident_mb = resident;
    Ok(())
}

fn restart(programs: &Programs, folder: &Path, options: &CoordinatorOptions, report: &mut Report) -> anyhow::Result<()> {
    let mut picket = Picket::start(programs, &folder.join("picket"))?;
    picket.measure(&["--fill-log-mb", &options.log_mb.to_string()])?;
    let (log_mb, seconds) = picket.restart_one()?;
    println!("picket, restart with a log of {log_mb} MB: {seconds:.1} s until it answers a linearizable read");
    report.restart = Some((log_mb, seconds));
    Ok(())
}
