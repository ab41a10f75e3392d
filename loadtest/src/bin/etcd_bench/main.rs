//! The load of `picket bench coordinator` on etcd, by gRPC, with the same client program. It ships with nothing.

mod messages;
mod service;

use clap::Parser;
use picket_loadtest::bench::{Load, measure_failover, run_cycles};
use service::{EtcdLock, Lease, Members};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Longest that one call may take under load.
const ATTEMPT: Duration = Duration::from_secs(5);
/// While the leader dies: a call that hangs must not hide that others would be served.
const ATTEMPT_AT_FAILOVER: Duration = Duration::from_millis(200);

/// Acquires and releases locks on etcd.
#[derive(Parser)]
struct Options {
    /// `host:port` of the members.
    #[arg(long, value_delimiter = ',', required = true)]
    endpoints: Vec<String>,
    /// Clients, each with one call in progress.
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Connections that they share.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Measured length.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Before that.
    #[arg(long, default_value_t = 1.0)]
    warm_up_s: f64,
    /// Names the run's keys.
    #[arg(long, default_value = "bench")]
    run: String,
    /// A lease of its own for every acquire.
    #[arg(long)]
    fresh_leases: bool,
    /// Kills the leader's process (SIGKILL) and waits for the next acquire: process ids in the order of the endpoints.
    #[arg(long, value_delimiter = ',', value_name = "PID")]
    kill_leader_of: Vec<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("etcd_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<serde_json::Value, String> {
    let json = |report: serde_json::Result<serde_json::Value>| report.map_err(|e| e.to_string());
    let attempt = if options.kill_leader_of.is_empty() { ATTEMPT } else { ATTEMPT_AT_FAILOVER };
    let connections: Vec<Members> =
        (0..options.connections.max(1)).map(|_| Members::new(&options.endpoints, attempt)).collect::<Result<_, _>>()?;
    let mut leader = 0;
    for members in &connections {
        leader = members.find_leader().await?;
    }
    let lease = if options.fresh_leases { Lease::Fresh } else { Lease::Standing(connections[0].standing_lease().await?) };
    let client = |number: usize| EtcdLock { members: connections[number % connections.len()].clone(), lease };
    if !options.kill_leader_of.is_empty() {
        let pid = *options.kill_leader_of.get(leader).ok_or("one process id per endpoint")?;
        let kill = async || kill(pid);
        let (before, patience) = (Duration::from_secs_f64(options.warm_up_s), Duration::from_secs(30));
        return json(serde_json::to_value(measure_failover(&client(0), &options.run, before, patience, kill).await?));
    }
    let load = Load {
        run: options.run.clone(),
        warm_up: Duration::from_secs_f64(options.warm_up_s),
        length: Duration::from_secs_f64(options.seconds),
    };
    json(serde_json::to_value(run_cycles((0..options.clients).map(client).collect(), &load).await))
}

fn kill(pid: u32) -> Result<(), String> {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("process {pid} could not be killed")) }
}
