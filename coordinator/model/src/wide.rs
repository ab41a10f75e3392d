//! Wider configurations, which cross what the others keep apart: minutes of search, for `--all`.

use crate::setup::{Act, Bounds, Phase, Setup};
use crate::witness::Witness;

const NONE: Bounds = Setup::BLANK.bounds;
const SAME_TARGET: &[Act] = &[Act::PLAIN, Act { agent: 1, group: 1, ..Act::PLAIN }];

/// Two acts on one target: failover, other people, silence, a person's word, harm and undo, all together.
pub const LIFE: Setup = Setup {
    name: "wide: one target",
    acts: SAME_TARGET,
    bounds: Bounds { registrations: 1, foreign_writes: 1, deadlines: true, resolves: 1, grades: true, regressions: true, undos: 1, ..NONE },
    witnesses: &[Witness::TwoClaims, Witness::RolledBack, Witness::UndoFailed, Witness::ResolvedThenFenced],
    states_min: 6_000_000,
    ..Setup::BLANK
};

/// STOP twice in the life of one act: approval, silence, a person's word, harm and undo.
pub const STOPPED: Setup = Setup {
    name: "wide: stop",
    phases: [Phase::Assist; 2],
    bounds: Bounds {
        keeping_stops: true,
        stops: 2,
        releases: 2,
        promotions: 2,
        deadlines: true,
        resolves: 1,
        grades: true,
        regressions: true,
        undos: 1,
        ..NONE
    },
    witnesses: &[Witness::ClaimAfterRelease, Witness::RolledBack, Witness::UndoneUnderStop, Witness::Stopped],
    states_min: 900_000,
    ..Setup::BLANK
};

/// Three acts with pods to take down, two of which fit.
pub const BUDGET: Setup = Setup {
    name: "wide: budget",
    acts: &[
        Act { cost: 1, ..Act::PLAIN },
        Act { agent: 1, group: 1, scopes: 2, writes: &[1], cost: 1, ..Act::PLAIN },
        Act { agent: 1, group: 2, scopes: 2, writes: &[1], cost: 1, ..Act::PLAIN },
    ],
    budget: 2,
    bounds: Bounds { readings: 2, heals: true, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::SideBySide, Witness::Indeterminate],
    states_min: 900_000,
    ..Setup::BLANK
};

/// Two acts on a budget of one, and facts that grow old.
pub const FACTS: Setup = Setup {
    name: "wide: facts",
    acts: &[Act { cost: 1, ..Act::PLAIN }, Act { agent: 1, group: 1, scopes: 2, writes: &[1], cost: 1, ..Act::PLAIN }],
    bounds: Bounds { ticks: 2, readings: 3, heals: true, ..NONE },
    witnesses: &[Witness::TwoClaims],
    states_min: 400_000,
    ..Setup::BLANK
};

/// Preemption between acts of one and of two scopes, with silence and a failover.
pub const SCOPES: Setup = Setup {
    name: "wide: scopes",
    acts: &[
        Act::PLAIN,
        Act { agent: 1, group: 1, scopes: 2, writes: &[1], ..Act::PLAIN },
        Act { agent: 1, group: 2, scopes: 3, writes: &[0, 1], priority: 1, ..Act::PLAIN },
    ],
    bounds: Bounds { registrations: 1, deadlines: true, expiry: true, ..NONE },
    witnesses: &[Witness::SideBySide, Witness::BothScopes, Witness::Preempted],
    states_min: 1_000_000,
    ..Setup::BLANK
};

/// An act of two writes against one of one write, other people, silence.
pub const WRITES: Setup = Setup {
    name: "wide: two writes",
    acts: &[Act { writes: &[0, 0], ..Act::PLAIN }, Act { agent: 1, group: 1, ..Act::PLAIN }],
    bounds: Bounds { registrations: 1, crashes: 1, foreign_writes: 1, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::BothWrites, Witness::PartUndone, Witness::TwoClaims],
    states_min: 1_500_000,
    ..Setup::BLANK
};

/// A restore with silence, other people and a person's word around it.
pub const RESTORED: Setup = Setup {
    name: "wide: restore",
    acts: &[Act::PLAIN, Act { agent: 1, lives: 2, ..Act::PLAIN }],
    bounds: Bounds { restores: 1, releases: 1, promotions: 1, registrations: 1, foreign_writes: 1, deadlines: true, resolves: 1, ..NONE },
    witnesses: &[Witness::ClaimAfterRestore, Witness::FoundInJournal],
    states_min: 800_000,
    ..Setup::BLANK
};

/// All of them.
pub const ALL: &[Setup] = &[LIFE, STOPPED, BUDGET, FACTS, SCOPES, WRITES, RESTORED];
