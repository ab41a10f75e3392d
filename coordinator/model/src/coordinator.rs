//! The coordinator's state: atomic, as Raft makes it. Its decisions are in the folder beside this file.

pub mod admission;
pub mod authority;
pub mod claim;
pub mod entries;
pub mod grade;
pub mod limits;
pub mod report;
pub mod restore;
pub mod stop;
pub mod undo;

use crate::id::Id;
use crate::ledger::Stand;
use crate::message::Facts;
use crate::rules::{Rule, Rules};
use crate::setup::{ACTUATORS, AGENTS, Phase, SCOPES, SINKS, SLOTS};
use crate::sink::Reading;

/// What a claim put on record.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Who claimed.
    pub epoch: u8,
    /// The targets as they were read before.
    pub before: [Reading; SINKS],
}

/// An entry of the ledger.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its name.
    pub id: Id,
    /// Where it stands.
    pub stand: Stand,
    /// The permit's token.
    pub token: u8,
    /// The permit's stop epoch.
    pub stop_epoch: u8,
    /// The stop epoch of a person's yes.
    pub approval: Option<u8>,
    /// It was grave when it was permitted.
    pub grave_at_permit: bool,
    /// Coordinator time that its evidence echoes.
    pub evidence: u8,
    /// Truth: when its evidence was read.
    pub evidence_read_at: u8,
    /// The claim.
    pub claim: Option<Claim>,
    /// Writes that were reported landed, as bits.
    pub landed: u8,
    /// Known by content equal to the target.
    pub by_content: bool,
    /// None of its writes can land any more: proven.
    pub fenced: bool,
    /// The observer in office graded it.
    pub graded: bool,
    /// It was found to have done harm.
    pub regressed: bool,
    /// A person resolved it.
    pub resolved: bool,
}

/// Who holds a scope.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// An entry.
    Entry(u8),
    /// Other automation, with its token.
    Other(u8),
}

/// What a restore waits for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gates {
    /// Sinks whose fence was confirmed at the new epoch.
    pub fenced: [bool; SINKS],
    /// Actuators whose journal was uploaded.
    pub uploaded: [bool; ACTUATORS],
    /// A person waived a journal.
    pub waived: bool,
    /// The longest cooldown and `act_deadline` have passed.
    pub waited: bool,
}

impl Gates {
    /// Nothing is missing but a person's release.
    #[must_use]
    pub fn are_open(&self, rules: Rules) -> bool {
        (self.waited || !rules.has(Rule::M13Wait))
            && (self.fenced.iter().all(|f| *f) || !rules.has(Rule::M13Fences))
            && (self.uploaded.iter().all(|u| *u) || !rules.has(Rule::M13Journals))
    }
}

/// The replicated state.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    /// Restore epoch.
    pub life: u8,
    /// Tokens granted in this life (or before the backup).
    pub tokens: u8,
    /// Actuator epochs given out.
    pub actuator_epochs: u8,
    /// The actuator in office; 0: none.
    pub actuator_epoch: u8,
    /// The observer in office; 0: none.
    pub observer_epoch: u8,
    /// The ledger.
    pub entries: [Option<Entry>; SLOTS],
    /// Live leases.
    pub leases: [Option<Holder>; SCOPES],
    /// The latch.
    pub stopped: bool,
    /// It lets undos through.
    pub keep_undos: bool,
    /// How often STOP was pressed.
    pub stop_epoch: u8,
    /// Phases.
    pub phases: [Phase; AGENTS],
    /// Acts whose incident is grave, as bits.
    pub grave: u8,
    /// The replicated clock.
    pub clock: u8,
    /// The newest facts.
    pub facts: Option<Facts>,
    /// Releases of budget.
    pub releases: u8,
    /// Groups whose cooldown runs, as bits.
    pub cooling: u8,
    /// A restore that is not over yet.
    pub gates: Option<Gates>,
}
