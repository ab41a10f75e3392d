//! What everyone with a certificate may call.

use super::error::Problem;
use super::openapi::{self, Described, Operation};
use super::submitted::{Submitted, submitted};
use super::{CLIENT_BODY_MAX_BYTES, Caller, Node, backup_route, member_routes, reads};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::AppendHeaders;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use picket_core::coordination::{Answer, CoordinatorStatus, LedgerEntry, Request, WatchPage};
use picket_core::ids::{EntryId, Principal};
use picket_core::permit::Permit;
use picket_core::policy::Policy;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of a watch.
const WAIT_MAX_MS: u64 = 30_000;
/// Most ended entries in one answer.
const SETTLED_MAX: usize = 10_000;

fn described() -> Vec<Described> {
    let route = |path, handler, operation| Described { path, handler, operation };
    vec![
        route(
            "/v1/submit",
            post(submit),
            Operation::post::<Request, Answer>("Carries out a command, once per caller and request id: a retry gets the first answer. A node that does not lead names the leader's address in the header `picket-leader`.")
                .problems(&[400, 413, 429, 503, 504]),
        ),
        route(
            "/v1/status",
            get(status),
            Operation::get::<CoordinatorStatus>("The coordinator at a glance; linearizable.").problems(&[429, 503]),
        ),
        route(
            "/v1/policy",
            get(policy),
            Operation::get::<Policy>("Limits, approvals and caps that are in force; linearizable.").problems(&[429, 503]),
        ),
        route(
            "/v1/entries",
            get(entries),
            Operation::get::<Vec<LedgerEntry>>("Every open entry of the ledger and the newest ended ones, oldest first; linearizable.")
                .query::<EntriesQuery>()
                .problems(&[400, 429, 503]),
        ),
        route(
            "/v1/watch",
            get(watch),
            Operation::get::<WatchPage>("Changes of the ledger after a revision, in order and without gaps; waits for the first.")
                .query::<WatchQuery>()
                .problems(&[400, 429, 503]),
        ),
        route(
            "/v1/permits/{entry}",
            get(permit),
            Operation::get::<Permit>("The signed permit of an entry that is permitted now; for the actuator of its cluster alone.")
                .path_parameter("entry")
                .problems(&[403, 404, 429, 503]),
        ),
        route("/healthz", get(health), Operation::get::<String>("This process answers; it says nothing of the group.").text()),
        route("/openapi.json", get(openapi), Operation::get::<serde_json::Value>("This document.")),
    ]
}

fn all() -> Vec<Described> {
    described().into_iter().chain(member_routes::described()).chain(backup_route::described()).collect()
}

pub(super) fn routes() -> Router<Arc<Node>> {
    openapi::router(all()).layer(DefaultBodyLimit::max(CLIENT_BODY_MAX_BYTES))
}

/// The API of clients as OpenAPI 3.1.
#[must_use]
pub fn document() -> serde_json::Value {
    openapi::describe(&all())
}

async fn openapi() -> Json<serde_json::Value> {
    Json(document())
}

/// Where the command is better sent the next time, when that is elsewhere.
const LEADER: HeaderName = HeaderName::from_static("picket-leader");

type Answered = (Option<AppendHeaders<[(HeaderName, HeaderValue); 1]>>, Json<Answer>);

async fn submit(State(node): State<Arc<Node>>, Caller(principal): Caller, body: Bytes) -> Result<Answered, Problem> {
    let Submitted { answer, leader } = submitted(&node, principal, body).await;
    let hint = leader.and_then(|address| HeaderValue::try_from(address).ok()).map(|address| [(LEADER, address)]);
    Ok((hint.map(AppendHeaders), Json(answer?)))
}

async fn status(State(node): State<Arc<Node>>, Caller(_): Caller) -> Result<Json<CoordinatorStatus>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("status"))?;
    reads::linearize(&node, "status").await?;
    let mut status = node.machine.read(|state| state.status());
    status.leader = node.raft.current_leader().await;
    Ok(Json(status))
}

async fn policy(State(node): State<Arc<Node>>, Caller(_): Caller) -> Result<Json<Policy>, Problem> {
    let _place = node.calls.try_acquire().map_err(|_| Problem::full("policy"))?;
    reads::linearize(&node, "policy").await?;
    Ok(Json(node.machine.read(|state| state.policy())))
}

#[derive(Deserialize, JsonSchema)]
struct EntriesQuery {
    /// Most ended entries that are given; at most 10,000.
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

#[derive(Deserialize, JsonSchema)]
struct WatchQuery {
    /// Changes after this one are asked for; 0 is the beginning.
    revision: u64,
    /// How long to wait for the first, in milliseconds; at most 30,000.
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
