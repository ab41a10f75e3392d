//! Nodes come and go while the group works.
//!
//! `plan` decides what a change asks for, `carry_out` does it on the leader, `standing` tells a node that it was removed.

mod carry_out;
mod plan;
mod standing;

pub use carry_out::change;
pub use plan::{BEHIND_MAX, SILENT_MS_MAX};
pub use standing::look_for_removal;

use crate::api::Node;
use crate::raft::Host;
use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver as _;
use picket_core::membership::{MemberRole, MemberView, MembersView};

/// The members as this node sees them. Only the leader knows how far the others are.
pub fn view<C: Host>(node: &Node<C>) -> MembersView {
    let metrics = node.raft.metrics().borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    let members = membership.nodes().map(|(id, known)| {
        let is_me = *id == node.id;
        let has =
            metrics.replication.as_ref().and_then(|all| all.get(id).copied()).map(|matched| matched.map_or(0, |log_id| log_id.index + 1));
        let behind = has.map(|has| metrics.last_log_index.map_or(0, |last| last + 1).saturating_sub(has));
        let answered = metrics.heartbeat.as_ref().and_then(|all| all.get(id).copied().flatten());
        let answered_ms_ago = answered.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        MemberView {
            id: *id,
            address: known.addr.clone(),
            role: if membership.voter_ids().any(|voter| voter == *id) { MemberRole::Voter } else { MemberRole::Learner },
            behind: if is_me && metrics.replication.is_some() { Some(0) } else { behind },
            answered_ms_ago: if is_me { Some(0) } else { answered_ms_ago },
        }
    });
    let (removed, changes) = node.machine.read(|state| (state.removed_members(), state.member_changes()));
    MembersView {
        leader: metrics.current_leader.filter(|_| node.removed.get().is_none()),
        members: members.collect(),
        is_joint: membership.get_joint_config().len() > 1,
        removed,
        changes,
    }
}

/// Whether that node takes part, as far as is known here.
pub fn is_member<C: Host>(node: &Node<C>, id: u64) -> bool {
    node.raft.server_metrics().borrow_watched().membership_config.get_node(&id).is_some()
}
