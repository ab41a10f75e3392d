//! What both protocols do with a request: who sends it, is there room, is it on the bus.

use super::batches::Rejected;
use super::gateway::{GatewayConfig, TokenGrant};
use super::logs::normalise_logs;
use super::metrics::normalise_metrics;
use super::rejections::{Reason, Rejections};
use super::traces::normalise_traces;
use crate::clock::RunClock;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse};
use picket_core::action::Digest;
use picket_core::ids::ClusterName;
use picket_core::ports::{PortError, TelemetryIngestor};
use picket_core::signal::SignalBatch;
use picket_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When a sender should come again, if the bus did not say.
const RETRY_AFTER_MS: u64 = 2_000;

/// A request that was turned away whole.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after_ms: None }
    }

    fn retry(reason: Reason, message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self { reason, message: message.into(), retry_after_ms: Some(retry_after_ms) }
    }

    fn of(error: &PortError) -> Self {
        match error {
            PortError::Full { retry_after_ms, .. } => Self::retry(Reason::Full, error.to_string(), *retry_after_ms),
            PortError::Unavailable { .. } | PortError::Timeout { .. } => {
                Self::retry(Reason::Unavailable, error.to_string(), RETRY_AFTER_MS)
            }
            _ => Self::new(Reason::Refused, error.to_string()),
        }
    }
}

/// The part of the gateway that both protocols share.
#[derive(Debug)]
pub(super) struct Intake<I> {
    ingestor: Arc<I>,
    /// By the token's digest, so that comparing tells nothing of a token by its timing.
    grants: HashMap<String, TokenGrant>,
    clock: RunClock,
    requests: Arc<Semaphore>,
    pub(super) body_max_bytes: usize,
    pub(super) rejections: Arc<Rejections>,
}

impl<I: TelemetryIngestor> Intake<I> {
    pub(super) fn new(config: &GatewayConfig, ingestor: Arc<I>) -> Self {
        Self {
            ingestor,
            grants: config.tokens.iter().map(|(token, grant)| (Digest::of(token.as_bytes()).0, grant.clone())).collect(),
            clock: config.clock,
            requests: Arc::new(Semaphore::new(config.requests_max.max(1))),
            body_max_bytes: config.body_max_bytes,
            rejections: Arc::default(),
        }
    }

    /// Whose token it is, and a place among the requests in hand.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(TokenGrant, OwnedSemaphorePermit), Refusal> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let grant = token.and_then(|token| self.grants.get(&Digest::of(token.as_bytes()).0));
        let grant = grant
            .ok_or_else(|| Refusal::new(Reason::Unauthenticated, "send `Authorization: Bearer TOKEN` with the token of your cluster"))?;
        let place = Arc::clone(&self.requests)
            .try_acquire_owned()
            .map_err(|_| Refusal::retry(Reason::Full, "too many requests at once", RETRY_AFTER_MS))?;
        Ok((grant.clone(), place))
    }

    /// Event time now: of signals that say no time of their own.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An OTLP request, onto the bus. `Ok` tells which of its signals are no measurements.
    pub(super) async fn export<R: Export>(&self, grant: &TokenGrant, request: &R) -> Result<Rejected, Refusal> {
        let (batches, rejected) = request.normalise(&grant.cluster, self.now());
        self.publish(grant, batches).await?;
        self.rejections.count(Reason::Invalid, rejected.count);
        Ok(rejected)
    }

    /// Batches, onto the bus.
    pub(super) async fn publish(&self, grant: &TokenGrant, mut batches: Vec<SignalBatch>) -> Result<(), Refusal> {
        if batches.is_empty() {
            return Ok(());
        }
        for batch in &mut batches {
            batch.replay = grant.replay;
        }
        let number = batches.len() as u64;
        self.ingestor.ingest(batches).await.map_err(|error| Refusal::of(&error))?;
        self.rejections.accepted(number);
        Ok(())
    }

    /// Counts a refusal where it is answered.
    pub(super) fn count(&self, refusal: &Refusal) {
        self.rejections.count(refusal.reason, 1);
    }
}

/// One of OTLP's three requests.
pub(super) trait Export: prost::Message + Default + DeserializeOwned + Send + Sync + 'static {
    type Response: prost::Message + Default + Serialize + Send + 'static;
    fn normalise(&self, cluster: &ClusterName, received_at: Timestamp) -> (Vec<SignalBatch>, Rejected);
    /// `partial_success` is set only when something was turned away.
    fn response(rejected: &Rejected) -> Self::Response;
}

macro_rules! export {
    ($request:ident, $response:ident, $partial:ident, $rejected:ident, $normalise:ident) => {
        impl Export for $request {
            type Response = $response;
            fn normalise(&self, cluster: &ClusterName, received_at: Timestamp) -> (Vec<SignalBatch>, Rejected) {
                $normalise(self, cluster, received_at)
            }
            fn response(rejected: &Rejected) -> $response {
                let partial = $partial { $rejected: i64::try_from(rejected.count).unwrap_or(i64::MAX), error_message: rejected.message() };
                $response { partial_success: (rejected.count > 0).then_some(partial) }
            }
        }
    };
}

export!(ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportMetricsPartialSuccess, rejected_data_points, normalise_metrics);
export!(ExportTraceServiceRequest, ExportTraceServiceResponse, ExportTracePartialSuccess, rejected_spans, normalise_traces);
export!(ExportLogsServiceRequest, ExportLogsServiceResponse, ExportLogsPartialSuccess, rejected_log_records, normalise_logs);
