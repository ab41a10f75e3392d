//! The roles as they ship, one life after another: each may die wherever it stands, and the next knows only what lies on the disk.

use crate::coordinator::{Serves, SimCoordinator};
use crate::executor::{Hands, Record};
use crate::liar::{Engine, Liar, LyingModel};
use crate::site::Site;
use crate::way::{Credentials, SimWay};
use picket_adapters::in_memory::InMemoryOuterLock;
use picket_adapters::journal::FileJournal;
use picket_adapters::kubernetes::{ApiObjects, Reader};
use picket_coordinator_simulation::client::Client;
use picket_coordinator_simulation::{Happening, World, executor};
use picket_core::ids::{AgentKind, Principal};
use picket_core::limits::LimitRules;
use picket_core::ports::{Notifier, PortResult};
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, DetectionSettings};
use picket_diagnosis::model::{AdvisedEngine, Caps, Panel, Price};
use picket_diagnosis::{EvidenceEngine, Retriever, Settings as EngineSettings};
use picket_pipeline::actuator::{Actuator, ActuatorPorts, ActuatorSettings};
use picket_pipeline::agent::{Agent, AgentPorts, AgentProfile, AgentSettings};
use picket_pipeline::early_policy::EarlyPolicy;
use picket_pipeline::observer::{Observer, ObserverSettings};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::future::Future;
use std::sync::Arc;

/// From one step of a role to the next.
const STEP_MS: u64 = 1_000;
/// The actuator looks more often.
const ACTUATOR_STEP_MS: u64 = 200;
/// A life may end after this long; half of them do not.
const LIFE_MS: (u64, u64) = (20_000, 150_000);

/// One run's stage for a role.
#[derive(Clone)]
pub struct Stage {
    pub world: Arc<World>,
    pub site: Arc<Site>,
    pub retriever: Arc<Retriever>,
    pub rules: LimitRules,
    pub seed: u64,
}

/// Lives of one role until the run closes; `live` is one of them, from its start.
pub async fn lives<F: Future<Output = ()> + Send>(world: Arc<World>, seed: u64, live: impl Fn(u64) -> F) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6c69_6665);
    let mut life = 0;
    while !world.is_closing() {
        life += 1;
        let dies_after_ms = if rng.random_bool(0.5) { rng.random_range(LIFE_MS.0..LIFE_MS.1) } else { u64::MAX / 2_000_000 };
        let dies = async {
            executor::sleep_ms(dies_after_ms).await;
            if world.history().healed_ms.is_some() {
                std::future::pending::<()>().await;
            }
        };
        let dies = tokio::select! {
            biased;
            () = live(life) => false,
            () = dies => true,
        };
        if dies {
            world.history().happened(Happening::RoleKilled);
            executor::sleep_ms(rng.random_range(500..6_000)).await;
        }
    }
}

/// The wall clock of a process, which may be off.
fn clock(offset_ms: i64) -> impl Fn() -> Timestamp + Send + Sync {
    move || World::wall().plus_ms(offset_ms)
}

fn tell(world: &World, who: &str, stepped: PortResult<()>) {
    if let Err(error) = stepped {
        world.trace(format_args!("{who}: {error}"));
    }
}

/// Steps until the run closes.
macro_rules! steps {
    ($world:expr, $who:expr, $every_ms:expr, $step:expr) => {
        while !$world.is_closing() {
            tell(&$world, $who, $step.await);
            executor::sleep_ms($every_ms).await;
        }
    };
}

impl Stage {
    fn client(&self, principal: Principal, name: &str, salt: u64) -> Client {
        Client::new(&self.world, principal, name, self.seed ^ salt)
    }

    pub async fn agent(self, kind: AgentKind, lies: bool, life: u64) {
        let salt = ((kind as u64 + 1) << 44) ^ (life << 32);
        let name = format!("{kind}-{life}");
        let client = self.client(Principal::Agent(kind), &name, salt);
        let profile = match kind {
            AgentKind::Sre => picket_agent_sre::profile(),
            AgentKind::FinOps => picket_agent_finops::profile(),
            AgentKind::SecOps => picket_agent_secops::profile(),
        };
        let ports = AgentPorts {
            bus: self.site.bus.clone(),
            coordinator: SimCoordinator::new(&self.world, client, Serves::Anyone),
            engine: self.engine(lies, self.seed ^ salt),
            policy: EarlyPolicy { rules: self.rules.clone() },
            notifier: OnCall(self.site.clone()),
        };
        let settings = agent_settings(&name, &self.site);
        let mut agent = Agent::new(busy(profile), settings, ports, life);
        steps!(self.world, &name, STEP_MS, agent.step(World::wall()));
    }

    fn engine(&self, lies: bool, seed: u64) -> Engine {
        let honest = || EvidenceEngine::new(self.retriever.clone(), EngineSettings { top_k: 5, ..EngineSettings::default() });
        if lies {
            return Engine::Lying(Box::new(Liar::new(honest(), &self.world, seed)));
        }
        let free = Price { input: 0.0, output: 0.0 };
        let panel = Panel {
            models: vec![(LyingModel::new(&self.world, seed), free), (LyingModel::new(&self.world, seed ^ 1), free)],
            output_tokens_max: 100,
            caps: Caps { hour_micro_usd: 1_000_000, incident_micro_usd: 1_000_000 },
            wait_ms: 0,
            compressor: None,
        };
        let advised = Box::new(AdvisedEngine::new(honest(), panel));
        Engine::Advised { advised, alone: Box::new(honest()), world: self.world.clone() }
    }

    pub async fn observer(self, number: u64, life: u64) {
        let salt = (number << 48) ^ (life << 32) ^ 0x6f;
        let name = format!("observer{number}-{life}");
        let client = self.client(Principal::Observer(self.site.name.clone()), &name, salt);
        let reader =
            Reader::new(self.site.name.clone(), ApiObjects::by(SimWay::new(&self.world, &self.site, Credentials::Read, self.seed ^ salt)));
        let settings = ObserverSettings {
            cluster: self.site.name.clone(),
            name: name.clone(),
            facts_period_ms: 2_000,
            graph_refresh_ms: 5_000,
            tick_ms: 5_000,
            monitor_window_ms: 40_000,
            detection: DetectionSettings::default(),
        };
        let coordinator = SimCoordinator::new(&self.world, client, Serves::Observer);
        let mut observer = Observer::new(settings, self.site.bus.clone(), coordinator, reader);
        steps!(self.world, &name, STEP_MS, observer.step(World::wall()));
    }

    pub async fn actuator(self, machine: usize, life: u64) {
        let salt = ((machine as u64 + 1) << 52) ^ (life << 32) ^ 0x61;
        let name = format!("actuator{machine}-{life}");
        let client = self.client(Principal::Actuator(self.site.name.clone()), &name, salt);
        let Some(on) = self.site.machines.get(machine) else { return };
        let journal = match FileJournal::open(&on.journal) {
            Ok(journal) => journal,
            Err(error) => return tell(&self.world, &name, Err(error)),
        };
        let settings = ActuatorSettings {
            cluster: self.site.name.clone(),
            key: self.world.key.verifying_key(),
            deadline_ms: 6_000,
            write_timeout_ms: 2 * crate::way::CALL_MS as i64,
            demonstration: true,
            journal_age_ms: 24 * 3_600_000,
            journal_entries_max: 1_024,
        };
        let serves = Serves::Actuator { audit: on.audit.clone(), site: self.site.clone() };
        let ports = ActuatorPorts {
            coordinator: SimCoordinator::new(&self.world, client, serves),
            executor: Hands::new(SimWay::new(&self.world, &self.site, Credentials::Write, self.seed ^ salt)),
            audit: Record(on.audit.clone()),
            journal,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ salt);
        let clock = clock(rng.random_range(-60_000..60_000));
        let mut actuator = Actuator::<_, _, _, _, InMemoryOuterLock>::new(settings, ports, None);
        steps!(self.world, &name, ACTUATOR_STEP_MS, actuator.step(&clock, 300));
    }
}

/// A run is short: what can wait does not.
fn busy(profile: AgentProfile) -> AgentProfile {
    AgentProfile { patient: false, ..profile }
}

fn agent_settings(name: &str, site: &Site) -> AgentSettings {
    AgentSettings {
        name: name.to_owned(),
        clusters: vec![site.name.clone()],
        replay: false,
        tick_ms: 5_000,
        settle_ms: 5_000,
        again_ms: 5_000,
        page_after_ms: 30_000,
        attempts_max: 4,
        detection: DetectionSettings::default(),
        correlation: CorrelationSettings::default(),
        stopwatch: Arc::new(|| 0.0),
    }
}

/// Who is paged.
struct OnCall(Arc<Site>);

impl Notifier for OnCall {
    async fn notify(&self, key: &str, _text: &str) -> PortResult<()> {
        self.0.page(key.rsplit('|').next().unwrap_or_default());
        Ok(())
    }
}
