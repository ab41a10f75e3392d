//! OTLP over HTTP, and the webhooks.

use super::accept::{Export, Intake, Refusal};
use super::gateway::TokenGrant;
use super::grpc::RpcStatus;
use super::rejections::Reason;
use super::webhooks::{alertmanager, falco};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use picket_core::ids::ClusterName;
use picket_core::ports::TelemetryIngestor;
use picket_core::signal::SignalBatch;
use picket_core::time::Timestamp;
use prost::Message;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(15);

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(super) fn router<I: TelemetryIngestor + 'static>(intake: Arc<Intake<I>>) -> Router {
    Router::new()
        .route("/v1/metrics", post(export::<ExportMetricsServiceRequest, I>))
        .route("/v1/traces", post(export::<ExportTraceServiceRequest, I>))
        .route("/v1/logs", post(export::<ExportLogsServiceRequest, I>))
        .route("/falco", post(falco_webhook::<I>))
        .route("/alertmanager", post(alertmanager_webhook::<I>))
        .route("/healthz", get(async || "ok\n"))
        .with_state(intake)
}

/// The two encodings of OTLP/HTTP; an answer has its request's.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next().unwrap_or_default().trim();
        [(PROTOBUF, Self::Protobuf), (JSON, Self::Json)]
            .into_iter()
            .find(|(name, _)| media_type.eq_ignore_ascii_case(name))
            .map(|(_, encoding)| encoding)
    }

    fn decode<M: Export>(self, body: &[u8]) -> Result<M, String> {
        match self {
            Self::Protobuf => M::decode(body).map_err(|error| error.to_string()),
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
        }
    }

    fn answer<M: Message + serde::Serialize>(self, status: StatusCode, message: &M) -> Response {
        let (content_type, body) = match self {
            Self::Protobuf => (PROTOBUF, message.encode_to_vec()),
            // Plain data with text keys always becomes JSON.
            Self::Json => (JSON, serde_json::to_vec(message).unwrap_or_default()),
        };
        (status, [(CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
    }
}

async fn export<R: Export, I: TelemetryIngestor + 'static>(State(intake): State<Arc<Intake<I>>>, request: Request) -> Response {
    let encoding = Encoding::of(request.headers());
    let exported = async {
        let (grant, _place) = intake.admit(request.headers())?;
        let encoding = encoding.ok_or_else(|| Refusal::new(Reason::UnsupportedType, format!("send {PROTOBUF} or {JSON}")))?;
        let body = body(request, intake.body_max_bytes).await?;
        let decoded: R = encoding.decode(&body).map_err(|why| Refusal::new(Reason::Malformed, why))?;
        intake.export(&grant, &decoded).await
    };
    match exported.await {
        Ok(rejected) => encoding.unwrap_or(Encoding::Protobuf).answer(StatusCode::OK, &R::response(&rejected)),
        Err(refusal) => refuse(&intake, &refusal, encoding.unwrap_or(Encoding::Protobuf)),
    }
}

async fn falco_webhook<I: TelemetryIngestor + 'static>(State(intake): State<Arc<Intake<I>>>, request: Request) -> Response {
    webhook(&intake, request, falco).await
}

async fn alertmanager_webhook<I: TelemetryIngestor + 'static>(State(intake): State<Arc<Intake<I>>>, request: Request) -> Response {
    webhook(&intake, request, alertmanager).await
}

type Reader = fn(&[u8], &ClusterName, Timestamp) -> Result<Vec<SignalBatch>, String>;

async fn webhook<I: TelemetryIngestor + 'static>(intake: &Intake<I>, request: Request, read: Reader) -> Response {
    let taken = async {
        let (grant, _place): (TokenGrant, _) = intake.admit(request.headers())?;
        if Encoding::of(request.headers()) != Some(Encoding::Json) {
            return Err(Refusal::new(Reason::UnsupportedType, format!("send {JSON}")));
        }
        let body = body(request, intake.body_max_bytes).await?;
        let batches = read(&body, &grant.cluster, intake.now()).map_err(|why| Refusal::new(Reason::Malformed, why))?;
        intake.publish(&grant, batches).await
    };
    match taken.await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refuse(intake, &refusal, Encoding::Json),
    }
}

/// The body, unpacked, within the limit.
async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Refusal> {
    let gzip = match request.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase()) {
        None => false,
        Some(encoding) if encoding.is_empty() || encoding == "identity" => false,
        Some(encoding) if encoding == "gzip" => true,
        Some(encoding) => {
            return Err(Refusal::new(Reason::UnsupportedEncoding, format!("`{encoding}` is not understood: send gzip or nothing")));
        }
    };
    let packed = read_body(request.into_body(), bytes_max).await?;
    if !gzip {
        return Ok(packed);
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed.as_ref())
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|error| Refusal::new(Reason::Malformed, format!("gzip: {error}")))?;
    if unpacked.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(unpacked.into())
}

async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let collected = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, bytes_max).collect()).await;
    match collected {
        Err(_) => Err(Refusal::new(Reason::TooSlow, "the body did not arrive in time")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large(bytes_max)),
        Ok(Err(error)) => Err(Refusal::new(Reason::Malformed, error.to_string())),
    }
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("a body may have {bytes_max} bytes, unpacked"))
}

fn refuse<I: TelemetryIngestor>(intake: &Intake<I>, refusal: &Refusal, encoding: Encoding) -> Response {
    intake.count(refusal);
    let (status, code) = match refusal.reason {
        Reason::Unauthenticated => (StatusCode::UNAUTHORIZED, tonic::Code::Unauthenticated),
        Reason::Malformed | Reason::Invalid => (StatusCode::BAD_REQUEST, tonic::Code::InvalidArgument),
        Reason::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, tonic::Code::InvalidArgument),
        Reason::UnsupportedType | Reason::UnsupportedEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, tonic::Code::InvalidArgument),
        Reason::Full => (StatusCode::TOO_MANY_REQUESTS, tonic::Code::Unavailable),
        Reason::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, tonic::Code::Unavailable),
        Reason::TooSlow => (StatusCode::REQUEST_TIMEOUT, tonic::Code::DeadlineExceeded),
        Reason::Refused => (StatusCode::INTERNAL_SERVER_ERROR, tonic::Code::FailedPrecondition),
    };
    let body = RpcStatus { code: code as i32, message: refusal.message.clone(), details: Vec::new() };
    let mut response = encoding.answer(status, &body);
    if let Some(retry_after_ms) = refusal.retry_after_ms {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000).max(1)));
    }
    response
}
