//! What only nodes may call.

use super::error::Problem;
use super::{Caller, NODE_BODY_MAX_BYTES, Node, SNAPSHOT_MAX_BYTES, reads, writes};
use crate::membership;
use crate::raft::wire::{self, Forwarded, ReadIndex, SETTINGS_HEADER, paths};
use crate::raft::{Snapshot, TypeConfig};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use openraft::raft::TransferLeaderResponse;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, VoteRequest, VoteResponse};
use picket_core::coordination::Answer;
use picket_core::ids::Principal;
use picket_core::membership::MembersView;
use serde::de::DeserializeOwned;
use std::sync::Arc;

pub(super) fn routes(node: &Arc<Node>) -> Router<Arc<Node>> {
    let snapshot = Router::new().route(paths::SNAPSHOT, post(install)).layer(DefaultBodyLimit::max(SNAPSHOT_MAX_BYTES));
    Router::new()
        .route(paths::APPEND, post(append))
        .route(paths::VOTE, post(vote))
        .route(paths::PRE_VOTE, post(pre_vote))
        .route(paths::TRANSFER, post(transfer))
        .route(paths::MEMBERS, post(members))
        .route(paths::READ_INDEX, post(read_index))
        .route(paths::FORWARD, post(forward))
        .layer(DefaultBodyLimit::max(NODE_BODY_MAX_BYTES))
        .merge(snapshot)
        .route_layer(from_fn_with_state(node.clone(), nodes_only))
}

async fn nodes_only(State(node): State<Arc<Node>>, Caller(principal): Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let path = request.uri().path().to_owned();
    let Principal::Node(caller) = principal else {
        return Err(Problem::forbidden(&path, format!("it is for nodes of the coordinator, and this is {principal}")));
    };
    let digest = request.headers().get(SETTINGS_HEADER).map(|v| v.as_bytes());
    if digest != Some(node.peers.settings_digest().as_bytes()) {
        let why = format!("nodes {caller} and {} have different settings, and would decide differently; start them with the same", node.id);
        tracing::warn!(path, why, "another node was refused");
        return Err(Problem::conflict(&path, why));
    }
    // What a node says in others' names is heard from members only: one that was removed may be anywhere by now.
    if matches!(path.as_str(), paths::FORWARD | paths::READ_INDEX) && !membership::is_member(&node, caller) {
        return Err(Problem::unavailable(&path, format!("node {caller} is no member of this group")));
    }
    Ok(next.run(request).await)
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|e| Problem::bad_request(path, e.to_string()))
}

async fn append(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<AppendEntriesResponse<TypeConfig>>, Problem> {
    let rpc: AppendEntriesRequest<TypeConfig> = read(paths::APPEND, &body)?;
    node.raft.append_entries(rpc).await.map(Json).map_err(|e| Problem::internal(paths::APPEND, e.to_string()))
}

async fn vote(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<VoteResponse<TypeConfig>>, Problem> {
    let rpc: VoteRequest<TypeConfig> = read(paths::VOTE, &body)?;
    node.raft.vote(rpc).await.map(Json).map_err(|e| Problem::internal(paths::VOTE, e.to_string()))
}

async fn pre_vote(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<VoteResponse<TypeConfig>>, Problem> {
    let rpc: VoteRequest<TypeConfig> = read(paths::PRE_VOTE, &body)?;
    node.raft.pre_vote(rpc).await.map(Json).map_err(|e| Problem::internal(paths::PRE_VOTE, e.to_string()))
}

async fn transfer(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<TransferLeaderResponse<TypeConfig>>, Problem> {
    let rpc: TransferLeaderRequest<TypeConfig> = read(paths::TRANSFER, &body)?;
    node.raft.handle_transfer_leader(rpc).await.map(Json).map_err(|e| Problem::internal(paths::TRANSFER, e.to_string()))
}

/// As this node knows it, which may be old news: whoever asks looks for a newer one than its own.
async fn members(State(node): State<Arc<Node>>) -> Json<MembersView> {
    Json(membership::view(&node))
}

async fn install(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<SnapshotResponse<TypeConfig>>, Problem> {
    let (head, state) = wire::unpack_snapshot(&body).map_err(|e| Problem::bad_request(paths::SNAPSHOT, e))?;
    let snapshot = Snapshot { meta: head.meta, snapshot: state.to_vec() };
    node.raft.install_full_snapshot(head.vote, snapshot).await.map(Json).map_err(|e| Problem::internal(paths::SNAPSHOT, e.to_string()))
}

async fn read_index(State(node): State<Arc<Node>>) -> Result<Json<ReadIndex>, Problem> {
    reads::read_index(&node, "read").await.map(Json)
}

/// The other node vouches for who said it: it took the name from a certificate of the same CA.
async fn forward(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<Answer>, Problem> {
    let Forwarded { principal, request } = read(paths::FORWARD, &body)?;
    writes::propose(&node, principal, request).await.map(Json)
}
