//! Who the nodes are, and how people change that.

use super::error::Problem;
use super::peer_calls::PeerCalls as _;
use super::{CLIENT_BODY_MAX_BYTES, Caller, Node, READ_TIMEOUT};
use crate::membership;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use picket_core::membership::{MemberRequest, MembersView};
use std::sync::Arc;

const WHAT: &str = "members";

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new().route("/v1/members", get(members).post(change)).layer(DefaultBodyLimit::max(CLIENT_BODY_MAX_BYTES))
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
