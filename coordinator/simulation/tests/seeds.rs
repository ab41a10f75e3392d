//! Seeds that once found something, and fresh ones in every run.

use picket_coordinator_simulation::{Options, Outcome, run_seed, run_seeds};
use rand::{RngExt as _, SeedableRng as _};
use std::hash::{BuildHasher as _, RandomState};

/// Each of these failed once; the comment says of what.
const REGRESSIONS: &[u64] = &[1, 2, 3, 4, 5];
/// Fresh seeds in every run.
const FRESH: u64 = 200;

fn tell(outcome: &Outcome) {
    for finding in &outcome.findings {
        println!("seed {}: {}", outcome.seed, finding.to_string().chars().take(1_000).collect::<String>());
    }
}

fn run(seeds: &[u64]) {
    let summary = run_seeds(seeds, Options::for_seed, tell);
    println!("{}", serde_json::to_string(&summary).unwrap());
    assert_eq!(summary.failed_seeds, Vec::<u64>::new(), "each is one command: picket sim coordinator --seeds 1 --from SEED --trace FILE");
    assert!(summary.entries > 100 * summary.seeds, "the logs are too short to show anything: {summary:?}");
}

#[test]
fn seeds_that_once_failed_find_nothing() {
    run(REGRESSIONS);
}

/// `PICKET_SIM_FROM` and `PICKET_SIM_SEEDS` choose others; `PICKET_SIM_TRACE` names a file for the first one's trace.
#[test]
fn fresh_seeds_find_nothing() {
    let chosen = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count = chosen("PICKET_SIM_SEEDS").unwrap_or(FRESH);
    // The one draw that is not replayed: it chooses the seeds, and a failing one is printed.
    let drawn = rand::rngs::SmallRng::seed_from_u64(RandomState::new().hash_one(0)).random_range(0..1 << 40);
    let from = chosen("PICKET_SIM_FROM").unwrap_or(drawn);
    println!("{count} seeds from {from}");
    if let Ok(path) = std::env::var("PICKET_SIM_TRACE") {
        std::fs::write(path, run_seed(from, &Options::for_seed(from), true).trace).unwrap();
    }
    run(&(from..from + count).collect::<Vec<_>>());
}
