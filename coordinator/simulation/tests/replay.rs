//! A seed replays exactly.

use picket_coordinator_simulation::{Options, run_seed};

#[test]
fn two_runs_of_one_seed_write_the_same_trace() {
    for seed in [1, 2, 3, 4, 5] {
        let (first, second) = (run_seed(seed, &Options::default(), true), run_seed(seed, &Options::default(), true));
        assert!(first.entries > 100, "seed {seed} wrote only {} entries", first.entries);
        assert!(first.trace == second.trace, "seed {seed}: {}", first_difference(&first.trace, &second.trace));
    }
    assert_ne!(run_seed(1, &Options::default(), false).trace_digest, run_seed(2, &Options::default(), false).trace_digest);
}

fn first_difference(a: &str, b: &str) -> String {
    let different = a.lines().zip(b.lines()).enumerate().find(|(_, (a, b))| a != b);
    different.map_or_else(|| "one is longer".to_owned(), |(n, (a, b))| format!("line {n}:\n{a}\n{b}"))
}
