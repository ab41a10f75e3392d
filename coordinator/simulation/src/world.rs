//! Everything there is in one run: nodes, their disks and clocks, the wires, and what was seen of it all.

use crate::actors::fleet::Fleet;
use crate::disk::Platters;
use crate::executor::{self, Owner, WORLD};
use crate::happened::Happening;
use crate::history::History;
use crate::host::{DiskLog, Machine, Node};
use crate::network::{Network, SimPeers};
use crate::options::Options;
use crate::trace::Trace;
use ed25519_dalek::SigningKey;
use openraft::BasicNode;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use picket_coordinator::log::LogError;
use picket_coordinator::raft::{Effect, Entry};
use picket_coordinator::ticks;
use picket_core::time::Timestamp;
use picket_state_machine::State;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Wall time when a run begins, in milliseconds.
const WALL_START_MS: i64 = 1_800_000_000_000;

/// One machine, with or without a process on it.
struct Machinery {
    platters: Platters,
    /// Its wall clock minus the true time, in milliseconds.
    clock_offset_ms: Arc<AtomicI64>,
    lives: u64,
    /// A process is there, though it may still be opening its log.
    up: bool,
    node: Option<Arc<Node>>,
}

/// One run.
pub struct World {
    /// How it was asked for.
    pub options: Options,
    /// Signs for the leader; known to everybody who verifies.
    pub key: SigningKey,
    machines: Mutex<BTreeMap<u64, Machinery>>,
    network: Mutex<Network>,
    history: Mutex<History>,
    fleet: Mutex<Fleet>,
    trace: Mutex<Trace>,
    /// Callers that have not gone home.
    inside: AtomicU64,
    closing: AtomicBool,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node has applied an entry: the hook of `Host`.
pub fn applied(entry: &Entry, effect: &Effect, state: &State) {
    let world = CURRENT.with_borrow(Clone::clone);
    if let Some(world) = world {
        let node = executor::current_owner();
        world.trace(format_args!("{node} applies {}", entry.log_id));
        world.history().applied(node, entry, effect, state);
    }
}

/// Something went wrong, as it was meant to.
pub fn happened(happening: Happening) {
    if let Some(world) = CURRENT.with_borrow(Clone::clone) {
        world.history().happened(happening);
    }
}

/// The power of a machine fails in the middle of a disk operation.
pub fn power_fails(id: u64) {
    if let Some(world) = CURRENT.with_borrow(Clone::clone) {
        executor::spawn_for(WORLD, async move { world.kill(id, true) });
    }
}

impl World {
    /// A world with nobody in it yet.
    #[must_use]
    pub fn new(seed: u64, options: Options, keep_trace: bool) -> Arc<Self> {
        let machines = (1..=options.nodes).map(|id| {
            let machinery = Machinery {
                platters: Platters::new(id, seed ^ (id << 32)),
                clock_offset_ms: Arc::default(),
                lives: 0,
                up: false,
                node: None,
            };
            (id, machinery)
        });
        let world = Arc::new(Self {
            key: SigningKey::from_bytes(&[7; 32]),
            machines: Mutex::new(machines.collect()),
            network: Mutex::new(Network::new(seed ^ 0x6e_6574)),
            history: Mutex::default(),
            fleet: Mutex::default(),
            trace: Mutex::new(Trace::new(keep_trace)),
            inside: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            options,
        });
        CURRENT.set(Some(world.clone()));
        world
    }

    /// Ends the run: nobody reports to it any more.
    pub fn leave() {
        CURRENT.set(None);
    }

    /// The wires.
    pub fn network(&self) -> MutexGuard<'_, Network> {
        lock(&self.network)
    }

    /// What was seen.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// What is acted on.
    pub fn fleet(&self) -> MutexGuard<'_, Fleet> {
        lock(&self.fleet)
    }

    /// Lets go of the nodes, when the run is over: they hold the world as it holds them, and neither would ever be freed.
    pub fn let_go(&self) {
        let nodes: Vec<_> = lock(&self.machines).values_mut().filter_map(|machine| machine.node.take()).collect();
        // Not under the lock: their end wakes others.
        drop(nodes);
    }

    /// Takes everything that was seen, when the run is over.
    pub fn take(&self) -> (History, Trace) {
        (std::mem::take(&mut *self.history()), std::mem::take(&mut *lock(&self.trace)))
    }

    /// Writes a line of the trace.
    pub fn trace(&self, what: fmt::Arguments<'_>) {
        lock(&self.trace).line(what);
    }

    /// A caller comes, and is counted until it has gone home: the end of the run knows whether somebody still waits.
    pub fn enter(self: &Arc<Self>, acting: impl Future<Output = ()> + Send + 'static) {
        self.inside.fetch_add(1, Ordering::Relaxed);
        let world = self.clone();
        executor::spawn_for(WORLD, async move {
            acting.await;
            world.inside.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Callers that have not gone home.
    pub fn inside(&self) -> u64 {
        self.inside.load(Ordering::Relaxed)
    }

    /// Asks the callers to finish what they are at.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether callers are to finish.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Every machine.
    #[must_use]
    pub fn ids(&self) -> Vec<Owner> {
        lock(&self.machines).keys().copied().collect()
    }

    /// The node that runs there.
    #[must_use]
    pub fn running(&self, id: u64) -> Option<Arc<Node>> {
        lock(&self.machines).get(&id)?.node.clone()
    }

    /// The disk of a machine.
    #[must_use]
    pub fn platters(&self, id: u64) -> Option<Platters> {
        Some(lock(&self.machines).get(&id)?.platters.clone())
    }

    /// Sets a machine's wall clock off by so much.
    pub fn set_clock_offset(&self, id: u64, offset_ms: i64) {
        let before = lock(&self.machines).get(&id).map(|machine| machine.clock_offset_ms.swap(offset_ms, Ordering::Relaxed));
        match before {
            Some(before) if offset_ms > before => self.history().happened(Happening::ClockAhead),
            Some(before) if offset_ms < before => self.history().happened(Happening::ClockBack),
            _ => {}
        }
    }

    /// The true wall time.
    #[must_use]
    pub fn wall() -> Timestamp {
        Timestamp(WALL_START_MS + executor::elapsed_ms() as i64)
    }

    /// Whom most of the running nodes take for the leader; the newest term's, when they differ.
    #[must_use]
    pub fn leader(&self) -> Option<u64> {
        let nodes: Vec<_> = lock(&self.machines).values().filter_map(|m| m.node.clone()).collect();
        let leading = nodes.iter().filter(|n| n.raft.is_leader());
        leading.max_by_key(|n| n.raft.metrics().borrow_watched().current_term).map(|n| n.id)
    }

    /// Starts a process on a machine that has none.
    pub fn start(self: &Arc<Self>, id: u64) {
        let (disk, offset, life) = {
            let mut machines = lock(&self.machines);
            let Some(machine) = machines.get_mut(&id).filter(|m| !m.up) else { return };
            machine.up = true;
            machine.lives += 1;
            (machine.platters.mount(), machine.clock_offset_ms.clone(), machine.lives)
        };
        self.trace(format_args!("{id} starts, life {life}"));
        let world = self.clone();
        executor::spawn_for(id, async move {
            if let Err(why) = world.serve(id, disk, offset, life).await {
                world.trace(format_args!("{id} did not start: {why}"));
                world.did_not_start(id, &why);
            }
        });
    }

    /// As `picket_coordinator::serve_on`, without sockets.
    async fn serve(self: &Arc<Self>, id: u64, disk: crate::disk::SimDisk, offset: Arc<AtomicI64>, life: u64) -> Result<(), StartError> {
        let dir = Path::new("/data");
        let log = DiskLog::open_on(disk.clone(), dir, self.options.segment_bytes).await?;
        let machine = Machine::open_on(disk, dir, self.options.settings.clone()).await?;
        let peers = SimPeers::new(id, self.clone());
        let config = self.options.timers.raft_config().map_err(|e| StartError::Raft(e.to_string()))?;
        let raft = openraft::Raft::new(id, Arc::new(config), peers.clone(), log, machine.clone()).await;
        let raft = raft.map_err(|e| StartError::Raft(e.to_string()))?;
        let clock = Arc::new(move || Self::wall().plus_ms(offset.load(Ordering::Relaxed)));
        let node = Arc::new(Node::new(id, raft.clone(), machine, peers, self.key.clone(), "simulated".to_owned(), clock));
        executor::spawn_for(id, ticks::propose_ticks(node.clone(), self.options.timers.tick_ms, format!("tick-{id}-{life}")));
        if let Some(machine) = lock(&self.machines).get_mut(&id) {
            machine.node = Some(node);
        }
        if id == 1 {
            let members: BTreeMap<u64, BasicNode> = (1..=self.options.voters).map(|id| (id, BasicNode::new(format!("n{id}")))).collect();
            match raft.initialize(members).await {
                Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
                Err(error) => return Err(StartError::Raft(error.to_string())),
            }
        }
        Ok(())
    }

    /// A node whose disk is whole must start. One whose disk fails just now is started again later.
    fn did_not_start(self: &Arc<Self>, id: u64, why: &StartError) {
        if let StartError::Log(LogError::Damaged { .. } | LogError::InUse { .. }) = why {
            self.history().refused_to_start(id, why.to_string());
        }
        let world = self.clone();
        executor::spawn_for(WORLD, async move { world.kill(id, false) });
    }

    /// The process dies at once; with `power` the whole machine, and what was not synced may be lost.
    pub fn kill(&self, id: u64, power: bool) {
        {
            let mut machines = lock(&self.machines);
            let Some(machine) = machines.get_mut(&id).filter(|m| m.up) else { return };
            machine.up = false;
            machine.platters.die(power);
        }
        self.history().happened(if power { Happening::PowerLost } else { Happening::ProcessKilled });
        self.trace(format_args!("{id} dies{}", if power { " of a power failure" } else { "" }));
        executor::kill(id);
        // Dropped after its tasks, and not under the lock: its end wakes others.
        let node = lock(&self.machines).get_mut(&id).and_then(|m| m.node.take());
        drop(node);
        self.history().died(id);
    }

    /// The node's Raft has ended by itself: its disk failed.
    #[must_use]
    pub fn has_failed(&self, id: u64) -> bool {
        self.running(id).is_some_and(|node| node.raft.metrics().borrow_watched().running_state.is_err())
    }
}

/// Why a process ended before it served.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    Raft(String),
}
