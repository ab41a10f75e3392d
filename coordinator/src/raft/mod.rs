//! openraft, told what picket replicates: commands with the time they were proposed at.

pub mod addresses;
pub mod codec;
pub(crate) mod founding;
mod host;
pub mod link;
pub mod machine;
pub mod network;
mod proposed;
pub mod received;
mod snapshot_file;
pub mod wire;

pub use host::Host;
pub use proposed::{Proposed, Unreadable, Written};

use openraft::impls::leader_id_std;
use picket_state_machine::Reply;
use serde::{Deserialize, Serialize};

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
