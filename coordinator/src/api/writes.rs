//! Commands: proposed by the leader, passed on by everyone else.

use super::error::Problem;
use super::peer_calls::PeerCalls as _;
use super::{Node, SUBMIT_TIMEOUT};
use crate::planted::{Fault, is_planted};
use crate::raft::wire::Forwarded;
use crate::raft::{Effect, Host, Proposed, Written};
use openraft::errors::{ClientWriteError, RaftError};
use openraft::type_config::TypeConfigExt as _;
use openraft::type_config::alias::InstantOf;
use openraft::{Instant as _, RaftMetrics};
use picket_core::coordination::Answer;
use picket_core::ids::Principal;
use std::time::Duration;

const WHAT: &str = "submit";
/// How long a command waits for somebody to lead, or for another than the one that did not take it: longer than an election. Its caller
/// would only ask again, and later than at the first moment.
const LEADER_WAIT: Duration = Duration::from_secs(1);

/// A client's command, on whichever node it reached.
///
/// # Errors
/// [`Problem`] tells whether it may have happened.
pub async fn submit<C: Host>(node: &Node<C>, principal: Principal, written: Written) -> Result<Answer, Problem> {
    if node.leader().await == Some(node.id) { propose(node, principal, written).await } else { pass_on(node, principal, written).await }
}

async fn pass_on<C: Host>(node: &Node<C>, principal: Principal, written: Written) -> Result<Answer, Problem> {
    let until = C::now() + LEADER_WAIT;
    let mut failed = None;
    loop {
        let not = failed.as_ref().map(|(term, _)| *term);
        let Some(Leader { id, term }) = next_leader(node, not, until).await else {
            return Err(failed.map_or_else(|| node.no_leader(WHAT), |(_, problem)| problem));
        };
        if id == node.id {
            return propose(node, principal, written).await;
        }
        let passed_on = if is_planted(Fault::ForwardedUnderNewId) { under_new_id(&written) } else { written.clone() };
        let forwarded = Forwarded { principal: principal.clone(), written: passed_on };
        match node.peers.forward(id, &forwarded, SUBMIT_TIMEOUT + Duration::from_millis(500)).await {
            // It died, or leads no more. It may have taken the command all the same: under its id there is one effect.
            Err(problem) if problem.is_unavailable() && C::now() < until => failed = Some((term, problem)),
            answer => return answer,
        }
    }
}

struct Leader {
    id: u64,
    term: u64,
}

/// Whoever leads in a term that is not `not`, once there is somebody; `None` when there is nobody by then, and for a node that was removed.
async fn next_leader<C: Host>(node: &Node<C>, not: Option<u64>, until: InstantOf<C>) -> Option<Leader> {
    node.removed.get().is_none().then_some(())?;
    let left = until.saturating_duration_since(C::now());
    let leads = |m: &RaftMetrics<C>| m.current_leader.is_some() && not != Some(m.current_term);
    let found = node.raft.wait(Some(left)).metrics(leads, "a leader").await.ok()?;
    Some(Leader { id: found.current_leader?, term: found.current_term })
}

/// The leader's part. On any other node: unavailable, never passed on a second time.
///
/// # Errors
/// As `submit`.
pub async fn propose<C: Host>(node: &Node<C>, principal: Principal, written: Written) -> Result<Answer, Problem> {
    let written = node.rules.hold(&node.machine, written)?;
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
