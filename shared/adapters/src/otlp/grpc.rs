//! OTLP over gRPC.

use super::accept::{Export, Intake, Refusal};
use super::gateway::TokenGrant;
use super::rejections::Reason;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{MetricsService, MetricsServiceServer};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use picket_core::ports::TelemetryIngestor;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

/// How long a request may take, its body's arrival and the bus's patience included.
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn router<I: TelemetryIngestor + 'static>(intake: Arc<Intake<I>>) -> axum::Router {
    let service = Arc::new(Service(Arc::clone(&intake)));
    let max = intake.body_max_bytes;
    let metrics =
        MetricsServiceServer::from_arc(Arc::clone(&service)).accept_compressed(Gzip).send_compressed(Gzip).max_decoding_message_size(max);
    let traces =
        TraceServiceServer::from_arc(Arc::clone(&service)).accept_compressed(Gzip).send_compressed(Gzip).max_decoding_message_size(max);
    let logs = LogsServiceServer::from_arc(service).accept_compressed(Gzip).send_compressed(Gzip).max_decoding_message_size(max);
    tonic::service::Routes::new(metrics)
        .add_service(traces)
        .add_service(logs)
        .into_axum_router()
        .layer(from_fn_with_state(intake, guard::<I>))
}

/// Admits before anything is read, and counts what the codec turned away.
async fn guard<I: TelemetryIngestor + 'static>(State(intake): State<Arc<Intake<I>>>, mut request: Request, next: Next) -> Response {
    let (grant, _place) = match intake.admit(request.headers()) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            intake.count(&refusal);
            return status_of(&refusal).into_http();
        }
    };
    request.extensions_mut().insert(grant);
    let Ok(response) = tokio::time::timeout(DEADLINE, next.run(request)).await else {
        intake.rejections.count(Reason::TooSlow, 1);
        return Status::deadline_exceeded("the request did not arrive in time").into_http();
    };
    codec_refusal(response, |reason| intake.rejections.count(reason, 1))
}

/// The codec's own answers, told apart by their codes: the services below answer with none of these.
fn codec_refusal(mut response: Response, count: impl FnOnce(Reason)) -> Response {
    let code = response.headers().get("grpc-status").and_then(|code| code.to_str().ok()).and_then(|code| code.parse::<i32>().ok());
    match code.map(Code::from_i32) {
        Some(Code::OutOfRange | Code::ResourceExhausted) => count(Reason::TooLarge),
        Some(Code::Unimplemented) => count(Reason::UnsupportedEncoding),
        Some(Code::Internal) => {
            count(Reason::Malformed);
            // What does not decode is the sender's fault.
            response.headers_mut().insert("grpc-status", axum::http::HeaderValue::from(Code::InvalidArgument as i32));
        }
        _ => {}
    }
    response
}

struct Service<I>(Arc<Intake<I>>);

impl<I: TelemetryIngestor> Service<I> {
    async fn export<R: Export>(&self, request: tonic::Request<R>) -> Result<tonic::Response<R::Response>, Status> {
        let Some(grant) = request.extensions().get::<TokenGrant>().cloned() else {
            return Err(Status::unauthenticated("the request was not admitted"));
        };
        match self.0.export(&grant, request.get_ref()).await {
            Ok(rejected) => Ok(tonic::Response::new(R::response(&rejected))),
            Err(refusal) => {
                self.0.count(&refusal);
                Err(status_of(&refusal))
            }
        }
    }
}

#[tonic::async_trait]
impl<I: TelemetryIngestor + 'static> MetricsService for Service<I> {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        self.export(request).await
    }
}

#[tonic::async_trait]
impl<I: TelemetryIngestor + 'static> TraceService for Service<I> {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        self.export(request).await
    }
}

#[tonic::async_trait]
impl<I: TelemetryIngestor + 'static> LogsService for Service<I> {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.export(request).await
    }
}

/// OTLP: only UNAVAILABLE (and RESOURCE_EXHAUSTED with a delay) may be sent again, after the delay in `RetryInfo`.
fn status_of(refusal: &Refusal) -> Status {
    let code = match refusal.reason {
        Reason::Unauthenticated => Code::Unauthenticated,
        Reason::Full | Reason::Unavailable => Code::Unavailable,
        Reason::TooSlow => Code::DeadlineExceeded,
        Reason::Refused => Code::FailedPrecondition,
        _ => Code::InvalidArgument,
    };
    let Some(retry_after_ms) = refusal.retry_after_ms else { return Status::new(code, &refusal.message) };
    let details = retry_details(code, &refusal.message, retry_after_ms);
    let mut metadata = MetadataMap::new();
    if let Ok(seconds) = retry_after_ms.div_ceil(1_000).to_string().parse() {
        metadata.insert("retry-after", seconds);
    }
    Status::with_details_and_metadata(code, &refusal.message, details.into(), metadata)
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo`, encoded.
fn retry_details(code: Code, message: &str, retry_after_ms: u64) -> Vec<u8> {
    let delay = RetryDelay { seconds: (retry_after_ms / 1_000) as i64, nanos: (retry_after_ms % 1_000) as i32 * 1_000_000 };
    let retry_info = RetryInfo { retry_delay: Some(delay) };
    let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: retry_info.encode_to_vec() };
    RpcStatus { code: code as i32, message: message.to_owned(), details: vec![any] }.encode_to_vec()
}

/// `google.rpc.Status`: also the body of an OTLP/HTTP error.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(skip)]
    pub(super) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<RetryDelay>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryDelay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}
