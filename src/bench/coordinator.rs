//! `picket bench coordinator`: leases, as fast as the coordinator gives them.

use crate::wiring::Wiring;
use anyhow::{Context as _, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{ClusterName, Principal};
use picket_core::ports::Coordinator as _;
use picket_core::scope::{FencingToken, Scope};
use picket_loadtest::bench::{CycleReport, LeaseService, Load, fill, measure_failover, run_cycles};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a lease of a cycle would live.
const CYCLE_TTL_MS: i64 = 60_000;
/// How long a lease that is kept lives.
const KEPT_TTL_MS: i64 = 3_600_000;
/// After a leader's death, until the measurement is given up.
const FAILOVER_PATIENCE: Duration = Duration::from_secs(30);

/// How much load, and on whom.
#[derive(Clone, Debug, clap::Args)]
pub struct CoordinatorOptions {
    /// `host:port` of the nodes; without it, those of the configuration.
    #[arg(long, value_delimiter = ',')]
    endpoints: Vec<String>,
    /// Clients, each with one call in progress.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    clients: u64,
    /// Connections (to each node) that they share.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    connections: u64,
    /// Measured length.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Before that, and not counted.
    #[arg(long, default_value_t = 1.0)]
    warm_up_s: f64,
    /// Names the run's scopes; drawn when it is not given.
    #[arg(long)]
    run: Option<String>,
    /// Takes this many leases for an hour and keeps them, instead of cycles.
    #[arg(long, value_name = "LEASES", group = "instead")]
    fill: Option<usize>,
    /// Makes the log this many megabytes longer, as the observer of the cluster `bench`, instead of cycles.
    #[arg(long, value_name = "MB", group = "instead")]
    fill_log_mb: Option<u64>,
    /// Makes one linearizable read, instead of cycles.
    #[arg(long, group = "instead")]
    ping: bool,
    /// Kills the leader's process (SIGKILL) and waits for the next acquire, instead of cycles: `NODE=PID` of every node.
    #[arg(long, value_delimiter = ',', value_name = "NODE=PID", group = "instead", value_parser = node_and_pid)]
    kill_leader_of: Vec<(u64, i32)>,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

fn node_and_pid(text: &str) -> Result<(u64, i32), String> {
    let (node, pid) = text.split_once('=').ok_or("expected NODE=PID")?;
    let pid = pid.parse().ok().filter(|pid| *pid > 1).ok_or("the process id is not a number above 1")?;
    Ok((node.parse().map_err(|_| "the node is not a number")?, pid))
}

/// One client's leases.
struct Leases {
    client: CoordinatorClient,
    ttl_ms: i64,
}

fn scope(name: &str) -> Scope {
    Scope::External("bench".to_owned(), name.to_owned())
}

impl LeaseService for Leases {
    type Held = FencingToken;

    async fn acquire(&self, name: &str) -> Result<FencingToken, String> {
        let command = Command::AcquireLease { scopes: vec![scope(name)], ttl_ms: self.ttl_ms };
        match self.client.submit_once(command).await.map_err(|e| e.to_string())? {
            Answer::Leased { tokens, .. } => tokens.into_values().next().ok_or_else(|| "a lease without a token".to_owned()),
            other => Err(format!("{name}: {other:?}")),
        }
    }

    async fn release(&self, name: &str, token: FencingToken) -> Result<(), String> {
        match self.client.submit_once(Command::ReleaseLease { scope: scope(name), token }).await.map_err(|e| e.to_string())? {
            Answer::Done => Ok(()),
            other => Err(format!("{name}: {other:?}")),
        }
    }
}

/// Runs it.
///
/// # Errors
/// When the coordinator cannot be reached.
pub async fn run(wiring: &Wiring, options: &CoordinatorOptions) -> anyhow::Result<()> {
    let connect = || wiring.coordinator_at(&crate::commands::person(), &options.endpoints);
    let connections = (0..options.connections).map(|_| connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let run = options.run.clone().unwrap_or_else(|| format!("{:08x}", rand::random::<u32>()));
    let ttl_ms = if options.fill.is_some() { KEPT_TTL_MS } else { CYCLE_TTL_MS };
    let client = |number: usize| Leases { client: connections[number % connections.len()].clone(), ttl_ms };
    let clients: Vec<Leases> = (0..options.clients as usize).map(client).collect();
    // It answers, and whoever is measured is ready.
    let status = connections[0].status().await.context("the coordinator does not answer")?;
    if let Some(count) = options.fill {
        let report = fill(clients, &run, count).await.map_err(|e| anyhow!(e))?;
        return crate::commands::print_json(&report);
    }
    if options.ping {
        return crate::commands::print_json(&serde_json::json!({ "revision": status.revision }));
    }
    if let Some(megabytes) = options.fill_log_mb {
        let cluster = ClusterName::from("bench");
        let observer = wiring.coordinator_at(&Principal::Observer(cluster.clone()), &options.endpoints)?;
        let commands = super::long_log::fill(&observer, &cluster, megabytes).await?;
        return crate::commands::print_json(&serde_json::json!({ "commands": commands }));
    }
    let warm_up = Duration::from_secs_f64(options.warm_up_s);
    if !options.kill_leader_of.is_empty() {
        let pids: BTreeMap<u64, i32> = options.kill_leader_of.iter().copied().collect();
        let leader = status.leader.context("nobody leads")?;
        let pid = *pids.get(&leader).with_context(|| format!("--kill-leader-of names no process of node {leader}, which leads"))?;
        let kill = async || kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|e| format!("process {pid} could not be killed: {e}"));
        let report = measure_failover(&client(0), &run, warm_up, FAILOVER_PATIENCE, kill).await.map_err(|e| anyhow!(e))?;
        return crate::commands::print_json(&report);
    }
    let load = Load { run, warm_up, length: Duration::from_secs_f64(options.seconds) };
    let report = run_cycles(clients, &load).await;
    if options.json {
        return crate::commands::print_json(&report);
    }
    print(&report);
    Ok(())
}

fn print(report: &CycleReport) {
    let CycleReport { clients, cycles, seconds, cycles_per_s, errors, .. } = report;
    println!("{clients} clients: {cycles} cycles in {seconds:.1} s, {cycles_per_s:.0} per second, {errors} errors");
    println!("acquire: p50 {:.2} ms, p99 {:.2} ms", report.acquire_p50_ms, report.acquire_p99_ms);
    println!("release: p50 {:.2} ms, p99 {:.2} ms", report.release_p50_ms, report.release_p99_ms);
    if let Some(error) = &report.error {
        println!("one of the errors: {error}");
    }
}
