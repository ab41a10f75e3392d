//! A client's command, whichever way it came.

use super::error::Problem;
use super::{Node, writes};
use crate::raft::Written;
use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver as _;
use picket_core::coordination::Answer;
use picket_core::ids::Principal;

/// What its caller hears.
pub(super) struct Submitted {
    pub answer: Result<Answer, Problem>,
    /// `host:port` to which commands are better sent from now on, when that is elsewhere.
    pub leader: Option<String>,
}

/// Carries out a command; `text` is the request as JSON.
pub(super) async fn submitted(node: &Node, principal: Principal, text: Bytes) -> Submitted {
    let by = role(&principal);
    let answer = carried_out(node, principal, text).await;
    let result = match &answer {
        Ok(Answer::Refused { .. }) => "refused",
        Ok(_) => "answered",
        Err(_) => "failed",
    };
    metrics::counter!("picket_coordinator_submits_total", "by" => by, "result" => result).increment(1);
    Submitted { answer, leader: elsewhere(node) }
}

async fn carried_out(node: &Node, principal: Principal, text: Bytes) -> Result<Answer, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("submit"))?;
    let written = Written::read(text).map_err(|e| Problem::bad_request("submit", e.to_string()))?;
    writes::submit(node, principal, written).await
}

fn elsewhere(node: &Node) -> Option<String> {
    let leader = node.raft.metrics().borrow_watched().current_leader.filter(|leader| *leader != node.id)?;
    Some(node.peers.address_of(leader)?.to_string())
}

/// Who asks, without names: a label must not grow with the number of people.
const fn role(principal: &Principal) -> &'static str {
    match principal {
        Principal::Agent(_) => "agent",
        Principal::Observer(_) => "observer",
        Principal::Actuator(_) => "actuator",
        Principal::Human(_) => "human",
        Principal::Node(_) => "node",
        Principal::Dashboard => "dashboard",
        Principal::Gateway => "gateway",
    }
}
