//! Many seeds, on every core, and what they came to together.

use crate::finding::Kind;
use crate::happened::{Happened, Happening, none_of};
use crate::options::Options;
use crate::run::{Outcome, run_seed};
use picket_core::invariants::{Invariant, no_violations};
use serde::Serialize;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a campaign came to. Its JSON is the contract of `picket sim coordinator --json` and `picket sim mesh --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Polls of tasks over all seeds.
    pub steps: u64,
    /// Seeds with a violation, by invariant; every invariant is listed.
    pub violations: BTreeMap<Invariant, u64>,
    /// Seeds that broke any other promise: replicas, lost_command, linearizability, liveness, refused_to_start, panic.
    pub other: BTreeMap<String, u64>,
    /// Seeds that found anything, in order.
    pub failed_seeds: Vec<u64>,
    /// Entries of the logs, over all seeds.
    pub entries: u64,
    /// Calls that were made, over all seeds.
    pub calls: u64,
    /// Of those, answered.
    pub answered: u64,
    /// What went wrong as it was meant to, over all seeds; everything that may is listed.
    pub happened: Happened,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.entries += outcome.entries;
        self.answered += outcome.answered.0;
        self.calls += outcome.answered.1;
        for (happening, count) in &outcome.happened {
            *self.happened.entry(*happening).or_default() += count;
        }
        if !outcome.findings.is_empty() {
            self.failed_seeds.push(outcome.seed);
        }
        let mut kinds: Vec<_> = outcome.findings.iter().map(|f| f.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            match kind {
                Kind::Invariant(invariant) => *self.violations.entry(invariant).or_default() += 1,
                other => *self.other.entry(other.to_string()).or_default() += 1,
            }
        }
    }
}

/// Runs every seed of `seeds`, each with the options that `options_of` gives it, and hears of each in `on_done`, in any order.
#[must_use]
pub fn run_seeds(seeds: &[u64], options_of: impl Fn(u64) -> Options + Sync, on_done: impl Fn(&Outcome) + Sync) -> Summary {
    run_all(seeds, &Happening::ALL, |seed| run_seed(seed, &options_of(seed), false), on_done)
}

/// Runs every seed of `seeds` with `run`, and hears of each in `on_done`, in any order. `may_happen` is listed also where it did not.
#[must_use]
pub fn run_all(seeds: &[u64], may_happen: &[Happening], run: impl Fn(u64) -> Outcome + Sync, on_done: impl Fn(&Outcome) + Sync) -> Summary {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary { violations: no_violations(), happened: none_of(may_happen.iter().copied()), ..Summary::default() });
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(seeds.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let outcome = run(*seed);
                    on_done(&outcome);
                    summary.lock().unwrap_or_else(PoisonError::into_inner).add(&outcome);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failed_seeds.sort_unstable();
    summary
}
