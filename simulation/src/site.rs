//! The cluster that is acted on, and everything that the checks need to know of what happened in it.

use picket_adapters::in_memory::{InMemoryAuditLog, InMemoryBus};
use picket_coordinator_simulation::World;
use picket_core::ids::{ClusterName, EntryId};
use picket_core::outcome::ObjectRef;
use picket_loadtest::SimCluster;
use picket_loadtest::scenario::{Scenario, schedule};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one cluster.
pub const CLUSTER: &str = "east";
/// No fault begins before: the first baselines need it.
const QUIET_S: f64 = 45.0;

/// An act's write that the cluster took.
#[derive(Clone, Debug)]
pub struct Write {
    pub entry: EntryId,
    pub object: ObjectRef,
    /// The version that the write was conditioned on; empty where it made the object.
    pub on_version: String,
}

/// A machine that actuators run on, one life after the other: its disk and its audit log outlive them.
#[derive(Debug)]
pub struct Machine {
    pub journal: PathBuf,
    pub audit: InMemoryAuditLog,
}

/// One run's cluster.
pub struct Site {
    pub name: ClusterName,
    pub sim: Arc<Mutex<SimCluster>>,
    pub bus: InMemoryBus,
    pub machines: Vec<Machine>,
    writes: Mutex<Vec<Write>>,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// A cluster with faults that are drawn from the seed.
    pub fn new(seed: u64, chaos_s: f64, machines: usize) -> Self {
        let name = ClusterName::from(CLUSTER);
        let scenario = Scenario::Demo;
        let plans = schedule(scenario, seed, std::slice::from_ref(&name), chaos_s, QUIET_S);
        let sim = SimCluster::new(CLUSTER, seed, World::wall(), scenario.parameters()).with_faults(&plans);
        let root = std::env::temp_dir().join(format!("picket-mesh-{}-{seed}-{}", std::process::id(), next_run()));
        let machine = |n: usize| Machine { journal: root.join(n.to_string()), audit: InMemoryAuditLog::default() };
        Self {
            name,
            sim: Arc::new(Mutex::new(sim)),
            bus: InMemoryBus::default(),
            machines: (0..machines).map(machine).collect(),
            writes: Mutex::default(),
        }
    }

    pub fn cluster(&self) -> MutexGuard<'_, SimCluster> {
        lock(&self.sim)
    }

    pub fn writes(&self) -> MutexGuard<'_, Vec<Write>> {
        lock(&self.writes)
    }

    /// A person is called.
    pub fn page(&self, service: &str) {
        self.cluster().page(service);
    }

    /// What a run leaves on this machine's disk.
    pub fn sweep(&self) {
        if let Some(root) = self.machines.first().and_then(|machine| machine.journal.parent()) {
            _ = std::fs::remove_dir_all(root);
        }
    }
}

/// Runs of one seed in one process keep apart; nothing in a run depends on the number.
fn next_run() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed)
}
