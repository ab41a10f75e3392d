//! The whole mesh in a deterministic simulation: agents, observers, actuators and the coordinator as they ship, on simulated machines and
//! wires, around a simulated cluster that others change, too.
//!
//! One seed decides everything, as in the coordinator's own simulation, on whose runtime, disks and network this stands
//! (docs/decisions/0006, 0021). What an agent is told may be made up, what it reads may be late, twice or lost, and any role may die
//! wherever it stands; the checks look at what landed in the cluster, and at the log.

mod cast;
mod checks;
mod coordinator;
mod executor;
mod foreign;
mod liar;
pub mod planted;
mod rogue;
mod roles;
mod site;
mod telemetry;
mod way;

use cast::Mesh;
use picket_coordinator_simulation::{Happening, Options, Outcome, Summary, run_all, run_seed_of};
use picket_core::limits::LimitRules;
use picket_state_machine::Settings;
use std::sync::Arc;

/// Runs one seed.
#[must_use]
pub fn run_seed(seed: u64, keep_trace: bool) -> Outcome {
    run_seed_of(Arc::new(Mesh::default()), seed, &options(seed), keep_trace)
}

/// Runs every seed of `seeds`, and hears of each in `on_done`, in any order.
#[must_use]
pub fn run_seeds(seeds: &[u64], on_done: impl Fn(&Outcome) + Sync) -> Summary {
    let may_happen: Vec<Happening> = Happening::ALL.into_iter().chain(Happening::MESH).collect();
    run_all(seeds, &may_happen, |seed| run_seed(seed, false), on_done)
}

/// Faults are injected for this long (virtual time): the baselines need the first minute of it.
const CHAOS_MS: u64 = 170_000;

/// Every seed is set up a little differently, as the coordinator's own; lengths of time are short, so that much happens in minutes.
fn options(seed: u64) -> Options {
    let of_coordinator = Options::for_seed(seed);
    // Where the coordinator is never well, nothing is done that could go wrong.
    let peace_ms = [2_000, 6_000, 20_000][(seed / 3 % 3) as usize];
    Options { settings: settings(seed), chaos_ms: CHAOS_MS, peace_ms, ..of_coordinator }
}

fn settings(seed: u64) -> Settings {
    Settings {
        limits: LimitRules {
            // Of some seventy pods: seven, or three.
            max_fleet_restart_ratio: if seed.is_multiple_of(2) { 0.05 } else { 0.1 },
            cooldown_ms: 20_000,
            evidence_ttl_ms: 20_000,
            facts_ttl_ms: 10_000,
            warmup_ms: 20_000,
            breaker_failures: 4,
            ..LimitRules::default()
        },
        demonstration: true,
        permit_ttl_ms: 10_000,
        act_deadline_ms: 8_000,
        report_grace_ms: 4_000,
        approval_ttl_ms: 20_000,
        queue_ttl_ms: 15_000,
        sync_ttl_ms: 5_000,
        monitor_window_ms: 40_000,
        lease_ttl_ms: 15_000,
        refresh_ttl_ms: 8_000,
        preempt_grace_ms: 2_000,
        hour_ms: 60_000,
        // A run and twice the worst clock together stay below it: exactly-once must hold throughout.
        request_retention_ms: 15 * 60_000,
        entries_ended_max: 4_096,
        changes_max: 4_096,
        ..Settings::default()
    }
}
