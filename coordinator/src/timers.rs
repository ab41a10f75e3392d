//! Raft's timers and bounds.

use crate::planted::{Fault, is_planted};
use openraft::{Config, ConfigError, SnapshotPolicy};

/// Raft's timers, in real time.
#[derive(Clone, Debug)]
pub struct RaftTimers {
    /// The leader says that it is there.
    pub heartbeat_ms: u64,
    /// A follower that has not heard the leader for `election_max_ms` (its lease: until then it votes for nobody else) waits at least
    /// this longer before it asks the others.
    pub election_min_ms: u64,
    /// And at most this; also the lease.
    pub election_max_ms: u64,
    /// The leader proposes that time has passed.
    pub tick_ms: u64,
    /// Deadline of sending a snapshot.
    pub snapshot_timeout_ms: u64,
    /// A snapshot is made after this many entries.
    pub snapshot_every: u64,
    /// Entries kept behind a snapshot, for followers that are a little late.
    pub entries_kept: u64,
}

impl Default for RaftTimers {
    fn default() -> Self {
        Self {
            heartbeat_ms: 50,
            election_min_ms: 110,
            election_max_ms: 220,
            tick_ms: 250,
            snapshot_timeout_ms: 10_000,
            snapshot_every: 200_000,
            entries_kept: 10_000,
        }
    }
}

impl RaftTimers {
    /// Of one node: those of a group make their snapshots at different times, so that most of them are always undisturbed.
    #[must_use]
    pub fn of_node(&self, id: u64) -> Self {
        Self { snapshot_every: self.snapshot_every + self.snapshot_every / 8 * (id % 4), ..self.clone() }
    }

    /// openraft's configuration.
    ///
    /// # Errors
    /// When the timers contradict each other.
    pub fn raft_config(&self) -> Result<Config, ConfigError> {
        let config = Config {
            cluster_name: "picket".to_owned(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_min_ms,
            election_timeout_max: self.election_max_ms,
            install_snapshot_timeout: self.snapshot_timeout_ms,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            max_in_snapshot_log_to_keep: self.entries_kept,
            // A batch is bounded by its bytes (`DiskLog`).
            max_payload_entries: 4096,
            // No smaller than the calls that a node takes at once: entries from the leader never wait behind them.
            api_channel_size: Some(4096),
            // A node that comes back from a partition must not unseat a healthy leader.
            enable_pre_vote: Some(true),
            // A leader that restarts may have lost entries that its followers committed, and does not know what was committed: as leader
            // of the same term it would write others in their place, and serve reads from before. It must be elected anew.
            enable_leader_restore: Some(is_planted(Fault::LeaderRestored)),
            ..Config::default()
        };
        config.validate()
    }
}
