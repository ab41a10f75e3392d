//! The whole state, for a person to keep.

use super::error::Problem;
use super::openapi::{Described, Operation};
use super::{Caller, Node, reads};
use crate::backup::{Backup, Taken};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use picket_core::ids::Principal;
use std::sync::Arc;

const WHAT: &str = "backup";

pub(super) fn described() -> Vec<Described> {
    let operation = Operation::get::<Vec<u8>>("The whole state, in the form of a backup's file; for people alone.").bytes();
    vec![Described { path: "/v1/backup", handler: get(backup), operation: operation.problems(&[403, 429, 503]) }]
}

/// The state at one committed revision, not older than the call, in the form of a backup's file.
async fn backup(State(node): State<Arc<Node>>, Caller(principal): Caller) -> Result<Response, Problem> {
    if !matches!(principal, Principal::Human(_)) {
        return Err(Problem::forbidden(WHAT, format!("{principal} may not take a backup: it takes a person")));
    }
    let _turn = node.backing_up.try_acquire().map_err(|_| Problem::full(WHAT))?;
    reads::linearize(&node, WHAT).await?;
    let state = node.machine.read(Clone::clone);
    let status = state.status();
    let taken = Taken {
        cluster_id: node.cluster_id.clone(),
        permit_key: hex::encode(node.signing_key.verifying_key().to_bytes()),
        taken_at: status.now,
        taken_by: principal.to_string(),
        node: node.id,
        revision: status.revision,
        restore_epoch: status.restore_epoch,
    };
    let packing = tokio::task::spawn_blocking(move || Backup::new(taken, serde_json::to_vec(&state)?).to_bytes());
    let packed = packing.await.map_err(|e| Problem::internal(WHAT, e.to_string()))?;
    let bytes = packed.map_err(|e| Problem::internal(WHAT, e.to_string()))?;
    tracing::info!(by = %principal, revision = status.revision, bytes = bytes.len(), "a backup was taken");
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
