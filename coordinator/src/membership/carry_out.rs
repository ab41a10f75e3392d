//! The leader changes the members: on record first, then step by step, each under the condition that nobody else has changed them.

use super::plan::{Step, next_step};
use super::view;
use crate::api::error::Problem;
use crate::api::{Node, writes};
use crate::raft::addresses::Address;
use crate::raft::{Host, LogId, Written};
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::raft::Precondition;
use openraft::type_config::TypeConfigExt as _;
use openraft::{BasicNode, ChangeMembers};
use picket_core::coordination::{Answer, Command, Request};
use picket_core::ids::Principal;
use picket_core::membership::{MemberChange, MemberRequest, MembersView};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WHAT: &str = "members";
/// A step is committed within this, or its outcome is not known.
const STEP_TIMEOUT: Duration = Duration::from_secs(4);

/// Carries one change out on the leader. It is safe to ask again: what holds already is not done twice.
///
/// # Errors
/// Forbidden for anyone but people; refused with the reason when now is not the time; unavailable on any other node.
pub async fn change<C: Host>(node: &Node<C>, who: Principal, request: MemberRequest) -> Result<MembersView, Problem> {
    let MemberRequest { request_id, change } = request;
    if !matches!(who, Principal::Human(_)) {
        return Err(Problem::forbidden(WHAT, format!("{who} may not change the coordinator's nodes: it takes a person")));
    }
    if let MemberChange::Add { address, .. } = &change {
        address.parse::<Address>().map_err(|why| Problem::bad_request(WHAT, why))?;
    }
    if node.leader().await != Some(node.id) {
        return Err(Problem::unavailable(WHAT, "this node does not lead: ask another"));
    }
    let _turn = node.changing_members.try_acquire().map_err(|_| Problem::full(WHAT))?;
    complete_what_was_begun(node).await?;
    let since = membership_log_id(node);
    let step = next_step(&view(node), node.id, &change).map_err(|why| Problem::refused(WHAT, why))?;
    let command = Command::ChangeMembers { change };
    let request = Request { request_id, command: command.clone() };
    let written = Written::new(&request).map_err(|e| Problem::internal(WHAT, e.to_string()))?;
    match writes::propose(node, who.clone(), written).await? {
        Answer::Refused { violations } => {
            let reasons: Vec<_> = violations.into_iter().map(|v| v.reason).collect();
            return Err(Problem::refused(WHAT, reasons.join("; ")));
        }
        answer => tracing::info!(by = %who, ?command, ?step, ?answer, "the members are to change"),
    }
    run(node, step, since).await?;
    Ok(view(node))
}

fn membership_log_id<C: Host>(node: &Node<C>) -> Option<LogId> {
    *node.raft.server_metrics().borrow_watched().membership_config.log_id()
}

/// A leader that fell in the middle of a change left both majorities needed: that is ended before anything else begins.
async fn complete_what_was_begun<C: Host>(node: &Node<C>) -> Result<(), Problem> {
    let joint = node.raft.server_metrics().borrow_watched().membership_config.get_joint_config().len() > 1;
    if joint { commit(node, ChangeMembers::AddVoterIds(BTreeSet::new()), false, membership_log_id(node)).await } else { Ok(()) }
}

async fn run<C: Host>(node: &Node<C>, step: Step, since: Option<LogId>) -> Result<(), Problem> {
    match step {
        Step::Nothing => Ok(()),
        Step::AddLearner { id, address } => {
            commit(node, ChangeMembers::AddNodes(BTreeMap::from([(id, BasicNode::new(address))])), true, since).await
        }
        Step::Voters(voters) => commit(node, ChangeMembers::ReplaceAllVoters(voters), false, since).await,
        Step::DropLearner(id) => commit(node, ChangeMembers::RemoveNodes(BTreeSet::from([id])), false, since).await,
        Step::Lead { to, then_go_on } => {
            hand_over(node, to).await?;
            if then_go_on {
                Err(Problem::unavailable(WHAT, format!("node {to} leads now, and goes on with it: ask there")))
            } else {
                Ok(())
            }
        }
    }
}

async fn commit<C: Host>(node: &Node<C>, change: ChangeMembers<u64, BasicNode>, retain: bool, since: Option<LogId>) -> Result<(), Problem> {
    let unchanged = [Precondition::LastMembershipLogId { last_membership_log_id: since }];
    let changing = node.raft.change_membership_if(change, retain, unchanged);
    match C::timeout(STEP_TIMEOUT, changing).await {
        Err(_) => Err(Problem::timeout(WHAT)),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
            Err(Problem::unavailable(WHAT, "this node is not the leader any more"))
        }
        // It may yet be committed by the next leader.
        Ok(Err(RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)))) => Err(Problem::timeout(WHAT)),
        Ok(Err(RaftError::APIError(error))) => {
            Err(Problem::refused(WHAT, format!("{error}: somebody else changes the members; look at them again")))
        }
        Ok(Err(error)) => Err(Problem::unavailable(WHAT, error.to_string())),
    }
}

/// From here on this node takes no commands. Should the other not take over, the others elect somebody: an election's time is the bound.
async fn hand_over<C: Host>(node: &Node<C>, to: u64) -> Result<(), Problem> {
    node.raft.trigger().transfer_leader(to).await.map_err(|e| Problem::unavailable(WHAT, e.to_string()))?;
    let me = node.id;
    let wait = node.raft.wait(Some(STEP_TIMEOUT));
    let led = wait.metrics(|m| m.current_leader.is_some_and(|leader| leader != me), "another node leads").await;
    let leader = led.map_err(|_| Problem::timeout(WHAT))?.current_leader;
    if leader == Some(to) {
        return Ok(());
    }
    Err(Problem::unavailable(WHAT, format!("node {to} was to lead, and {} does: look again", leader.unwrap_or_default())))
}
