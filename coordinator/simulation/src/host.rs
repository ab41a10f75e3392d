//! The coordinator's node, told to stand on this crate's runtime, disk and network.

use crate::disk::SimDisk;
use crate::network::SimPeers;
use crate::runtime::SimRuntime;
use crate::world;
use openraft::impls::leader_id_std;
use picket_coordinator::raft::{Effect, Entry, Host, Proposed};
use picket_state_machine::State;

openraft::declare_raft_types!(
    /// As the product's types, on a simulated runtime.
    pub SimConfig:
        D = Proposed,
        R = Effect,
        NodeId = u64,
        Node = openraft::BasicNode,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = SimRuntime,
);

impl Host for SimConfig {
    type Disk = SimDisk;
    type Peers = SimPeers;

    fn applied(entry: &Entry, effect: &Effect, state: &State) {
        world::applied(entry, effect, state);
    }
}

/// A running node.
pub type Node = picket_coordinator::api::Node<SimConfig>;
/// The log of a node.
pub type DiskLog = picket_coordinator::log::DiskLog<SimConfig>;
/// The replicated state of a node.
pub type Machine = picket_coordinator::raft::machine::Machine<SimConfig>;
