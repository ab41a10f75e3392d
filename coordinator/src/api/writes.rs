//! Commands: proposed by the leader, passed on by everyone else.

use super::error::Problem;
use super::{Node, SUBMIT_TIMEOUT};
use crate::raft::network::CallError;
use crate::raft::wire::{Forwarded, paths};
use crate::raft::{Effect, Proposed};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, RaftError};
use picket_core::coordination::{Answer, Attributed, Proposer, Request};
use picket_core::ids::Principal;
use std::time::Duration;

const WHAT: &str = "submit";

/// A client's command, on whichever node it reached.
pub(super) async fn submit(node: &Node, principal: Principal, request: Request) -> Result<Answer, Problem> {
    let leader = match node.raft.current_leader().await {
        Some(leader) if leader == node.id => return propose(node, principal, request).await,
        Some(leader) => leader,
        None => return Err(Problem::unavailable(WHAT, "there is no leader at the moment")),
    };
    let forwarded = Forwarded { principal, request };
    match node.peers.call(leader, paths::FORWARD, &forwarded, SUBMIT_TIMEOUT + Duration::from_millis(500)).await {
        Ok(answer) => Ok(answer),
        Err(CallError::Answered { status, body, .. }) => Err(Problem::passed_on(status, &body)),
        Err(error) => Err(Problem::unavailable(WHAT, error.to_string())),
    }
}

/// The leader's part. On any other node: unavailable, never passed on a second time.
pub(super) async fn propose(node: &Node, principal: Principal, request: Request) -> Result<Answer, Problem> {
    let term = node.raft.metrics().borrow_watched().current_term;
    let said = Attributed::new(principal, request).proposed_by(Proposer { node: node.id, term });
    let proposed = Proposed::new(&said, (node.clock)()).map_err(|e| Problem::bad_request(WHAT, e.to_string()))?;
    let written = tokio::time::timeout(SUBMIT_TIMEOUT, node.raft.client_write(proposed)).await.map_err(|_| Problem::timeout(WHAT))?;
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
