//! The `picket` binary.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use picket::commands::{act, audit, backup, cluster, config, doctor, incident, kb, lease, member, openapi, phase, pki, policy, replay};
use picket::roles::simulator::SimulatorOptions;
use picket::wiring::Wiring;
use picket::{bench, demo, eval, metrics_endpoint, roles, sim};
use picket_core::ids::AgentKind;
use std::path::PathBuf;
use std::process::ExitCode;

/// Of a busy coordinator's time, the system's allocator takes a seventh; and what it has been given back it keeps. Huge pages would keep more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A guardrailed mesh of operations agents: detects, diagnoses, and acts only by permit.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    /// Configuration file; without it, that of the newest demo.
    #[arg(long, global = true, env = "PICKET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Logs more; twice for everything.
    #[arg(short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Serves this process's metrics at http://ADDR/metrics, for Prometheus. There is no sign-in: keep it inside.
    #[arg(long, global = true, env = "PICKET_METRICS_LISTEN", value_name = "ADDR")]
    metrics_listen: Option<std::net::SocketAddr>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Role: takes telemetry in.
    Gateway,
    /// Role: watches one cluster; facts, service graph, grades.
    Observer {
        /// Which of mesh.clusters.
        #[arg(long)]
        cluster: String,
    },
    /// Role: reasons; may touch nothing.
    Agent {
        /// Which.
        #[arg(long, value_parser = ["sre", "finops", "secops"])]
        kind: String,
        /// Reads recorded telemetry (`replay.>`); forced to Observe.
        #[arg(long)]
        replay: bool,
    },
    /// Role: one Raft node of the safety core.
    Coordinator {
        /// Which of mesh.coordinators.
        #[arg(long)]
        id: u64,
        /// Joins a group that is there already (`picket member add`), and founds none.
        #[arg(long)]
        join: bool,
        /// The gate counts a day as this many seconds: for the demonstration CA alone.
        #[arg(long, hide = true)]
        compressed_day_s: Option<f64>,
    },
    /// Role: carries permits out on one cluster.
    Actuator {
        /// Which of mesh.clusters.
        #[arg(long)]
        cluster: String,
    },
    /// Role: the web page.
    Dashboard {
        /// In whose name its buttons act.
        #[arg(long, default_value = demo::OPERATOR)]
        person: String,
    },
    /// All roles in one process tree, on simulated clusters.
    Demo(demo::DemoOptions),
    #[command(hide = true)]
    Simulator(SimulatorOptions),
    /// Checks a configuration, prints its schema.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Looks at everything that the configuration names; changes nothing.
    Doctor(doctor::DoctorOptions),
    /// How much each agent may do.
    #[command(subcommand)]
    Phase(phase::PhaseCommand),
    /// Who holds which scope.
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// The coordinator's HTTP API as OpenAPI 3.1.
    Openapi,
    /// What was found.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    #[command(flatten)]
    Act(act::ActCommand),
    /// Certificates and keys.
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Limits, approvals and caps, changed while the coordinator runs.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Clusters that the coordinator serves.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Keeps the coordinator's state in a file.
    Backup(backup::BackupOptions),
    /// Begins a new coordinator from a backup; afterwards, what it still waits for.
    Restore(backup::RestoreOptions),
    /// The coordinator's own nodes: who they are, and how they come and go while it works.
    Member(member::MemberOptions),
    /// The record of what was done.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Runbooks and post-mortems.
    #[command(subcommand)]
    Kb(kb::KbCommand),
    /// Plays recorded telemetry through the gateway, in Observe.
    Replay(replay::ReplayOptions),
    /// Measures.
    #[command(subcommand)]
    Eval(eval::EvalCommand),
    /// Measures speed.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Proves the safety core in a deterministic simulation.
    #[command(subcommand)]
    Sim(sim::SimCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    init_logs(cli.verbose, matches!(cli.command, Command::Sim(_)));
    // One provider for the whole process; a second call would only say that there is one.
    _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("picket: no async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("picket: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What simulated nodes log of the trouble that they are put through says nothing of this machine.
fn init_logs(verbose: u8, simulates: bool) {
    let plain = if simulates { "off" } else { "warn,picket=info" };
    let level = [plain, "info,picket=debug", "debug"][usize::from(verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_env("PICKET_LOG").unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let file = cli.config.unwrap_or_else(demo::current);
    if let Some(listen) = cli.metrics_listen {
        metrics_endpoint::serve(listen).await?;
    }
    let wiring = || Wiring::load(&file).context("give --config FILE, or start `picket demo` first");
    match cli.command {
        Command::Gateway => roles::gateway::run(&wiring()?).await?,
        Command::Observer { cluster } => roles::observer::run(&wiring()?, &cluster).await?,
        Command::Agent { kind, replay } => {
            let kind = AgentKind::ALL.into_iter().find(|k| k.as_str() == kind).context("no such agent")?;
            roles::agent::run(&wiring()?, kind, replay).await?;
        }
        Command::Coordinator { id, join, compressed_day_s } => roles::coordinator::run(&wiring()?, id, join, compressed_day_s).await?,
        Command::Actuator { cluster } => roles::actuator::run(&wiring()?, &cluster).await?,
        Command::Dashboard { person } => roles::dashboard::run(&wiring()?, &person).await?,
        Command::Demo(options) => _ = demo::run(&options, false).await?,
        Command::Simulator(options) => roles::simulator::run(&wiring()?, &options, &file).await?,
        Command::Config(command) => return config::run(&command),
        Command::Doctor(options) => return doctor::run(&wiring()?, &options).await,
        Command::Phase(command) => phase::run(&wiring()?, &command).await?,
        Command::Lease(command) => lease::run(&wiring()?, &command).await?,
        Command::Openapi => openapi::run()?,
        Command::Incident(command) => incident::run(&wiring()?, &command).await?,
        Command::Act(command) => act::run(&wiring()?, &command).await?,
        Command::Pki(command) => pki::run(&command)?,
        Command::Policy(command) => policy::run(wiring, &command).await?,
        Command::Cluster(command) => cluster::run(&wiring()?, &command).await?,
        Command::Backup(options) => backup::back_up(&wiring()?, &options).await?,
        Command::Restore(options) => backup::restore(&wiring()?, &options).await?,
        Command::Member(options) => member::run(&wiring()?, &options).await?,
        Command::Audit(command) => audit::run(&wiring()?, &command).await?,
        Command::Kb(command) => kb::run(&command)?,
        Command::Replay(options) => replay::run(&options).await?,
        Command::Eval(command) => eval::run(&command).await?,
        Command::Bench(command) => bench::run(wiring, &command).await?,
        Command::Sim(command) => return tokio::task::block_in_place(|| sim::run(&command)),
    }
    Ok(ExitCode::SUCCESS)
}
