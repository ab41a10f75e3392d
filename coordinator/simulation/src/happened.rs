//! What went wrong in a run, counted where it took effect and not where it was planned: a campaign shows that nothing was left out.

use serde::Serialize;
use std::collections::BTreeMap;

/// Something that may go wrong, or late, or twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A message ran into a wire that was cut in its direction only.
    CutOneWay,
    /// A message ran into a wire that was cut in both directions.
    CutBothWays,
    /// A message was lost.
    MessageLost,
    /// A message came twice.
    MessageDoubled,
    /// A message came before one that was sent earlier the same way.
    MessageOvertaken,
    /// A process died; the page cache stayed.
    ProcessKilled,
    /// A machine lost power.
    PowerLost,
    /// Of an unsynced write a part survived.
    WriteTorn,
    /// An unsynced write was lost whole.
    WriteLost,
    /// A sync failed.
    SyncFailed,
    /// A sync took longer than a heartbeat.
    SyncSlow,
    /// A process was stopped while it had something to do.
    Paused,
    /// A wall clock jumped ahead.
    ClockAhead,
    /// A wall clock was set back.
    ClockBack,
    /// Others are the members.
    MembersChanged,
    /// A leader handed its place over, as it was asked to.
    HandedOver,
    /// Another term began.
    LeaderChanged,
    /// A snapshot was made or installed.
    SnapshotWritten,
    /// A snapshot came from another node.
    SnapshotInstalled,
    /// A log file was removed: purged, or taken back whole.
    LogFileRemoved,
    /// An actuator claimed with a permit that it had used or missed before.
    OldPermitUsed,
    /// A holder named a token that was over.
    OldTokenUsed,
    /// Somebody waited in line for a lease.
    LeaseQueued,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::CutOneWay,
        Self::CutBothWays,
        Self::MessageLost,
        Self::MessageDoubled,
        Self::MessageOvertaken,
        Self::ProcessKilled,
        Self::PowerLost,
        Self::WriteTorn,
        Self::WriteLost,
        Self::SyncFailed,
        Self::SyncSlow,
        Self::Paused,
        Self::ClockAhead,
        Self::ClockBack,
        Self::MembersChanged,
        Self::HandedOver,
        Self::LeaderChanged,
        Self::SnapshotWritten,
        Self::SnapshotInstalled,
        Self::LogFileRemoved,
        Self::OldPermitUsed,
        Self::OldTokenUsed,
        Self::LeaseQueued,
    ];
}

/// How often each happened.
pub type Happened = BTreeMap<Happening, u64>;

/// Each of them, none yet.
#[must_use]
pub fn nothing() -> Happened {
    Happening::ALL.into_iter().map(|happening| (happening, 0)).collect()
}
