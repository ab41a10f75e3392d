//! One configuration to check: who may ask for what, what may go wrong how often, and which rules are in force.

use crate::rules::Rules;
use crate::witness::Witness;

/// Acts that agents may ask for, at most.
pub const ACTS: usize = 3;
/// Entries: acts, then the undo of each.
pub const SLOTS: usize = 2 * ACTS;
/// Scopes.
pub const SCOPES: usize = 2;
/// Targets.
pub const SINKS: usize = 2;
/// Processes that serve the cluster as its actuator, one in office.
pub const ACTUATORS: usize = 2;
/// Processes that serve it as its observer, one in office.
pub const OBSERVERS: usize = 2;
/// Agents.
pub const AGENTS: usize = 2;
/// Lives of the coordinator: before and after a restore.
pub const LIVES: usize = 2;

/// An agent's phase.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "PROTOCOL.md names them")]
pub enum Phase {
    Observe,
    Assist,
    Autonomous,
}

/// An act that an agent may ask for, once in a life.
#[derive(Copy, Clone, Debug)]
pub struct Act {
    /// Who asks.
    pub agent: u8,
    /// Scopes, as bits.
    pub scopes: u8,
    /// Targets of its writes, in order: one or two.
    pub writes: &'static [u8],
    /// Pods that it takes down.
    pub cost: u8,
    /// Severity 1-2 from the start.
    pub grave: bool,
    /// 0 goes first.
    pub priority: u8,
    /// Kind and service: acts of one group cool down together.
    pub group: u8,
    /// Whether it can be undone.
    pub reversible: bool,
    /// Lives of the coordinator in which it is asked for, as bits.
    pub lives: u8,
}

impl Act {
    /// One write to target 0 under scope 0, without cost.
    pub const PLAIN: Self =
        Self { agent: 0, scopes: 1, writes: &[0], cost: 0, grave: false, priority: 2, group: 0, reversible: true, lives: 3 };
}

/// How often what may happen. Zero or false: not in this configuration.
#[derive(Copy, Clone, Debug, Default)]
pub struct Bounds {
    /// Crashes of actuators (memory is lost, the journal stays).
    pub crashes: u8,
    /// Registrations of actuators after the first.
    pub registrations: u8,
    /// Writes of other people to the targets' content.
    pub foreign_writes: u8,
    /// Those may also write exactly what the first act wants.
    pub foreign_equal: bool,
    /// Writes that move a target's version only.
    pub status_writes: u8,
    /// `act_deadline` passes and the coordinator gives up waiting.
    pub deadlines: bool,
    /// Permits, queue places and approvals run out.
    pub expiry: bool,
    /// A person resolves.
    pub resolves: u8,
    /// The observer grades.
    pub grades: bool,
    /// … and may find a regression.
    pub regressions: bool,
    /// A person's undos.
    pub undos: u8,
    /// Presses of STOP.
    pub stops: u8,
    /// STOP may be pressed with leave for undos.
    pub keeping_stops: bool,
    /// Releases that persons send.
    pub releases: u8,
    /// Promotions that persons send.
    pub promotions: u8,
    /// Incidents may become grave.
    pub severity_rises: bool,
    /// Steps of the replicated clock; evidence and facts live for one.
    pub ticks: u8,
    /// Readings of facts; none: facts are always young.
    pub readings: u8,
    /// Registrations of observers after the first.
    pub observer_registrations: u8,
    /// Grades that observers send as messages; none: grades arrive at once.
    pub grade_messages: u8,
    /// Pods that others take down.
    pub foreign_disruptions: u8,
    /// Pods come back.
    pub heals: bool,
    /// Cooldowns are kept.
    pub cooldowns: bool,
    /// Restores from a backup (one backup, one restore).
    pub restores: u8,
    /// Journals may be lost; a person waives them.
    pub waivers: bool,
    /// Leases that other automation takes.
    pub other_leases: u8,
    /// Leases run out.
    pub lease_expiry: bool,
    /// Absence may also be proven by an unchanged generation (docs/decisions/0003).
    pub generation: bool,
}

/// A configuration.
#[derive(Copy, Clone, Debug)]
pub struct Setup {
    /// Its name.
    pub name: &'static str,
    /// What agents may ask for.
    pub acts: &'static [Act],
    /// Phases at the start.
    pub phases: [Phase; AGENTS],
    /// Pods that may be down at once.
    pub budget: u8,
    /// What may happen how often.
    pub bounds: Bounds,
    /// The rules in force.
    pub rules: Rules,
    /// What must be reachable, or the configuration shows nothing.
    pub witnesses: &'static [Witness],
    /// It must have at least this many states, or it lost a part of what it is for.
    pub states_min: usize,
}

impl Setup {
    /// A configuration that still has to say what may happen.
    pub const BLANK: Self = Self {
        name: "",
        acts: &[Act::PLAIN],
        phases: [Phase::Autonomous; AGENTS],
        budget: 1,
        bounds: Bounds {
            crashes: 0,
            registrations: 0,
            foreign_writes: 0,
            foreign_equal: false,
            status_writes: 0,
            deadlines: false,
            expiry: false,
            resolves: 0,
            grades: false,
            regressions: false,
            undos: 0,
            stops: 0,
            keeping_stops: false,
            releases: 0,
            promotions: 0,
            severity_rises: false,
            ticks: 0,
            readings: 0,
            observer_registrations: 0,
            grade_messages: 0,
            foreign_disruptions: 0,
            heals: false,
            cooldowns: false,
            restores: 0,
            waivers: false,
            other_leases: 0,
            lease_expiry: false,
            generation: false,
        },
        rules: Rules::all(),
        witnesses: &[],
        states_min: 1,
    };

    /// The act of an entry, its undo included.
    #[must_use]
    pub fn act(&self, slot: u8) -> &Act {
        &self.acts[slot as usize % ACTS]
    }
}

/// Whether an entry is an undo.
#[must_use]
pub const fn is_undo(slot: u8) -> bool {
    slot as usize >= ACTS
}

/// The undo of an act.
#[must_use]
pub const fn undo_of(slot: u8) -> u8 {
    slot + ACTS as u8
}

/// The act that an undo takes back.
#[must_use]
pub const fn parent_of(slot: u8) -> u8 {
    slot - ACTS as u8
}

/// What an act's write leaves in its target: its own for every write.
#[must_use]
pub const fn value(slot: u8, write: u8) -> u8 {
    1 + 2 * (slot % ACTS as u8) + write
}

/// What other people write.
pub const FOREIGN: u8 = 100;
