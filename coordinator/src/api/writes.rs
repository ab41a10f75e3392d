//! Commands: proposed by the leader, passed on by everyone else.

use super::error::Problem;
use super::peer_calls::PeerCalls as _;
use super::{Node, SUBMIT_TIMEOUT};
use crate::planted::{Fault, is_planted};
use crate::raft::wire::Forwarded;
use crate::raft::{Effect, Host, Proposed, Written};
use openraft::errors::{ClientWriteError, RaftError};
use openraft::type_config::TypeConfigExt as _;
use picket_core::coordination::Answer;
use picket_core::ids::Principal;
use std::time::Duration;

const WHAT: &str = "submit";

/// A client's command, on whichever node it reached.
///
/// # Errors
/// [`Problem`] tells whether it may have happened.
pub async fn submit<C: Host>(node: &Node<C>, principal: Principal, written: Written) -> Result<Answer, Problem> {
    let leader = match node.leader().await {
        Some(leader) if leader == node.id => return propose(node, principal, written).await,
        Some(leader) => leader,
        None => return Err(node.no_leader(WHAT)),
    };
    let written = if is_planted(Fault::ForwardedUnderNewId) { under_new_id(&written) } else { written };
    let forwarded = Forwarded { principal, written };
    node.peers.forward(leader, &forwarded, SUBMIT_TIMEOUT + Duration::from_millis(500)).await
}

/// The leader's part. On any other node: unavailable, never passed on a second time.
///
/// # Errors
/// As `submit`.
pub async fn propose<C: Host>(node: &Node<C>, principal: Principal, written: Written) -> Result<Answer, Problem> {
    let proposed = node.proposes(principal, written).map_err(|e| Problem::internal(WHAT, e.to_string()))?;
    if is_planted(Fault::AnsweredBeforeCommit) {
        return answer_early(node, proposed);
    }
    let written = C::timeout(SUBMIT_TIMEOUT, node.raft.client_write(proposed)).await.map_err(|_| Problem::timeout(WHAT))?;
    match written {
        Ok(response) => match response.data {
            Effect::Replied(reply) if reply.is_from_a_deposed_leader() => {
                Err(Problem::unavailable(WHAT, "this node led anew while it passed the command on; nothing was done"))
            }
            Effect::Replied(reply) => Ok(node.machine.read(|state| picket_state_machine::sign_answer(state, &reply, &node.signing_key))),
            Effect::Nothing => Err(Problem::internal(WHAT, "the command was applied without a reply")),
        },
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
            Err(Problem::unavailable(WHAT, "this node is not the leader any more"))
        }
        // It may yet be committed by the next leader.
        Err(RaftError::APIError(ClientWriteError::LogEntryDiscarded(_))) => Err(Problem::timeout(WHAT)),
        Err(error) => Err(Problem::unavailable(WHAT, error.to_string())),
    }
}

/// What `Fault::AnsweredBeforeCommit` does: the answer that the command would get on this node's state, while it is still on its way.
fn answer_early<C: Host>(node: &Node<C>, proposed: Proposed) -> Result<Answer, Problem> {
    let (said, at) = proposed.read().map_err(|e| Problem::internal(WHAT, e.to_string()))?;
    let mut state = node.machine.read(Clone::clone);
    let reply = picket_state_machine::apply(&mut state, &said, at).answer;
    let raft = node.raft.clone();
    let _writing = C::spawn(async move { drop(raft.client_write(proposed).await) });
    Ok(picket_state_machine::sign_answer(&state, &reply, &node.signing_key))
}

/// What `Fault::ForwardedUnderNewId` passes on.
fn under_new_id(written: &Written) -> Written {
    let mut request = written.request().clone();
    request.request_id.0.push('+');
    Written::new(&request).unwrap_or_else(|_| written.clone())
}
