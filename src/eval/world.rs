//! The whole mesh in one process, on virtual time.

use crate::history::History;
use crate::judge::Judge;
use crate::roles::agent::profile;
use crate::roles::coordinator::compress_days;
use crate::roles::simulator::WARMUP_S;
use ed25519_dalek::SigningKey;
use picket_adapters::in_memory::{InMemoryAuditLog, InMemoryBus, InMemoryOuterLock};
use picket_adapters::journal::FileJournal;
use picket_adapters::kubernetes::{ApiObjects, KubernetesExecutor, KubernetesReader, client_from_router};
use picket_adapters::otlp::{normalise_falco, normalise_logs, normalise_metrics, normalise_traces};
use picket_core::action::Digest;
use picket_core::config::{Config, Span};
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, ClusterName, EntryId, Principal};
use picket_core::incident_record::IncidentRecord;
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::ports::{Bus as _, Coordinator as _, Notifier, PortError, PortResult};
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, DetectionSettings};
use picket_diagnosis::{EvidenceEngine, Retriever, Settings as EngineSettings};
use picket_loadtest::SimCluster;
use picket_loadtest::disturbance::{Disturbance, DisturbedWay};
use picket_loadtest::kubernetes_api::{self, ApiTokens};
use picket_loadtest::report::Observations;
use picket_loadtest::scenario::{EARN_DAY_S, Scenario, schedule};
use picket_loadtest::truth::TruthRecord;
use picket_pipeline::actuator::{Actuator, ActuatorPorts, ActuatorSettings};
use picket_pipeline::agent::{Agent, AgentPorts, AgentSettings};
use picket_pipeline::early_policy::EarlyPolicy;
use picket_pipeline::observer::{Observer, ObserverSettings};
use picket_state_machine::{InMemoryCoordinator, InMemoryHandle};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// 2026-01-05T08:00:00Z, as the demo.
pub(super) const START: Timestamp = Timestamp(1_767_600_000_000);
/// One step of virtual time.
const STEP_MS: i64 = 1000;
/// From a question to the on-call person's answer.
const ANSWER_MS: i64 = 8000;
/// Deadline of one call of the simulated API, real time: how fast this machine is must not show in the score.
const CALL_TIMEOUT_MS: u64 = 60_000;
/// Steps in a row in which something was unavailable, after which it is not going to come.
const UNAVAILABLE_MAX: u32 = 60;
/// Batches that everybody has read are kept no longer than a day of many clusters can bear.
const BATCHES_REMEMBERED: usize = 1000;
/// Entries asked for at the end: more than a run makes.
const ENTRIES_MAX: usize = 1000;

type Sim = Arc<Mutex<SimCluster>>;

fn lock(cluster: &Sim) -> MutexGuard<'_, SimCluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The on-call person of one run.
#[derive(Clone)]
struct Person {
    clusters: BTreeMap<ClusterName, Sim>,
}

impl Notifier for Person {
    async fn notify(&self, key: &str, _text: &str) -> PortResult<()> {
        let service = key.rsplit('|').next().unwrap_or_default();
        let cluster = service.split('/').next().unwrap_or_default();
        if let Some(sim) = self.clusters.get(&ClusterName::from(cluster)) {
            lock(sim).page(service);
        }
        Ok(())
    }
}

type SimAgent = Agent<InMemoryBus, InMemoryHandle, EvidenceEngine, EarlyPolicy, Person>;
type SimObserver = Observer<InMemoryBus, InMemoryHandle, KubernetesReader>;
type SimActuator = Actuator<InMemoryHandle, KubernetesExecutor, InMemoryAuditLog, FileJournal, InMemoryOuterLock>;

/// What is unavailable (facts from before an act, say) is asked for again in the next step, as every role does.
#[derive(Default)]
struct Patience {
    missing: Option<PortError>,
    steps: u32,
}

impl Patience {
    fn bear(&mut self, stepped: PortResult<()>) -> PortResult<()> {
        match stepped {
            Err(error @ (PortError::Unavailable { .. } | PortError::Full { .. } | PortError::Timeout { .. })) => {
                self.missing = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    fn next(&mut self) -> PortResult<()> {
        match self.missing.take() {
            Some(error) if self.steps >= UNAVAILABLE_MAX => Err(error),
            Some(_) => {
                self.steps += 1;
                Ok(())
            }
            None => {
                self.steps = 0;
                Ok(())
            }
        }
    }
}

/// Everything of one run.
pub(super) struct World {
    now: Arc<AtomicI64>,
    bus: InMemoryBus,
    coordinator: InMemoryCoordinator,
    operator: InMemoryHandle,
    clusters: BTreeMap<ClusterName, Sim>,
    ways: BTreeMap<ClusterName, DisturbedWay>,
    observers: Vec<SimObserver>,
    actuators: Vec<SimActuator>,
    agents: Vec<SimAgent>,
    asked: BTreeMap<EntryId, Timestamp>,
    history: History,
    pub judge: Judge<InMemoryHandle>,
    heard: u64,
    published: u64,
    journals: std::path::PathBuf,
}

impl World {
    pub async fn new(
        scenario: Scenario,
        seed: u64,
        duration_s: i64,
        disturbance: &Disturbance,
        retriever: &Arc<Retriever>,
    ) -> anyhow::Result<Self> {
        let mut config = Config::default();
        config.safety.remediation.post_action_monitor_window = Span::from_s(60);
        config.observability.dependency_graph_refresh_interval = Span::from_s(5);
        config.timing.warmup = Span::from_s(WARMUP_S as i64);
        let now = Arc::new(AtomicI64::new(START.0));
        let clock = {
            let now = now.clone();
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut settings = crate::roles::coordinator::settings(&config, true);
        let earns = scenario == Scenario::Earn;
        if earns {
            compress_days(&mut settings, EARN_DAY_S);
        }
        let coordinator = InMemoryCoordinator::new(settings, key.clone(), clock.clone());
        let operator = coordinator.handle(Principal::Human("operator".into()));
        for agent in AgentKind::ALL.into_iter().filter(|_| !earns) {
            let command = Command::SetPhase { agent, phase: Phase::Autonomous, stop_epoch: 0, why: "evaluation".into() };
            operator.submit(format!("grant-{agent}").into(), command).await?;
        }
        // Names differ by seed, so that runs can be scored together.
        // A quiet day says more about three clusters, with 72 services, than about two.
        let names = if scenario == Scenario::Quiet { &["east", "north", "west"][..] } else { &["east", "west"] };
        let names: Vec<ClusterName> = names.iter().map(|n| ClusterName(format!("{n}-{seed}"))).collect();
        let plans = schedule(scenario, seed, &names, duration_s as f64, WARMUP_S);
        let bus = InMemoryBus::default().remembering(BATCHES_REMEMBERED);
        let journals = std::env::temp_dir().join(format!("picket-eval-{}-{seed}", std::process::id()));
        let (mut clusters, mut observers, mut actuators) = (BTreeMap::new(), Vec::new(), Vec::new());
        for name in &names {
            let sim = SimCluster::new(name.as_str(), seed, START, scenario.parameters()).with_faults(&plans);
            let sim = Arc::new(Mutex::new(sim));
            let tokens = ApiTokens { read: "read".into(), write: "write".into() };
            let api = |token: &str| {
                ApiObjects::new(client_from_router(kubernetes_api::router(sim.clone(), tokens.clone()), token), CALL_TIMEOUT_MS)
            };
            observers.push(Observer::new(
                ObserverSettings {
                    cluster: name.clone(),
                    name: "observer".into(),
                    facts_period_ms: config.timing.facts_period.ms(),
                    graph_refresh_ms: config.observability.dependency_graph_refresh_interval.ms(),
                    tick_ms: config.mesh.look_interval.ms(),
                    monitor_window_ms: config.safety.remediation.post_action_monitor_window.ms(),
                    detection: DetectionSettings::default(),
                },
                bus.clone(),
                coordinator.handle(Principal::Observer(name.clone())),
                KubernetesReader::new(name.clone(), api("read")),
            ));
            let settings = ActuatorSettings {
                cluster: name.clone(),
                key: key.verifying_key(),
                deadline_ms: config.timing.actuator_deadline_ms(),
                write_timeout_ms: config.timing.write_timeout.ms(),
                demonstration: true,
                journal_age_ms: config.timing.journal_age.ms(),
                journal_entries_max: 1024,
            };
            let ports = ActuatorPorts {
                coordinator: coordinator.handle(Principal::Actuator(name.clone())),
                executor: KubernetesExecutor::new(api("write")),
                audit: InMemoryAuditLog::default(),
                journal: FileJournal::open(journals.join(name.as_str()))?,
            };
            actuators.push(Actuator::new(settings, ports, None));
            clusters.insert(name.clone(), sim);
        }
        let person = Person { clusters: clusters.clone() };
        let agents = AgentKind::ALL.map(|kind| {
            let rules = config.limit_rules();
            let ports = AgentPorts {
                bus: bus.clone(),
                coordinator: coordinator.handle(Principal::Agent(kind)),
                engine: EvidenceEngine::new(retriever.clone(), EngineSettings { top_k: 5, ..EngineSettings::default() }),
                policy: EarlyPolicy { rules },
                notifier: person.clone(),
            };
            Agent::new(profile(kind), agent_settings(&names, config.mesh.look_interval.ms()), ports, seed)
        });
        // Each way has a draw of its own.
        let ways = (0..).zip(&names).map(|(n, name)| (name.clone(), DisturbedWay::new(disturbance.clone(), seed ^ (n << 32)))).collect();
        Ok(Self {
            now,
            bus,
            coordinator,
            ways,
            judge: Judge::new(operator.clone(), earns.then_some((EARN_DAY_S * 1000.0) as i64)),
            operator,
            clusters,
            observers,
            actuators,
            agents: agents.into(),
            asked: BTreeMap::new(),
            history: History::default(),
            heard: 0,
            published: 0,
            journals,
        })
    }

    /// A cluster's API, with the actuator's credentials.
    #[cfg(test)]
    pub fn written_to(&self, cluster: usize) -> ApiObjects {
        let sim = self.clusters.values().nth(cluster).expect("a cluster of the run").clone();
        let tokens = ApiTokens { read: "read".into(), write: "write".into() };
        ApiObjects::new(client_from_router(kubernetes_api::router(sim, tokens), "write"), CALL_TIMEOUT_MS)
    }

    /// Goes on for so long.
    pub async fn run(&mut self, duration_s: i64) -> anyhow::Result<()> {
        let mut now = Timestamp(self.now.load(Ordering::SeqCst));
        let end = now.plus_ms(duration_s * 1000);
        let mut patience = Patience::default();
        while now < end {
            now = now.plus_ms(STEP_MS);
            self.now.store(now.0, Ordering::SeqCst);
            self.coordinator.tick();
            self.telemetry(now).await?;
            for observer in &mut self.observers {
                patience.bear(observer.step(now).await)?;
            }
            for agent in &mut self.agents {
                patience.bear(agent.step(now).await)?;
            }
            self.listen(now).await?;
            let clock = {
                let now = self.now.clone();
                move || Timestamp(now.load(Ordering::SeqCst))
            };
            for actuator in &mut self.actuators {
                patience.bear(actuator.step(&clock, 0).await)?;
            }
            self.answer_approvals(now).await?;
            patience.next()?;
        }
        Ok(())
    }

    async fn telemetry(&mut self, now: Timestamp) -> anyhow::Result<()> {
        for (name, sim) in &self.clusters {
            let telemetry = {
                let mut sim = lock(sim);
                sim.advance_until_due(now);
                if !sim.telemetry_is_due() {
                    continue;
                }
                sim.telemetry()
            };
            let mut batches = normalise_metrics(&telemetry.metrics, name, now).0;
            batches.extend(normalise_traces(&telemetry.traces, name, now).0);
            batches.extend(normalise_logs(&telemetry.logs, name, now).0);
            for event in &telemetry.falco {
                batches.extend(normalise_falco(&serde_json::to_vec(event)?, name, now).map_err(anyhow::Error::msg)?);
            }
            let arrived = match self.ways.get_mut(name) {
                Some(way) => way.pass(batches, now),
                None => batches,
            };
            for batch in arrived {
                // Nothing is sent twice here: a number tells batches apart as well as what is in them.
                self.published += 1;
                let digest = Digest::of(&self.published.to_be_bytes());
                self.bus.publish(&batch, &digest).await?;
            }
        }
        Ok(())
    }

    async fn answer_approvals(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let stop_epoch = self.operator.status().await?.stop.epoch;
        for entry in self.operator.entries(0).await?.into_iter().filter(|e| e.state == EntryState::AwaitingApproval) {
            let since = *self.asked.entry(entry.id.clone()).or_insert(now);
            if now.since_ms(since) >= ANSWER_MS {
                let command = Command::Approve { entry: entry.id.clone(), digest: entry.digest.clone(), stop_epoch };
                self.operator.submit(format!("approve-{}", entry.id).into(), command).await?;
            }
        }
        Ok(())
    }

    /// Every word on an incident counts, not only the last.
    async fn listen(&mut self, now: Timestamp) -> anyhow::Result<()> {
        for value in self.bus.latest(IncidentRecord::TOPIC_PREFIX, self.heard).await? {
            self.heard = self.heard.max(value.revision);
            let record: IncidentRecord = serde_json::from_slice(&value.value)?;
            self.judge.hear(&record);
            self.history.take(record, now);
        }
        if self.judge.has_due(now) {
            self.judge.sit(&self.truths(), now).await?;
        }
        Ok(())
    }

    fn truths(&self) -> Vec<TruthRecord> {
        self.clusters.values().flat_map(|sim| lock(sim).truths()).collect()
    }

    pub async fn finish(self) -> anyhow::Result<(Vec<TruthRecord>, Observations, String)> {
        let truths = self.truths();
        let ledger = self.operator.entries(ENTRIES_MAX).await?;
        let told = self.history.text(START, &truths, &ledger);
        let violations = self.operator.status().await?.violations;
        let (incidents, diagnoses) = self.history.into_parts();
        _ = std::fs::remove_dir_all(&self.journals);
        Ok((truths, Observations { incidents, diagnoses, ledger, violations }, told))
    }
}

fn agent_settings(clusters: &[ClusterName], look_ms: i64) -> AgentSettings {
    let started = std::time::Instant::now();
    AgentSettings {
        name: "eval".to_owned(),
        clusters: clusters.to_vec(),
        replay: false,
        tick_ms: look_ms,
        settle_ms: look_ms,
        again_ms: look_ms,
        page_after_ms: 30_000,
        attempts_max: 4,
        detection: DetectionSettings::default(),
        correlation: CorrelationSettings::default(),
        stopwatch: Arc::new(move || started.elapsed().as_secs_f64() * 1000.0),
    }
}
