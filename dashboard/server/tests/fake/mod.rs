//! A coordinator and a bus that hold in memory just what the dashboard reads and writes.
#![allow(dead_code, reason = "each test uses a part")]

pub mod story;

use picket_core::action::Digest;
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LeaseView, LedgerEntry, PhaseView, StopView, WatchPage};
use picket_core::episodes::EpisodeGroups;
use picket_core::ids::{AgentKind, RequestId};
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::phase::{GateRule, Phase, PhaseState, gate};
use picket_core::ports::{Bus, Coordinator, Delivery, PortError, PortResult, Subscription, TopicValue};
use picket_core::scope::{FencingToken, Scope};
use picket_core::signal::SignalBatch;
use picket_core::time::Timestamp;
use picket_dashboard_server::listen::RunClock;
use picket_dashboard_server::{Dashboard, DashboardConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

struct Inner {
    entries: Vec<LedgerEntry>,
    stop: StopView,
    phases: BTreeMap<AgentKind, PhaseState>,
    answered: BTreeMap<RequestId, Answer>,
    heard: Vec<Command>,
    down: bool,
}

pub struct FakeCoordinator(Mutex<Inner>);

impl FakeCoordinator {
    pub fn new() -> Arc<Self> {
        let earned = PhaseState {
            phase: Phase::Autonomous,
            since: now().plus_ms(-3 * 86_400_000),
            because: "earned: 212 episodes over 16 days, consent by human:kim".into(),
            episodes: 212,
            correct: 207,
            groups: EpisodeGroups::of_one(207, 5),
            abstained: 31,
            first_at: Some(now().plus_ms(-16 * 86_400_000)),
            last_at: Some(now()),
            ..PhaseState::default()
        };
        let on_its_way = PhaseState {
            phase: Phase::Assist,
            episodes: 64,
            correct: 60,
            groups: EpisodeGroups::of_one(60, 4),
            abstained: 9,
            because: "granted by human:kim".into(),
            ..earned.clone()
        };
        let fresh = PhaseState { phase: Phase::Observe, because: "start".into(), since: now(), ..PhaseState::default() };
        let phases = BTreeMap::from([(AgentKind::Sre, earned), (AgentKind::FinOps, on_its_way), (AgentKind::SecOps, fresh)]);
        let inner = Inner { entries: vec![], stop: StopView::default(), phases, answered: BTreeMap::new(), heard: vec![], down: false };
        Arc::new(Self(Mutex::new(inner)))
    }

    pub fn put(&self, entry: LedgerEntry) {
        let mut inner = self.0.lock().unwrap();
        inner.entries.retain(|e| e.id != entry.id);
        inner.entries.push(entry);
    }

    pub fn advance(&self, id: &str, to: EntryState) {
        let mut inner = self.0.lock().unwrap();
        let entry = inner.entries.iter_mut().find(|e| e.id.as_str() == id).unwrap();
        entry.state = to;
        entry.history.push((now(), to));
        entry.deadline = None;
    }

    pub fn heard(&self) -> Vec<Command> {
        self.0.lock().unwrap().heard.clone()
    }

    pub fn set_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }
}

fn refused(rule: LimitRule, reason: &str) -> Answer {
    Answer::Refused { violations: vec![Violation::new(rule, None, reason)] }
}

impl Inner {
    fn command(&mut self, command: &Command) -> Answer {
        match command {
            Command::Stop { .. } => {
                self.stop = StopView { set: true, epoch: self.stop.epoch + 1, by: "human:kim".into(), ..StopView::default() };
                self.phases.values_mut().for_each(|p| p.phase = Phase::Observe);
                let open = |s: EntryState| {
                    matches!(s, EntryState::AwaitingApproval | EntryState::Queued | EntryState::Permitted | EntryState::Approved)
                };
                for entry in self.entries.iter_mut().filter(|e| open(e.state)) {
                    entry.state = EntryState::Cancelled;
                    entry.history.push((now(), EntryState::Cancelled));
                }
                Answer::Done
            }
            Command::Resume { stop_epoch } if *stop_epoch == self.stop.epoch => {
                self.stop.set = false;
                Answer::Done
            }
            Command::Resume { .. } => refused(LimitRule::Stopped, "the release names another STOP"),
            Command::Approve { entry, digest, stop_epoch } => {
                let current = self.stop.epoch;
                match self.entries.iter_mut().find(|e| e.id == *entry && e.state == EntryState::AwaitingApproval) {
                    Some(found) if found.digest == *digest && current == *stop_epoch => {
                        found.state = EntryState::Approved;
                        found.approved_by = Some("human:kim".into());
                        found.history.push((now(), EntryState::Approved));
                        Answer::Done
                    }
                    _ => refused(LimitRule::NotAllowed, "the consent names another digest or stop epoch"),
                }
            }
            Command::Deny { entry, why } => {
                match self.entries.iter_mut().find(|e| e.id == *entry && e.state == EntryState::AwaitingApproval) {
                    Some(found) => {
                        found.state = EntryState::Denied;
                        found.violations.push(Violation::new(LimitRule::DeniedByHuman, None, why.clone()));
                        found.history.push((now(), EntryState::Denied));
                        Answer::Done
                    }
                    None => refused(LimitRule::NotAllowed, "the entry waits for nobody"),
                }
            }
            _ => refused(LimitRule::NotAllowed, "not in this test"),
        }
    }
}

impl Coordinator for FakeCoordinator {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        let mut inner = self.0.lock().unwrap();
        if let Some(answer) = inner.answered.get(&request_id) {
            return Ok(answer.clone());
        }
        let answer = inner.command(&command);
        inner.heard.push(command);
        inner.answered.insert(request_id, answer.clone());
        Ok(answer)
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        let inner = self.0.lock().unwrap();
        if inner.down {
            return Err(PortError::Unavailable { what: "the coordinator".into(), why: "no leader".into() });
        }
        let holds = |e: &&LedgerEntry| matches!(e.state, EntryState::Permitted | EntryState::Claimed | EntryState::Observing);
        let leases = inner.entries.iter().filter(holds).flat_map(|e| {
            e.tokens.iter().map(|(scope, token)| LeaseView {
                scope: scope.clone(),
                holder: e.id.to_string(),
                token: *token,
                expires_at: e.history[0].0.plus_ms(60_000),
                waiting: vec![],
                preempt_at: None,
            })
        });
        let phase =
            |state: &PhaseState| PhaseView { state: state.clone(), gate: gate(state, &GateRule::default()), judgements_due: vec![] };
        Ok(CoordinatorStatus {
            now: now(),
            revision: inner.heard.len() as u64 + 411,
            leader: Some(2),
            restore_epoch: 1,
            demonstration: true,
            stop: inner.stop.clone(),
            phases: inner.phases.iter().map(|(kind, state)| (*kind, phase(state))).collect(),
            leases: leases.collect(),
            violations: picket_core::invariants::no_violations(),
            facts_age_ms: BTreeMap::from([("east".into(), 1200), ("west".into(), 900)]),
            breakers: BTreeMap::new(),
            leases_total: 0,
            policy_version: 0,
            backup_revision: 0,
            restore: None,
        })
    }

    async fn entries(&self, _settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        Ok(self.0.lock().unwrap().entries.clone())
    }

    async fn watch(&self, revision: u64, _wait_ms: u64) -> PortResult<WatchPage> {
        Ok(WatchPage { changes: vec![], revision, compacted: false })
    }
}

#[derive(Default)]
pub struct FakeBus(Mutex<(u64, BTreeMap<String, TopicValue>)>);

impl Bus for FakeBus {
    async fn publish(&self, _batch: &SignalBatch, _dedupe: &Digest) -> PortResult<()> {
        Ok(())
    }
    async fn pull(&self, _from: &Subscription, _max: usize, _wait_ms: u64) -> PortResult<Vec<Delivery>> {
        Ok(vec![])
    }
    async fn acknowledge(&self, _from: &Subscription, _sequence: u64) -> PortResult<()> {
        Ok(())
    }
    async fn put(&self, topic: &str, value: Vec<u8>) -> PortResult<()> {
        let mut inner = self.0.lock().unwrap();
        inner.0 += 1;
        let word = TopicValue { topic: topic.to_owned(), value, revision: inner.0 };
        inner.1.insert(topic.to_owned(), word);
        Ok(())
    }
    async fn latest(&self, prefix: &str, since: u64) -> PortResult<Vec<TopicValue>> {
        let inner = self.0.lock().unwrap();
        Ok(inner.1.values().filter(|word| word.topic.starts_with(prefix) && word.revision > since).cloned().collect())
    }
}

pub fn scope(namespace: &str) -> Scope {
    Scope::Namespace("east".into(), namespace.into())
}

pub fn token(counter: u64) -> FencingToken {
    FencingToken::new(0, counter)
}

pub struct Running {
    pub address: SocketAddr,
    pub coordinator: Arc<FakeCoordinator>,
    pub bus: Arc<FakeBus>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

pub async fn start() -> Running {
    let (coordinator, bus) = (FakeCoordinator::new(), Arc::new(FakeBus::default()));
    let config = DashboardConfig { person: "human:kim".into(), poll_ms: 100, ..DashboardConfig::default() };
    let dashboard = Dashboard::bind(config).await.unwrap();
    let address = dashboard.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let clock: RunClock = Arc::new(now);
    let (reader, human, of_bus) = (coordinator.clone(), coordinator.clone(), bus.clone());
    let task = tokio::spawn(async move {
        dashboard.run(reader, human, of_bus, clock, async move { _ = stopped.await }).await.unwrap();
    });
    Running { address, coordinator, bus, stop: Some(stop), task }
}

impl Running {
    /// Ends the server gracefully; hangs if a listening page holds it.
    pub async fn end(mut self) {
        _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap();
    }
}
