//! `picket replay PATH --speed X`: recorded telemetry through the real gateway and bus, agents forced to Observe.

use crate::roles::agent::{profile, retriever};
use crate::roles::pager::Pager;
use picket_adapters::clock::RunClock;
use picket_adapters::nats::{JetStreamBus, StreamSettings, server};
use picket_adapters::otlp::{BusIngestor, GatewayConfig, TokenGrant, serve};
use picket_adapters::replay::{Played, Target, open, play};
use picket_core::diagnosis::Verdict;
use picket_core::ids::{AgentKind, ClusterName, Principal};
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, DetectionSettings};
use picket_diagnosis::{EvidenceEngine, Settings as EngineSettings};
use picket_pipeline::agent::{Agent, AgentPorts, AgentSettings};
use picket_pipeline::early_policy::EarlyPolicy;
use picket_state_machine::{InMemoryCoordinator, Settings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Plays recorded telemetry.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayOptions {
    /// NAB or PetShop: a folder or an archive.
    pub path: PathBuf,
    /// How many times as fast as it was recorded.
    #[arg(long, default_value_t = 3600.0)]
    pub speed: f64,
    /// Ends after this many real seconds, even when there is more.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Machine output.
    #[arg(long)]
    pub json: bool,
}

/// The name that recorded telemetry gets: nothing real is called so.
const CLUSTER: &str = "recorded";
/// NAB and PetShop were recorded every five minutes.
const STEP_MS: i64 = 300_000;
/// Real time between two steps of the agent.
const PAUSE: Duration = Duration::from_millis(50);
/// Batches that the gateway buffers.
const BUFFER_BATCHES: u32 = 1024;

/// What a replay found.
#[derive(Debug, Default, serde::Serialize)]
struct Found {
    recordings: u64,
    moments: u64,
    points: u64,
    incidents: usize,
    diagnosed: usize,
    /// Acts: always 0, by the replay subject.
    permitted: usize,
}

/// Runs it.
///
/// # Errors
/// When the recording cannot be read or nats-server is not installed.
pub async fn run(options: &ReplayOptions) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("picket-replay-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let recordings = open(&options.path, &folder.join("unpacked"))?;
    let bus_server = server::spawn(&folder.join("nats"), 0)?;
    let bus = JetStreamBus::connect(&bus_server.url(), StreamSettings::default()).await?;
    let start = Timestamp(1_767_600_000_000);
    let clock = RunClock::new(start, options.speed);
    let token = hex::encode(rand::random::<[u8; 16]>());
    let tokens = [(token.clone(), TokenGrant { cluster: CLUSTER.into(), replay: true })].into();
    let ingestor = BusIngestor::new(Arc::new(bus.clone()), BUFFER_BATCHES);
    let gateway = serve(GatewayConfig::local(tokens, clock), Arc::new(ingestor)).await?;
    let target = Target { url: format!("http://{}", gateway.http_addr), token };

    let key = ed25519_dalek::SigningKey::from_bytes(&rand::random());
    let coordinator = InMemoryCoordinator::new(Settings::default(), key, Arc::new(move || clock.now()));
    let ports = AgentPorts {
        bus,
        coordinator: coordinator.handle(Principal::Agent(AgentKind::Sre)),
        engine: EvidenceEngine::new(tokio::task::spawn_blocking(retriever).await??, EngineSettings::default()),
        policy: EarlyPolicy::default(),
        notifier: Pager::new(""),
    };
    let mut agent = Agent::new(profile(AgentKind::Sre), agent_settings(), ports, 0);

    let bar = if options.json {
        indicatif::ProgressBar::hidden()
    } else {
        indicatif::ProgressBar::new(recordings.iter().map(|r| r.points.len() as u64).sum())
    };
    let http = reqwest::Client::new();
    let end = options.seconds.map(|s| Instant::now() + Duration::from_secs(s));
    let in_time = || end.is_none_or(|end| Instant::now() < end);
    let mut found = Found::default();
    let mut incidents = std::collections::BTreeMap::new();
    for recording in recordings.iter().take_while(|_| in_time()) {
        found.recordings += 1;
        let before = bar.position();
        let heard = bar.clone();
        let playing =
            play(recording, &target, &http, &clock, clock.now(), move |played: Played| heard.set_position(before + played.points));
        tokio::pin!(playing);
        while in_time() {
            tokio::select! {
                done = &mut playing => { found.moments += done?.moments; break }
                () = tokio::time::sleep(PAUSE) => {}
            }
            agent.step(clock.now()).await?;
            incidents.extend(agent.cases().iter().map(|(id, case)| (id.clone(), case.diagnosis.clone())));
        }
    }
    found.points = bar.position();
    // What was played last is still on its way through the bus.
    agent.step(clock.now()).await?;
    incidents.extend(agent.cases().iter().map(|(id, case)| (id.clone(), case.diagnosis.clone())));
    bar.finish_and_clear();
    gateway.shutdown().await;
    drop(bus_server);
    _ = std::fs::remove_dir_all(&folder);
    let entries = coordinator.state().entries(usize::MAX);
    let permitted = entries.iter().filter(|e| e.history.iter().any(|(_, state)| *state == EntryState::Permitted)).count();
    found.incidents = incidents.len();
    found.diagnosed = incidents.values().flatten().filter(|d| matches!(d.verdict, Verdict::Cause { .. })).count();
    found.permitted = permitted;
    if options.json {
        return super::print_json(&found);
    }
    println!(
        "{}: {} measurements played, {} incidents, {} diagnosed, {} acts permitted",
        found.recordings, found.points, found.incidents, found.diagnosed, found.permitted
    );
    Ok(())
}

fn agent_settings() -> AgentSettings {
    let started = Instant::now();
    AgentSettings {
        name: "replay".to_owned(),
        clusters: vec![ClusterName::from(CLUSTER)],
        replay: true,
        tick_ms: STEP_MS,
        settle_ms: STEP_MS,
        again_ms: STEP_MS,
        page_after_ms: i64::MAX,
        attempts_max: 1,
        detection: DetectionSettings {
            interval_ms: STEP_MS,
            baseline_window_ms: 24 * 3_600_000,
            warmup_ms: 12 * STEP_MS,
            event_hold_ms: 2 * STEP_MS,
            ..DetectionSettings::default()
        },
        correlation: CorrelationSettings { dedup_window_ms: 4 * STEP_MS, ..CorrelationSettings::default() },
        stopwatch: Arc::new(move || started.elapsed().as_secs_f64() * 1000.0),
    }
}
