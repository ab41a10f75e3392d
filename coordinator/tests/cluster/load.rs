//! Clients that write without pause, and what they were promised.

use crate::group::{Group, lease, release, scope};
use picket_coordinator_client::CoordinatorClient;
use picket_core::ids::Principal;
use picket_core::ports::Coordinator as _;
use picket_core::scope::FencingToken;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Every so many cycles a writer keeps what it took, so that there is something to lose.
const KEEP_EVERY: u64 = 20;
/// Kept by one writer at most: a status shows a thousand.
const KEPT_MAX: usize = 100;

/// Writers that take and release a lease of their own, again and again.
pub struct Load {
    stop: Arc<AtomicBool>,
    cycles: Arc<AtomicU64>,
    last: Arc<Mutex<Instant>>,
    longest_gap: Arc<Mutex<Duration>>,
    writers: JoinSet<BTreeMap<String, FencingToken>>,
}

impl Load {
    /// Begins, with clients that know these nodes.
    pub fn start(group: &Group, nodes: &[u64], writers: usize) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            cycles: Arc::default(),
            last: Arc::new(Mutex::new(Instant::now())),
            longest_gap: Arc::default(),
            writers: JoinSet::new(),
        };
        for writer in 0..writers {
            let client = group.client(&Principal::Human("test".into()), nodes);
            let (stop, cycles) = (load.stop.clone(), load.cycles.clone());
            let (last, gap) = (load.last.clone(), load.longest_gap.clone());
            load.writers.spawn(async move {
                let mut kept = BTreeMap::new();
                let mut before = None;
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("w{writer}");
                    let token = lease(&client, &format!("take-{writer}-{n}"), &name).await.unwrap();
                    assert!(Some(token) > before, "{token} after {before:?} (I2)");
                    before = Some(token);
                    release(&client, &format!("give-{writer}-{n}"), &name, token).await;
                    if n % KEEP_EVERY == 0 && kept.len() < KEPT_MAX {
                        let name = format!("kept-{writer}-{n}");
                        let token = lease(&client, &name, &name).await.unwrap();
                        assert!(Some(token) > before, "{token} after {before:?} (I2)");
                        before = Some(token);
                        kept.insert(name, token);
                    }
                    let now = Instant::now();
                    let since = std::mem::replace(&mut *last.lock().unwrap(), now);
                    let mut longest = gap.lock().unwrap();
                    *longest = longest.max(now - since);
                    drop(longest);
                    cycles.fetch_add(1, Ordering::Relaxed);
                }
                kept
            });
        }
        load
    }

    /// Cycles that were answered so far.
    pub fn cycles(&self) -> u64 {
        self.cycles.load(Ordering::Relaxed)
    }

    /// Longest time in which no writer at all was answered, since it was asked last.
    pub fn take_longest_gap(&self) -> Duration {
        std::mem::take(&mut *self.longest_gap.lock().unwrap())
    }

    /// Returns once so many more cycles were answered.
    pub async fn goes_on_for(&self, more: u64) {
        let until = self.cycles() + more;
        crate::group::eventually("the writers are answered", || async { (self.cycles() >= until).then_some(()) }).await;
    }

    /// Ends, and sees that everything that was promised is there.
    pub async fn end(mut self, client: &CoordinatorClient) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut promised = BTreeMap::new();
        while let Some(kept) = self.writers.join_next().await {
            promised.extend(kept.unwrap());
        }
        assert!(!promised.is_empty());
        let status = client.status().await.unwrap();
        for (name, token) in &promised {
            let held = status.leases.iter().find(|l| l.scope == scope(name)).map(|l| l.token);
            assert_eq!(held, Some(*token), "{name} was acknowledged");
        }
        self.cycles()
    }
}
