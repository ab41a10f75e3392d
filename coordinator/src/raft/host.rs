//! What a node stands on: runtime, disk and the way to the other nodes.

use super::{Effect, Entry, Proposed, TypeConfig, Vote};
use crate::api::peer_calls::PeerCalls;
use crate::disk::{Disk, Files};
use openraft::impls::leader_id_std::LeaderId;
use openraft::{BasicNode, EntryPayload, RaftTypeConfig};
use picket_state_machine::State;

/// The same log, state machine and API run on real threads, files and sockets, and in a deterministic simulation:
/// the entries are the same, and what is below them differs.
pub trait Host:
    RaftTypeConfig<
        D = Proposed,
        R = Effect,
        NodeId = u64,
        Node = BasicNode,
        Term = u64,
        LeaderId = LeaderId<u64, u64>,
        Vote = Vote,
        Payload = EntryPayload<Proposed, u64, BasicNode>,
        Entry = Entry,
    >
{
    /// Where log and snapshots are kept.
    type Disk: Disk;
    /// How a node calls another.
    type Peers: PeerCalls;

    /// Sees every entry right after it was applied. Only a simulation looks.
    fn applied(_entry: &Entry, _effect: &Effect, _state: &State) {}
}

impl Host for TypeConfig {
    type Disk = Files;
    type Peers = super::network::Peers;
}
