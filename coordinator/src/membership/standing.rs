//! A node that was removed does not hear of it: the leader stops speaking to it, and perhaps it was away. So it asks.

use crate::api::Node;
use crate::api::peer_calls::PeerCalls as _;
use crate::raft::Host;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::type_config::TypeConfigExt as _;
use std::sync::Arc;
use std::time::Duration;

const ASK_EVERY: Duration = Duration::from_secs(2);
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks one member after another whether this node was removed; returns once it was. Then it stands for no election any more and says
/// so to everybody. One answer is enough: a removal that is on record was committed, and is for ever.
pub async fn look_for_removal<C: Host>(node: Arc<Node<C>>) {
    for turn in 0.. {
        C::sleep(ASK_EVERY).await;
        if node.raft.is_leader() {
            continue;
        }
        let membership = node.raft.server_metrics().borrow_watched().membership_config.clone();
        let others: Vec<u64> = membership.nodes().map(|(id, _)| *id).filter(|id| *id != node.id).collect();
        let Some(other) = others.get(turn % others.len().max(1)) else { continue };
        let answer = node.peers.members(*other, ASK_TIMEOUT).await;
        if answer.is_ok_and(|view| view.removed.contains(&node.id)) {
            break;
        }
    }
    node.raft.runtime_config().elect(false);
    if node.removed.set(()).is_ok() {
        tracing::error!(node = node.id, "this node was removed from its group: it takes no part any more; end it, and keep its id unused");
    }
}
