//! What everyone with a certificate may call.

use super::error::Problem;
use super::{CLIENT_BODY_MAX_BYTES, Caller, Node, reads, writes};
use crate::raft::Written;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use picket_core::coordination::{Answer, CoordinatorStatus, LedgerEntry, WatchPage};
use picket_core::ids::{EntryId, Principal};
use picket_core::permit::Permit;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of a watch.
const WAIT_MAX_MS: u64 = 30_000;
/// Most ended entries in one answer.
const SETTLED_MAX: usize = 10_000;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/v1/submit", post(submit))
        .route("/v1/status", get(status))
        .route("/v1/entries", get(entries))
        .route("/v1/watch", get(watch))
        .route("/v1/permits/{entry}", get(permit))
        .route("/healthz", get(health))
        .layer(DefaultBodyLimit::max(CLIENT_BODY_MAX_BYTES))
}

async fn submit(State(node): State<Arc<Node>>, Caller(principal): Caller, body: Bytes) -> Result<Json<Answer>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("submit"))?;
    let written = Written::read(body).map_err(|e| Problem::bad_request("submit", e.to_string()))?;
    writes::submit(&node, principal, written).await.map(Json)
}

async fn status(State(node): State<Arc<Node>>, Caller(_): Caller) -> Result<Json<CoordinatorStatus>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("status"))?;
    reads::linearize(&node, "status").await?;
    let mut status = node.machine.read(|state| state.status());
    status.leader = node.raft.current_leader().await;
    Ok(Json(status))
}

#[derive(Deserialize)]
struct EntriesQuery {
    #[serde(default)]
    settled_max: usize,
}

async fn entries(
    State(node): State<Arc<Node>>,
    Caller(_): Caller,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<Vec<LedgerEntry>>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("entries"))?;
    reads::linearize(&node, "entries").await?;
    Ok(Json(node.machine.read(|state| state.entries(query.settled_max.min(SETTLED_MAX)))))
}

#[derive(Deserialize)]
struct WatchQuery {
    revision: u64,
    #[serde(default)]
    wait_ms: u64,
}

async fn watch(
    State(node): State<Arc<Node>>,
    Caller(principal): Caller,
    Query(query): Query<WatchQuery>,
) -> Result<Json<WatchPage>, Problem> {
    let _place = node.watches.try_acquire().map_err(|_| Problem::full("watch"))?;
    let wait = Duration::from_millis(query.wait_ms.min(WAIT_MAX_MS));
    reads::watch(&node, &principal, query.revision, wait).await.map(Json)
}

async fn permit(State(node): State<Arc<Node>>, Caller(principal): Caller, Path(entry): Path<String>) -> Result<Json<Permit>, Problem> {
    let Principal::Actuator(cluster) = principal else {
        return Err(Problem::forbidden("permit", "only the actuator of its cluster may read a permit"));
    };
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("permit"))?;
    reads::linearize(&node, "permit").await?;
    let entry = EntryId(entry);
    let found = node.machine.read(|state| picket_state_machine::permit_for(state, &entry, &node.signing_key));
    match found {
        Some(permit) if permit.body.cluster == cluster => Ok(Json(permit)),
        Some(_) => Err(Problem::forbidden("permit", "only the actuator of its cluster may read a permit")),
        None => Err(Problem::not_found(&format!("a permit of {entry}"))),
    }
}

/// This process answers; it says nothing of the group.
async fn health() -> &'static str {
    "ok"
}
