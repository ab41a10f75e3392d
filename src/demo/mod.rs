//! `picket demo`: the whole mesh in one process tree, on simulated clusters.

mod collect;
mod layout;
mod oncall;
mod supervisor;
mod terminal;
mod witness;

pub use collect::DemoReport;
pub use layout::{Layout, current};

use crate::wiring::{CLOCK_VARIABLE, Wiring};
use anyhow::{Context as _, bail};
use picket_adapters::clock::RunClock;
use picket_core::config::Timing;
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, Principal};
use picket_core::phase::Phase;
use picket_core::ports::Coordinator as _;
use picket_core::time::Timestamp;
use picket_loadtest::scenario::{EARN_DAY_S, Scenario};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use supervisor::Supervisor;

/// What a demo run is told.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {
    /// Ends by itself after this many real seconds; without it, on Ctrl-C.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Writes the report there when it ends.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// What happens: demo, quiet, one-oom, conflict, earn.
    #[arg(long, default_value = "demo", value_name = "NAME")]
    pub scenario: Scenario,
    /// Seed of the clusters and their faults; drawn and printed when not given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Simulated clusters, 1 to 4.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub clusters: u8,
    /// How many times as fast as real time the run's clock goes.
    #[arg(long, default_value_t = 3.0, value_parser = speed)]
    pub speed: f64,
    /// The phase that agents are granted under the demonstration CA.
    #[arg(long, default_value = "autonomous", value_parser = ["observe", "assist", "autonomous"])]
    pub phase: String,
    /// Address of the dashboard.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Folder of the run; a new one in the user's cache when not given.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// The demo's operator: whose certificate approves, judges and stops.
pub const OPERATOR: &str = "operator";
/// Length of the script when the run has no end of its own, real seconds.
const OPEN_END_S: u64 = 3600;
/// How long the mesh may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(60);

/// Event time of every demo's start: a fixed Monday, so that a seed replays. 2026-01-05T08:00:00Z.
const EVENT_START: Timestamp = Timestamp(1_767_600_000_000);

/// A speed that leaves every time of the demo's configuration, which is the default one, long enough.
fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    Timing::default().check_speed(speed).map(|()| speed)
}

impl DemoOptions {
    fn phase(&self) -> Phase {
        match self.phase.as_str() {
            _ if self.earns() => Phase::Observe,
            "assist" => Phase::Assist,
            "autonomous" => Phase::Autonomous,
            _ => Phase::Observe,
        }
    }

    /// Starts in Observe, and earns its way up on compressed days.
    fn earns(&self) -> bool {
        self.scenario == Scenario::Earn
    }

    fn length_s(&self) -> u64 {
        self.seconds.unwrap_or(OPEN_END_S)
    }
}

/// Runs the demo. `quiet` prints nothing but errors (for `--json`).
///
/// # Errors
/// When a part cannot be started, or an invariant was violated.
pub async fn run(options: &DemoOptions, quiet: bool) -> anyhow::Result<DemoReport> {
    let seed = options.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let names: Vec<String> =
        ["east", "west", "north", "south"].iter().take(usize::from(options.clusters)).map(ToString::to_string).collect();
    let screen = terminal::Terminal::new(quiet, options.length_s());
    screen.say(&format!("seed {seed} · scenario {} · {} clusters · clock at {}x", options.scenario.as_str(), names.len(), options.speed));

    screen.step("embedding the runbooks (once; half a minute)");
    tokio::task::spawn_blocking(crate::roles::agent::retriever).await??;
    // Said at once: the page would only start again and again.
    drop(
        std::net::TcpListener::bind(options.listen)
            .with_context(|| format!("{}: no page there; choose another --listen", options.listen))?,
    );
    let layout = Layout::prepare(options.dir.clone(), &names, &options.listen.to_string())?;
    let wiring = Wiring { config: crate::config_file::load(&layout.config_file)?, clock: RunClock::new(EVENT_START, options.speed) };
    let mut supervisor = Supervisor::new(&layout, (CLOCK_VARIABLE, wiring.clock.to_env_string()))?;
    supervisor.start_bus(&wiring.config.mesh.nats_url)?;
    for id in wiring.config.mesh.coordinators.keys() {
        let (id, day_s) = (id.to_string(), EARN_DAY_S.to_string());
        let mut args = vec!["coordinator", "--id", &id];
        if options.earns() {
            args.extend(["--compressed-day-s", &day_s]);
        }
        supervisor.start(&format!("coordinator-{id}"), &args)?;
    }
    let operator = wiring.coordinator(&Principal::Human(OPERATOR.into()))?;
    screen.step("coordinator elects a leader");
    wait_for_leader(&operator).await?;
    grant(&operator, options.phase()).await?;
    supervisor.start("gateway", &["gateway"])?;
    let length_event_s = (options.length_s() as f64 * options.speed).round().to_string();
    for name in &names {
        let seed = seed.to_string();
        let args = [
            "simulator",
            "--cluster",
            name,
            "--seed",
            &seed,
            "--scenario",
            options.scenario.as_str(),
            "--duration-s",
            &length_event_s,
            "--clusters",
            &names.join(","),
            "--control",
            &layout.simulators[name],
        ];
        supervisor.start(&format!("simulator-{name}"), &args)?;
        supervisor.start(&format!("observer-{name}"), &["observer", "--cluster", name])?;
        supervisor.start(&format!("actuator-{name}"), &["actuator", "--cluster", name])?;
    }
    for kind in AgentKind::ALL {
        supervisor.start(&format!("agent-{kind}"), &["agent", "--kind", kind.as_str()])?;
    }
    supervisor.start("dashboard", &["dashboard", "--person", OPERATOR])?;
    layout.make_current()?;
    screen.ready(&format!("http://{}", options.listen), &layout);

    let oncall = oncall::OnCall::start(&wiring, &layout, operator.clone()).await?;
    let day_ms = options.earns().then_some((EARN_DAY_S * 1000.0) as i64);
    let mut witness = witness::Witness::new(operator.clone(), &layout, day_ms);
    let finished = watch(options, &wiring, &mut supervisor, &screen, &mut witness).await;
    oncall.stop();
    let report = collect::report(&wiring, &layout, &operator, options.scenario, seed, witness).await;
    supervisor.stop().await;
    finished?;
    let report = report?;
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("{}: cannot be written", file.display()))?;
    }
    screen.report(&report);
    let broken: Vec<_> = report.score.violations.iter().filter(|(_, n)| **n > 0).map(|(i, n)| format!("{} {n}x", i.as_str())).collect();
    if !broken.is_empty() {
        bail!("invariants were violated: {} (logs in {})", broken.join(", "), layout.dir.display());
    }
    Ok(report)
}

async fn wait_for_leader(operator: &picket_coordinator_client::CoordinatorClient) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + UP_WITHIN;
    loop {
        match operator.status().await {
            Ok(status) if status.leader.is_some() => return Ok(()),
            other if tokio::time::Instant::now() > until => {
                bail!("the coordinator has no leader after {} s ({other:?}); its logs say why", UP_WITHIN.as_secs())
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn grant(operator: &picket_coordinator_client::CoordinatorClient, phase: Phase) -> anyhow::Result<()> {
    if phase == Phase::Observe {
        return Ok(());
    }
    let stop_epoch = operator.status().await?.stop.epoch;
    for agent in AgentKind::ALL {
        let command = Command::SetPhase { agent, phase, stop_epoch, why: "granted under the demonstration CA".into() };
        operator.submit(format!("grant-{agent}-{phase}").into(), command).await?;
    }
    Ok(())
}

/// Keeps the tree alive and the screen current until the run's end.
async fn watch(
    options: &DemoOptions,
    wiring: &Wiring,
    supervisor: &mut Supervisor,
    screen: &terminal::Terminal,
    witness: &mut witness::Witness,
) -> anyhow::Result<()> {
    let bus = wiring.bus().await?;
    let reader = wiring.coordinator(&Principal::Dashboard)?;
    let mut view = terminal::View::default();
    let end = tokio::time::Instant::now() + Duration::from_secs(options.length_s());
    let mut beat = tokio::time::interval(Duration::from_millis(500));
    let asked = crate::roles::asked_to_end();
    tokio::pin!(asked);
    loop {
        tokio::select! {
            () = &mut asked => return Ok(()),
            () = tokio::time::sleep_until(end), if options.seconds.is_some() => return Ok(()),
            _ = beat.tick() => {
                supervisor.restart_what_died()?;
                // A part that is away for a moment is no reason to end: the next beat looks again.
                if let Err(error) = view.refresh(&bus, &reader, screen).await {
                    tracing::debug!(%error, "the view is behind");
                }
                if let Err(error) = witness.look(&bus, wiring.clock.now()).await {
                    tracing::debug!(%error, "the judge is behind");
                }
                screen.beat();
            }
        }
    }
}
