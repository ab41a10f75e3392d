//! Who the nodes are, and how people change that.

use super::error::Problem;
use super::openapi::{Described, Operation};
use super::peer_calls::PeerCalls as _;
use super::{Caller, Node, READ_TIMEOUT};
use crate::membership;
use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use bytes::Bytes;
use picket_core::membership::{MemberRequest, MembersView};
use std::sync::Arc;

const WHAT: &str = "members";

pub(super) fn described() -> Vec<Described> {
    let path = "/v1/members";
    vec![
        Described {
            path,
            handler: get(members),
            operation: Operation::get::<MembersView>("The coordinator's nodes, as the leader sees them.").problems(&[429]),
        },
        Described {
            path,
            handler: post(change),
            operation: Operation::post::<MemberRequest, MembersView>("Changes who the nodes are; for people alone.")
                .problems(&[400, 403, 422, 429, 503, 504]),
        },
    ]
}

/// As the leader sees them, who alone knows how far the others are; as this node does, when there is none.
async fn members(State(node): State<Arc<Node>>, Caller(_): Caller) -> Result<Json<MembersView>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full(WHAT))?;
    let seen_by_leader = match node.leader().await.filter(|leader| *leader != node.id) {
        Some(leader) => node.peers.members(leader, READ_TIMEOUT).await.ok(),
        None => None,
    };
    Ok(Json(seen_by_leader.unwrap_or_else(|| membership::view(&node))))
}

async fn change(State(node): State<Arc<Node>>, Caller(principal): Caller, body: Bytes) -> Result<Json<MembersView>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full(WHAT))?;
    let request: MemberRequest = serde_json::from_slice(&body).map_err(|e| Problem::bad_request(WHAT, e.to_string()))?;
    membership::change(&node, principal, request).await.map(Json)
}
