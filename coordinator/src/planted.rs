//! Faults on this crate's side, for the simulation to find. Without the feature `planted-faults` none of them is in the program.

/// A fault that can be planted, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A vote is acknowledged before it is on disk.
    VoteNotSynced,
    /// Entries are acknowledged before they are on disk.
    AcknowledgedBeforeSync,
    /// A record is taken whatever its checksum says.
    TornTailAccepted,
    /// Entries that conflict with the leader's are forgotten in memory and stay on disk.
    ConflictKeptOnDisk,
    /// The log is purged before the snapshot that replaces it is durable.
    SnapshotNotSynced,
    /// First answers are left out of snapshots.
    SnapshotWithoutAnswers,
    /// A read is served from whatever state is there.
    ReadWithoutQuorum,
    /// A read has its place in the log confirmed, and does not wait until that is applied.
    ReadBeforeApplied,
    /// The leader answers before a quorum has the command.
    AnsweredBeforeCommit,
    /// Tokens come from a counter of the node's own.
    TokenFromLocalCounter,
    /// A forwarded command gets another request id.
    ForwardedUnderNewId,
    /// A leader that restarts leads on in its old term. (This was a real one.)
    LeaderRestored,
    /// At a start the last log file is trusted to be on disk as it was read. (This was a real one.)
    LastFileTrusted,
    /// The commit hint is written also when the log has failed. (This was a real one.)
    HintAfterFailure,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::VoteNotSynced,
        Self::AcknowledgedBeforeSync,
        Self::TornTailAccepted,
        Self::ConflictKeptOnDisk,
        Self::SnapshotNotSynced,
        Self::SnapshotWithoutAnswers,
        Self::ReadWithoutQuorum,
        Self::ReadBeforeApplied,
        Self::AnsweredBeforeCommit,
        Self::TokenFromLocalCounter,
        Self::ForwardedUnderNewId,
        Self::LeaderRestored,
        Self::LastFileTrusted,
        Self::HintAfterFailure,
    ];
}

#[cfg(feature = "planted-faults")]
mod planted {
    use super::Fault;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
        static COUNTER: Cell<u64> = const { Cell::new(0) };
    }

    /// Plants a fault on this thread, or takes it out.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
        COUNTER.set(0);
    }

    /// Whether this fault is planted.
    #[must_use]
    pub fn is_planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// A number that no other replica knows.
    #[must_use]
    pub fn local_number() -> u64 {
        COUNTER.set(COUNTER.get() + 1);
        COUNTER.get()
    }
}

#[cfg(feature = "planted-faults")]
pub use planted::{is_planted, local_number, plant};

/// Never: the faults are not in the program.
#[cfg(not(feature = "planted-faults"))]
#[must_use]
#[inline]
pub const fn is_planted(_: Fault) -> bool {
    false
}

/// Never asked for: the faults are not in the program.
#[cfg(not(feature = "planted-faults"))]
#[must_use]
#[inline]
pub const fn local_number() -> u64 {
    0
}
