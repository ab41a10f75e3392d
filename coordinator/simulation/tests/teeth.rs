//! The checks have teeth: every planted fault is found. Built with `--features planted-faults` alone.
#![cfg(feature = "planted-faults")]

use picket_coordinator::planted as node;
use picket_coordinator_simulation::{Options, run_seed};
use picket_state_machine as rule;
use std::fmt;

/// Seeds that a fault may take to be found.
const SEEDS_MAX: u64 = 200;

/// The state machine's faults that a run of this simulation shows soon: its own tests find them all.
const RULES: [rule::Fault; 2] = [rule::Fault::ConsentWithoutStopEpoch, rule::Fault::FenceNotAwaited];

/// Whose fault.
#[derive(Clone, Copy)]
enum Planted {
    Node(node::Fault),
    Rule(rule::Fault),
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(fault) => write!(f, "{fault:?}"),
            Self::Rule(fault) => write!(f, "{fault:?}"),
        }
    }
}

impl Planted {
    fn all() -> Vec<Self> {
        node::Fault::ALL.into_iter().map(Self::Node).chain(RULES.into_iter().map(Self::Rule)).collect()
    }

    fn plant(self) {
        match self {
            Self::Node(fault) => node::plant(Some(fault)),
            Self::Rule(fault) => rule::plant(Some(fault)),
        }
    }
}

/// The first seed that finds it, and what it says.
fn hunt(planted: Planted) -> Option<(u64, String)> {
    (1..=SEEDS_MAX).find_map(|seed| {
        // Planted anew: each run starts with the fault and nothing left over.
        planted.plant();
        let outcome = run_seed(seed, &Options::for_seed(seed), false);
        node::plant(None);
        rule::plant(None);
        let first = outcome.findings.first()?;
        Some((seed, first.to_string().chars().take(160).collect()))
    })
}

#[test]
fn every_planted_fault_is_found() {
    let all = Planted::all();
    let mut missed = Vec::new();
    // Faults are planted per thread, so several can be hunted at once.
    std::thread::scope(|scope| {
        let hunts: Vec<_> = all.iter().map(|planted| (planted, scope.spawn(|| hunt(*planted)))).collect();
        for (planted, hunting) in hunts {
            match hunting.join().unwrap() {
                Some((seeds, what)) => println!("{planted}: found within {seeds} seeds: {what}"),
                None => missed.push(planted.to_string()),
            }
        }
    });
    assert_eq!(missed, Vec::<String>::new(), "not found within {SEEDS_MAX} seeds");
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 1..=10 {
        let outcome = run_seed(seed, &Options::for_seed(seed), false);
        assert_eq!(outcome.findings, vec![], "seed {seed}");
    }
}
