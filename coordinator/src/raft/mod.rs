//! openraft, told what picket replicates: commands with the time they were proposed at.

pub mod addresses;
pub(crate) mod founding;
mod host;
pub mod machine;
pub mod network;
mod snapshot_file;
pub mod wire;

pub use host::Host;

use openraft::impls::leader_id_std;
use picket_core::coordination::Attributed;
use picket_core::time::Timestamp;
use picket_state_machine::Reply;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// A command in the log. It is kept as the text that the leader wrote, so that every replica reads the same bytes:
/// a number that is printed and read again along the way might differ in its last bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proposed(Box<RawValue>);

impl Proposed {
    /// Writes a command down, with the leader's time.
    ///
    /// # Errors
    /// When the command cannot be written or would not read back.
    pub fn new(said: &Attributed, at: Timestamp) -> Result<Self, serde_json::Error> {
        let proposed = Self(serde_json::value::to_raw_value(&(said, at))?);
        proposed.read()?;
        Ok(proposed)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the text is not a command.
    pub fn read(&self) -> Result<(Attributed, Timestamp), serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.get().len())
    }
}

/// What applying an entry came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Effect {
    /// Nobody asked: a membership change or a leader's first, empty entry.
    Nothing,
    /// The state machine's reply, unsigned.
    Replied(Box<Reply>),
}

openraft::declare_raft_types!(
    /// The types that openraft works on.
    pub TypeConfig:
        D = Proposed,
        R = Effect,
        NodeId = u64,
        Node = openraft::BasicNode,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
);

/// A place in the log.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// A vote.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// An entry of the log.
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
/// Who takes part: voters and learners, each with its address.
pub type Membership = openraft::Membership<u64, openraft::BasicNode>;
/// Who takes part, and since which entry.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
/// A snapshot: the state as JSON.
pub type Snapshot = openraft::alias::SnapshotOf<TypeConfig, Vec<u8>>;
/// One node's part of the group.
pub type Raft = openraft::Raft<TypeConfig, machine::Machine>;
