//! The configurations that are checked: each is about one thing, and small enough to be searched to the end.

use crate::setup::{Act, Bounds, Phase, Setup};
use crate::witness::Witness;

const NONE: Bounds = Setup::BLANK.bounds;

/// One act, and everything that can happen to its write: late, twice, lost, a crash, a failover, other people.
pub const PROOF: Setup = Setup {
    name: "proof",
    bounds: Bounds { crashes: 1, registrations: 2, foreign_writes: 1, foreign_equal: true, ..NONE },
    witnesses: &[Witness::Applied, Witness::ProvenAbsent, Witness::Indeterminate, Witness::TakenOver],
    states_min: 7_000,
    ..Setup::BLANK
};

/// The same where a target's status moves its version, and an unchanged generation proves absence too.
pub const GENERATION: Setup = Setup {
    name: "generation",
    bounds: Bounds { crashes: 1, registrations: 2, status_writes: 2, foreign_writes: 1, generation: true, ..NONE },
    witnesses: &[Witness::Applied, Witness::ProvenAbsent, Witness::AbsentLater, Witness::Indeterminate],
    states_min: 150_000,
    ..Setup::BLANK
};

const SAME_TARGET: &[Act] = &[Act::PLAIN, Act { agent: 1, group: 1, ..Act::PLAIN }];

/// Two agents want the same target; claims run over their deadline, and a person resolves while writes may be on their way.
pub const SUCCESSION: Setup = Setup {
    name: "succession",
    acts: SAME_TARGET,
    bounds: Bounds { crashes: 1, registrations: 1, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::ResolvedThenFenced, Witness::ProvenAbsent],
    states_min: 20_000,
    ..Setup::BLANK
};

/// Two agents want the same target; claims run over their deadline, and nobody resolves.
pub const DEADLINES: Setup = Setup {
    name: "deadlines",
    acts: SAME_TARGET,
    bounds: Bounds { crashes: 1, registrations: 1, deadlines: true, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::ProvenAbsent, Witness::Indeterminate],
    states_min: 4_000,
    ..Setup::BLANK
};

/// An actuator comes back with a claim in its journal that was never granted, while another's of the same entry was.
pub const OLD_JOURNAL: Setup = Setup {
    name: "old journal",
    acts: SAME_TARGET,
    bounds: Bounds { registrations: 2, foreign_writes: 1, resolves: 1, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::Indeterminate, Witness::TakenOver],
    states_min: 80_000,
    ..Setup::BLANK
};

/// The same on a target that somebody else writes, and where leases run out.
pub const LEASES: Setup = Setup {
    name: "leases",
    acts: SAME_TARGET,
    bounds: Bounds { registrations: 1, other_leases: 1, lease_expiry: true, foreign_writes: 1, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::AfterOther, Witness::Indeterminate],
    states_min: 90_000,
    ..Setup::BLANK
};

/// One act that does harm, other people, and its undo.
pub const UNDO: Setup = Setup {
    name: "undo",
    bounds: Bounds {
        registrations: 1,
        foreign_writes: 1,
        grades: true,
        regressions: true,
        undos: 1,
        expiry: true,
        deadlines: true,
        resolves: 1,
        ..NONE
    },
    witnesses: &[Witness::Settled, Witness::RolledBack, Witness::UndoFailed],
    states_min: 30_000,
    ..Setup::BLANK
};

/// An agent in Assist, STOP twice, consents and releases that arrive late.
pub const STOP: Setup = Setup {
    name: "stop",
    phases: [Phase::Assist; 2],
    acts: &[Act::PLAIN],
    bounds: Bounds { stops: 2, releases: 2, promotions: 2, ..NONE },
    witnesses: &[Witness::ApprovedClaim, Witness::ClaimAfterRelease, Witness::Applied],
    states_min: 6_000,
    ..Setup::BLANK
};

/// An undo that a person asked for, and STOP.
pub const STOP_UNDO: Setup = Setup {
    name: "stop and undo",
    bounds: Bounds { stops: 1, releases: 1, grades: true, regressions: true, undos: 1, ..NONE },
    witnesses: &[Witness::RolledBack, Witness::UndoFailed],
    states_min: 800,
    ..Setup::BLANK
};

/// STOP twice around an act that did harm, with and without leave for undos.
pub const STOP_KEEPING: Setup = Setup {
    name: "stop, undos kept",
    bounds: Bounds { stops: 2, keeping_stops: true, releases: 1, grades: true, regressions: true, ..NONE },
    witnesses: &[Witness::RolledBack, Witness::UndoFailed, Witness::UndoneUnderStop],
    states_min: 1_400,
    ..Setup::BLANK
};

/// STOP while writes are on their way and a person resolves what is not known.
pub const STOP_LATE: Setup = Setup {
    name: "stop and late writes",
    bounds: Bounds { stops: 1, deadlines: true, resolves: 1, crashes: 1, registrations: 1, ..NONE },
    witnesses: &[Witness::Applied, Witness::ProvenAbsent, Witness::Stopped],
    states_min: 1_900,
    ..Setup::BLANK
};

/// Incidents become grave under way.
pub const SEVERITY: Setup = Setup {
    name: "severity",
    acts: SAME_TARGET,
    bounds: Bounds { severity_rises: true, expiry: true, ..NONE },
    witnesses: &[Witness::ApprovedClaim, Witness::TwoClaims],
    states_min: 2_500,
    ..Setup::BLANK
};

/// Evidence and facts grow old under way; a second observer takes over; others take pods down.
pub const FACTS: Setup = Setup {
    name: "facts",
    acts: &[Act { cost: 1, ..Act::PLAIN }],
    bounds: Bounds { ticks: 2, readings: 2, observer_registrations: 1, foreign_disruptions: 1, ..NONE },
    witnesses: &[Witness::Applied, Witness::SecondObserverFacts],
    states_min: 50_000,
    ..Setup::BLANK
};

const SIDE_BY_SIDE: &[Act] = &[Act { cost: 1, ..Act::PLAIN }, Act { agent: 1, group: 1, scopes: 2, writes: &[1], cost: 1, ..Act::PLAIN }];

/// Two acts that may not take pods down at the same time; pods come back late.
pub const BUDGET: Setup = Setup {
    name: "budget",
    acts: SIDE_BY_SIDE,
    bounds: Bounds { readings: 2, heals: true, grades: true, regressions: true, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::RolledBack],
    states_min: 9_000,
    ..Setup::BLANK
};

/// The same where a person resolves what is not known.
pub const BUDGET_UNKNOWN: Setup = Setup {
    name: "budget, unknown ends",
    acts: SIDE_BY_SIDE,
    bounds: Bounds { readings: 2, heals: true, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::Indeterminate],
    states_min: 4_000,
    ..Setup::BLANK
};

/// Two acts of one kind on one service, under different scopes.
pub const COOLDOWN: Setup = Setup {
    name: "cooldown",
    acts: &[Act::PLAIN, Act { agent: 1, scopes: 2, writes: &[1], ..Act::PLAIN }],
    bounds: Bounds { registrations: 1, cooldowns: true, grades: true, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::ClaimAfterCooldown],
    states_min: 100_000,
    ..Setup::BLANK
};

/// A graver act waits for the scope.
pub const PREEMPTION: Setup = Setup {
    name: "preemption",
    acts: &[Act::PLAIN, Act { agent: 1, group: 1, priority: 0, writes: &[1], ..Act::PLAIN }],
    bounds: Bounds { registrations: 1, crashes: 1, expiry: true, ..NONE },
    witnesses: &[Witness::Preempted, Witness::TwoClaims],
    states_min: 5_000,
    ..Setup::BLANK
};

/// Acts of one scope each, and one that needs both.
pub const TWO_SCOPES: Setup = Setup {
    name: "two scopes",
    acts: &[
        Act::PLAIN,
        Act { agent: 1, group: 1, scopes: 2, writes: &[1], ..Act::PLAIN },
        Act { agent: 1, group: 2, scopes: 3, writes: &[0, 1], priority: 1, ..Act::PLAIN },
    ],
    bounds: Bounds { ..NONE },
    witnesses: &[Witness::SideBySide, Witness::BothScopes],
    states_min: 7_000,
    ..Setup::BLANK
};

/// An act of two writes to one target, which may land in part.
pub const TWO_WRITES: Setup = Setup {
    name: "two writes",
    acts: &[Act { writes: &[0, 0], ..Act::PLAIN }],
    bounds: Bounds { registrations: 1, crashes: 1, foreign_writes: 1, expiry: true, ..NONE },
    witnesses: &[Witness::BothWrites, Witness::PartUndone, Witness::ProvenAbsent, Witness::Indeterminate],
    states_min: 25_000,
    ..Setup::BLANK
};

/// An act of one write to each of two targets.
pub const TWO_TARGETS: Setup = Setup {
    name: "two targets",
    acts: &[Act { writes: &[0, 1], ..Act::PLAIN }],
    bounds: Bounds { registrations: 1, crashes: 1, foreign_writes: 1, expiry: true, ..NONE },
    witnesses: &[Witness::BothWrites, Witness::PartUndone, Witness::ProvenAbsent, Witness::Indeterminate],
    states_min: 35_000,
    ..Setup::BLANK
};

/// Two observers, one in office; grades that arrive late.
pub const OBSERVERS: Setup = Setup {
    name: "observers",
    bounds: Bounds { observer_registrations: 1, grade_messages: 3, grades: true, expiry: true, ..NONE },
    witnesses: &[Witness::SecondObserverGrade, Witness::RolledBack],
    states_min: 1_400,
    ..Setup::BLANK
};

const ACROSS_LIVES: &[Act] = &[Act::PLAIN, Act { agent: 1, lives: 2, ..Act::PLAIN }];

/// A backup, an act after it whose write may be late, a restore, and then the same act or another.
pub const RESTORE: Setup = Setup {
    name: "restore",
    acts: ACROSS_LIVES,
    bounds: Bounds { restores: 1, releases: 1, promotions: 1, registrations: 1, ..NONE },
    witnesses: &[Witness::ClaimAfterRestore, Witness::FoundInJournal],
    states_min: 50_000,
    ..Setup::BLANK
};

/// The same where a person waives a lost journal; the act may have been resolved before the restore, so its cooldown runs.
pub const RESTORE_WAIVED: Setup = Setup {
    name: "restore, journals waived",
    acts: ACROSS_LIVES,
    bounds: Bounds { restores: 1, waivers: true, releases: 1, promotions: 1, registrations: 1, cooldowns: true, grades: true, ..NONE },
    witnesses: &[Witness::ClaimAfterRestore, Witness::FoundInJournal],
    states_min: 100_000,
    ..Setup::BLANK
};

/// All of them.
pub const ALL: &[Setup] = &[
    PROOF,
    GENERATION,
    SUCCESSION,
    DEADLINES,
    OLD_JOURNAL,
    LEASES,
    UNDO,
    STOP,
    STOP_UNDO,
    STOP_KEEPING,
    STOP_LATE,
    SEVERITY,
    FACTS,
    BUDGET,
    BUDGET_UNKNOWN,
    COOLDOWN,
    PREEMPTION,
    TWO_SCOPES,
    TWO_WRITES,
    TWO_TARGETS,
    OBSERVERS,
    RESTORE,
    RESTORE_WAIVED,
];
