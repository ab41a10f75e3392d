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
    /// An agent, an observer or an actuator died where it stood, and a new life began.
    RoleKilled,
    /// Two of a kind were at work at once.
    RoleDoubled,
    /// A request to the cluster's API was lost before it arrived.
    ApiUnreachable,
    /// A write to the cluster landed, and its answer was lost or came too late.
    AnswerLost,
    /// A write to the cluster landed after its sender had given up on it.
    WriteLate,
    /// A write or a fence was turned away because the object had changed.
    WriteConflicted,
    /// Somebody else changed an object that picket had changed or was about to.
    ForeignChange,
    /// Telemetry came twice.
    TelemetryDoubled,
    /// Telemetry came late.
    TelemetryLate,
    /// Telemetry was lost.
    TelemetryLost,
    /// A reading of the cluster was long on its way to the coordinator.
    FactsLate,
    /// A diagnosis was made up.
    DiagnosisInvented,
    /// A model answered with something made up.
    ModelLied,
    /// Two agents wanted the same service at the same time.
    AgentsCollided,
    /// A permit was altered on its way to the actuator.
    PermitForged,
    /// A person approved another digest than the entry's.
    WrongDigestApproved,
    /// An act landed in the cluster.
    ActLanded,
    /// An act was taken back.
    ActUndone,
}

impl Happening {
    /// What befalls roles, telemetry, models and the cluster that is acted on; in a run of the whole mesh only.
    pub const MESH: [Self; 18] = [
        Self::RoleKilled,
        Self::RoleDoubled,
        Self::ApiUnreachable,
        Self::AnswerLost,
        Self::WriteLate,
        Self::WriteConflicted,
        Self::ForeignChange,
        Self::TelemetryDoubled,
        Self::TelemetryLate,
        Self::TelemetryLost,
        Self::FactsLate,
        Self::DiagnosisInvented,
        Self::ModelLied,
        Self::AgentsCollided,
        Self::PermitForged,
        Self::WrongDigestApproved,
        Self::ActLanded,
        Self::ActUndone,
    ];

    /// What befalls the coordinator and its callers.
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

/// Each of these, none yet.
#[must_use]
pub fn none_of(happenings: impl IntoIterator<Item = Happening>) -> Happened {
    happenings.into_iter().map(|happening| (happening, 0)).collect()
}
