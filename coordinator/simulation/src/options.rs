//! How a run is set up. The lengths of time are short, so that much happens in a minute.

use picket_coordinator::RaftTimers;
use picket_core::limits::LimitRules;
use picket_state_machine::Settings;

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Machines.
    pub nodes: u64,
    /// Of those, the ones that found the group.
    pub voters: u64,
    /// Of the state machine.
    pub settings: Settings,
    /// Of Raft.
    pub timers: RaftTimers,
    /// A new log file is begun after this many bytes.
    pub segment_bytes: u64,
    /// Faults are injected for this long (virtual time).
    pub chaos_ms: u64,
    /// Between two troubles there is at least so much peace (virtual time).
    pub peace_ms: u64,
    /// Then everything is healed, and within this everybody must have an answer.
    pub heal_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            voters: 3,
            settings: settings(),
            timers: RaftTimers { snapshot_timeout_ms: 1_000, snapshot_every: 60, entries_kept: 20, ..RaftTimers::default() },
            segment_bytes: 8 << 10,
            chaos_ms: 25_000,
            peace_ms: 0,
            heal_ms: 30_000,
        }
    }
}

impl Options {
    /// Every seed is set up a little differently: most with three nodes, some with five, or with two spare ones; snapshots
    /// often or seldom.
    #[must_use]
    pub fn for_seed(seed: u64) -> Self {
        let (nodes, voters) = match seed % 5 {
            3 => (5, 3),
            4 => (5, 5),
            _ => (3, 3),
        };
        let snapshot_every = [40, 80, 160, 5_000][(seed / 5 % 4) as usize];
        let options = Self::default();
        let timers = RaftTimers { snapshot_every, entries_kept: snapshot_every / 4, ..options.timers };
        Self { nodes, voters, timers, ..options }
    }
}

fn settings() -> Settings {
    Settings {
        limits: LimitRules {
            max_fleet_restart_ratio: 0.25,
            cooldown_ms: 4_000,
            evidence_ttl_ms: 8_000,
            facts_ttl_ms: 4_000,
            breaker_failures: 3,
            ..LimitRules::default()
        },
        demonstration: true,
        permit_ttl_ms: 4_000,
        act_deadline_ms: 4_000,
        report_grace_ms: 3_000,
        approval_ttl_ms: 8_000,
        queue_ttl_ms: 6_000,
        sync_ttl_ms: 1_000,
        monitor_window_ms: 3_000,
        lease_ttl_ms: 8_000,
        refresh_ttl_ms: 3_000,
        preempt_grace_ms: 1_000,
        hour_ms: 6_000,
        entries_ended_max: 64,
        changes_max: 128,
        ..Settings::default()
    }
}
