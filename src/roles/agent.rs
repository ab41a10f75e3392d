//! `picket agent --kind sre|finops|secops`: reasons, and may touch nothing.

use super::pager::Pager;
use crate::counted::Counted;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_adapters::candle::{CachedEmbedder, CrossEncoder, MiniLm, model};
use picket_coordinator_client::CoordinatorClient;
use picket_core::ids::{AgentKind, Principal};
use picket_core::phase::Phase;
use picket_core::policy::Policy;
use picket_core::ports::Coordinator as _;
use picket_diagnosis::model::AdvisedEngine;
use picket_diagnosis::{EvidenceEngine, Retriever, Settings, shipped};
use picket_pipeline::agent::{Agent, AgentPorts, AgentProfile, AgentSettings};
use picket_pipeline::early_policy::EarlyPolicy;
use picket_rules::EarlyRules;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Real time between two looks at the rules in force.
const RULES_EVERY: Duration = Duration::from_secs(5);
/// Real time between two steps.
const STEP_MS: u64 = 250;

/// The profile of a kind.
#[must_use]
pub fn profile(kind: AgentKind) -> AgentProfile {
    match kind {
        AgentKind::Sre => picket_agent_sre::profile(),
        AgentKind::FinOps => picket_agent_finops::profile(),
        AgentKind::SecOps => picket_agent_secops::profile(),
    }
}

/// The knowledge base over the shipped documents, with the local embedding model.
///
/// # Errors
/// When the model is not there: it says the three ways to get it.
pub fn retriever() -> anyhow::Result<Arc<Retriever>> {
    shelf().map(Arc::new)
}

fn shelf() -> anyhow::Result<Retriever> {
    let folder = model::locate()?;
    let vectors = folder.parent().unwrap_or(&folder).join("vectors-all-MiniLM-L6-v2");
    let embedder = Arc::new(CachedEmbedder::new(MiniLm::load(&folder)?, vectors));
    let retriever = Retriever::new(shipped(), Some(embedder.clone()))?;
    embedder.seal();
    Ok(retriever)
}

/// The same; a cross-encoder in `directory` reads the best passages again. Empty: none.
fn shelf_read_by(directory: &str) -> anyhow::Result<Arc<Retriever>> {
    let shelf = shelf()?;
    if directory.is_empty() {
        return Ok(Arc::new(shelf));
    }
    let scorer = CrossEncoder::load(Path::new(directory)).context("diagnostics.rag.cross_encoder")?;
    Ok(Arc::new(shelf.reranked_by(Arc::new(scorer))))
}

/// An agent's settings, from the configuration.
#[must_use]
pub fn settings(wiring: &Wiring, name: &str, replay: bool) -> AgentSettings {
    let started = Instant::now();
    AgentSettings {
        name: name.to_owned(),
        clusters: wiring.cluster_names(),
        replay,
        tick_ms: wiring.config.mesh.look_interval.ms(),
        settle_ms: wiring.config.mesh.look_interval.ms(),
        again_ms: wiring.config.mesh.look_interval.ms(),
        page_after_ms: 30_000,
        attempts_max: 4,
        detection: wiring.detection(),
        correlation: wiring.correlation(),
        stopwatch: Arc::new(move || started.elapsed().as_secs_f64() * 1000.0),
    }
}

/// The engine's settings, from the configuration.
#[must_use]
pub fn engine_settings(wiring: &Wiring) -> Settings {
    let rules = wiring.config.limit_rules();
    Settings {
        min_confidence: rules.min_confidence,
        min_confidence_irreversible: rules.min_confidence_irreversible,
        evidence_ttl_ms: rules.evidence_ttl_ms,
        top_k: wiring.config.diagnostics.rag.top_k_retrieval as usize,
        ..Settings::default()
    }
}

/// Hears of the rules in force, for early answers. What is heard late costs a question to the coordinator, and nothing else.
async fn keep_rules(early: EarlyRules<EarlyPolicy>, coordinator: CoordinatorClient, kind: AgentKind) {
    let mut known: Option<Policy> = None;
    loop {
        if let Ok(status) = coordinator.status().await {
            if known.as_ref().is_none_or(|policy| policy.version != status.policy_version) {
                known = coordinator.policy().await.ok().or(known);
            }
            if let Some(policy) = &known {
                early.learn(kind, policy, status.phases.get(&kind).map_or(Phase::Observe, |phase| phase.state.phase));
            }
        }
        tokio::time::sleep(RULES_EVERY).await;
    }
}

/// Runs until it is asked to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring, kind: AgentKind, replay: bool) -> anyhow::Result<()> {
    wiring.require_built()?;
    let nonce = rand::random::<u16>();
    // Models run on real time.
    let look_ms = (wiring.config.mesh.look_interval.ms() as f64 / wiring.clock.speed()) as u64;
    let mut panel = crate::models::panel(&wiring.config, look_ms, |name| std::env::var(name).ok())?;
    if !panel.models.is_empty() {
        panel.compressor = crate::models::compressor(&wiring.config)?;
    }
    let cross_encoder = wiring.config.diagnostics.rag.cross_encoder.clone();
    let retriever = tokio::task::spawn_blocking(move || shelf_read_by(&cross_encoder)).await??;
    let evidence = EvidenceEngine::new(retriever, engine_settings(wiring));
    let policy = EarlyRules::new(EarlyPolicy { rules: wiring.config.limit_rules() });
    let coordinator = wiring.coordinator(&Principal::Agent(kind))?;
    let keeping = keep_rules(policy.clone(), coordinator.clone(), kind);
    let ports = AgentPorts {
        bus: wiring.bus().await?,
        coordinator: Counted(coordinator),
        engine: Counted(AdvisedEngine::new(evidence, panel)),
        policy,
        notifier: Counted(Pager::new(&wiring.config.mesh.page_url)),
    };
    // A new name per life: the stream is read from its oldest message, and the baselines come back.
    let mut agent = Agent::new(profile(kind), settings(wiring, &format!("{nonce:04x}"), replay), ports, u64::from(nonce));
    tracing::info!(%kind, replay, "agent is up");
    tokio::select! {
        () = super::drive(STEP_MS, async || agent.step(wiring.clock.now()).await) => {}
        () = keeping => {}
    }
    Ok(())
}
