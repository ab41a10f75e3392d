//! The network: a set of messages that only grows. Each may be delivered never, once or often, in any order and however late.

use crate::id::Id;
use crate::setup::{Phase, SINKS};
use crate::sink::Reading;

/// What a proof found.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every write took effect.
    Applied {
        /// Known by content equal to the target, without the stamp.
        by_content: bool,
    },
    /// None did, and none will.
    Absent,
    /// Some did (`landed`, as bits), or nobody can say.
    CannotTell {
        /// Writes that are known to have landed.
        landed: u8,
        /// The others are proven absent: the act landed in part.
        rest_absent: bool,
    },
}

/// The observer's grade.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Recovered, or without effect.
    Good,
    /// It did harm.
    Regressed,
    /// Nobody can say.
    Inconclusive,
}

/// A reading of facts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts {
    /// The observer's epoch.
    pub epoch: u8,
    /// Its number.
    pub seq: u8,
    /// Coordinator time that was obtained before reading.
    pub echo: u8,
    /// Releases of budget that the coordinator had counted then.
    pub releases: u8,
    /// Pods that the observer takes for disrupted by others.
    pub others: u8,
    /// Truth: of those, the ones that others really took down.
    pub foreign: u8,
    /// Truth: when it was read.
    pub read_at: u8,
}

/// Something on its way.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// An actuator claims.
    Claim {
        /// The entry.
        id: Id,
        /// The actuator's epoch.
        epoch: u8,
        /// The permit's token.
        token: u8,
        /// The targets as they were read.
        before: [Reading; SINKS],
    },
    /// A write of an act.
    Write {
        /// The entry: the stamp.
        id: Id,
        /// Which of its writes.
        write: u8,
        /// The target.
        sink: u8,
        /// The token.
        token: u8,
        /// The version it may replace.
        precondition: u8,
        /// What it leaves.
        content: u8,
    },
    /// A raise of the fence.
    Fence {
        /// The entry whose absence it would prove.
        id: Id,
        /// The target.
        sink: u8,
        /// Above the claim's token.
        token: u8,
        /// The version it may replace.
        precondition: u8,
    },
    /// An actuator's report.
    Report {
        /// The entry.
        id: Id,
        /// The actuator's epoch.
        epoch: u8,
        /// What it says.
        verdict: Verdict,
    },
    /// A person's yes to an entry.
    Approve {
        /// The entry.
        id: Id,
        /// The stop epoch it was shown under.
        stop_epoch: u8,
    },
    /// A person's yes to an agent's next phase.
    Promote {
        /// The agent.
        agent: u8,
        /// The phase.
        to: Phase,
        /// The stop epoch it was shown under.
        stop_epoch: u8,
    },
    /// A person's undo.
    Undo {
        /// The act to take back.
        id: Id,
        /// The stop epoch it was shown under.
        stop_epoch: u8,
    },
    /// A person's release of a STOP.
    Release {
        /// The stop epoch it was shown under.
        stop_epoch: u8,
    },
    /// A reading of the cluster.
    Facts(Facts),
    /// An observer's grade.
    Grade {
        /// The entry.
        id: Id,
        /// The observer's epoch.
        epoch: u8,
        /// What it says.
        grade: Grade,
    },
    /// A write of other automation, which holds or held a lease: any version, its own token.
    OtherWrite {
        /// The target.
        sink: u8,
        /// Its lease's token.
        token: u8,
    },
}

/// Everything that was ever sent, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Network(Vec<Message>);

impl Network {
    /// Sends; the same message twice is one.
    pub fn send(&mut self, message: Message) {
        if let Err(place) = self.0.binary_search(&message) {
            self.0.insert(place, message);
        }
    }

    /// Whether an actuator has reported on an entry in this office.
    #[must_use]
    pub fn has_report(&self, of: Id, by: u8) -> bool {
        self.0.iter().any(|m| matches!(m, Message::Report { id, epoch, .. } if *id == of && *epoch == by))
    }

    /// Everything that may be delivered.
    pub fn iter(&self) -> impl Iterator<Item = Message> + '_ {
        self.0.iter().copied()
    }
}
