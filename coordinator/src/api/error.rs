//! What a caller hears when it is not an answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// HTTP status; carried along when a follower passes on what the leader said.
    #[serde(skip)]
    pub status: u16,
    /// Which call or object.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, what: &str, why: impl Into<String>) -> Self {
        Self { status: status.as_u16(), what: what.to_owned(), why: why.into(), retry_after_ms: None }
    }

    /// The request is wrong.
    pub fn bad_request(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what, why)
    }

    /// The principal may not.
    pub fn forbidden(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, what, why)
    }

    /// It was understood, and is not done.
    pub fn refused(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, what, why)
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, "it does not exist")
    }

    /// It contradicts what is there.
    pub fn conflict(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, what, why)
    }

    /// Not now; try again, here or on another node.
    pub fn unavailable(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what, why)
    }

    /// The deadline passed; it may have happened.
    pub fn timeout(what: &str) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, what, "no answer within the deadline; ask again with the same request id")
    }

    /// Too much at once.
    pub fn full(what: &str) -> Self {
        Self {
            retry_after_ms: Some(100),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, what, "as many calls as this node takes at once are in progress")
        }
    }

    /// Whether it was [`Self::unavailable`].
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
    }

    /// A defect of this node.
    pub fn internal(what: &str, why: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, what, why)
    }

    /// Into the metrics, when a client hears of it.
    pub(super) fn count(&self) {
        metrics::counter!("picket_coordinator_problems_total", "status" => self.status.to_string()).increment(1);
    }

    /// As frames carry it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.status.to_le_bytes().to_vec();
        // Plain data always has this form.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes
    }

    /// What `to_bytes` wrote.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let read = bytes.split_first_chunk().and_then(|(status, json)| {
            let problem: Self = serde_json::from_slice(json).ok()?;
            Some(Self { status: u16::from_le_bytes(*status), ..problem })
        });
        read.unwrap_or_else(|| Self::unavailable("another node", "it answered something that does not parse"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.count();
        (status, Json(self)).into_response()
    }
}
