//! An actuator: what it remembers, and what survives its crash.

pub mod claiming;
pub mod proving;
pub mod writing;

use crate::id::Id;
use crate::setup::SINKS;
use crate::sink::Reading;

/// Where it stands with its claim.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The claim was sent; no answer yet.
    Sent,
    /// A write was sent; no answer yet.
    Writing {
        /// Which.
        write: u8,
    },
    /// It must read, and then raise the fence.
    Proving,
    /// The fence was sent; no answer yet.
    Fencing {
        /// Writes that were seen to have landed, as bits.
        landed: u8,
        /// Of which target.
        sink: u8,
        /// On which version.
        precondition: u8,
        /// On the version that stands now, after the first was refused.
        again: bool,
    },
    /// It crashed: this is all its journal says.
    Crashed,
}

/// One claim in an actuator's hands, as its journal has it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// The entry.
    pub id: Id,
    /// The actuator's epoch when it took it up.
    pub epoch: u8,
    /// The permit's token.
    pub token: u8,
    /// The targets as they were read before the claim.
    pub before: [Reading; SINKS],
    /// The version that its last write returned.
    pub returned: u8,
    /// Where it stands.
    pub stage: Stage,
}

/// A process that serves the cluster as its actuator.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Actuator {
    /// Its epoch; 0 until it registers.
    pub epoch: u8,
    /// What it is at.
    pub job: Option<Job>,
    /// Acts of the first life in its journal, as bits: what it would upload after a restore.
    pub journal: u8,
}
