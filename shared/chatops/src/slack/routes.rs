//! Where Slack's presses arrive. Slack waits three seconds: a request is checked and answered at once, what comes of it follows by its
//! `response_url`.

use super::interaction::{self, Interaction};
use super::press::Desk;
use super::rate::RateLimit;
use super::signature::{self, BODY_BYTES_MAX};
use crate::approver::Approver;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How much is taken.
#[derive(Copy, Clone, Debug)]
pub struct Bounds {
    /// Requests a second from one address. Behind a proxy all of them share the proxy's.
    pub per_s: f64,
    /// Requests at once from one address.
    pub burst: f64,
    /// Longest wait for a request's body; with the rest well below Slack's three seconds.
    pub body_deadline: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { per_s: 10.0, burst: 40.0, body_deadline: Duration::from_millis(1500) }
    }
}

/// Addresses whose rates are remembered.
const SOURCES_MAX: usize = 4096;

struct Door<A> {
    desk: Arc<Desk<A>>,
    rate: Mutex<RateLimit>,
    bounds: Bounds,
    since: Instant,
}

/// `POST /slack/interactions` and `GET /healthz`. For rates per source it is served with
/// [`Router::into_make_service_with_connect_info`] of [`SocketAddr`].
pub fn router<A: Approver>(desk: Arc<Desk<A>>, bounds: Bounds) -> Router {
    let door = Door { desk, rate: Mutex::new(RateLimit::new(bounds.per_s, bounds.burst, SOURCES_MAX)), bounds, since: Instant::now() };
    Router::new().route("/slack/interactions", post(interactions::<A>)).route("/healthz", get(async || "ok\n")).with_state(Arc::new(door))
}

async fn interactions<A: Approver>(State(door): State<Arc<Door<A>>>, request: Request) -> (StatusCode, &'static str) {
    let answer = door.take(request).await;
    metrics::counter!("picket_chatops_interactions_total", "status" => answer.0.as_str().to_owned()).increment(1);
    answer
}

impl<A: Approver> Door<A> {
    async fn take(&self, request: Request) -> (StatusCode, &'static str) {
        let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
        let now_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(from, now_ms) {
            return (StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
        }
        let (parts, body) = request.into_parts();
        let body = match self.read(&parts.headers, body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let (timestamp, signed) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
        let now_s = (self.desk.wall)().0.div_euclid(1000);
        if let Err(why) = signature::verify(&self.desk.signing, timestamp, signed, &body, now_s) {
            tracing::warn!(%from, %why, "a request that is not Slack's");
            return (StatusCode::UNAUTHORIZED, "not signed by Slack\n");
        }
        match interaction::read(&body, &self.desk.expected) {
            Err(why) => {
                tracing::warn!(%why, "an interaction of Slack's cannot be read");
                (StatusCode::BAD_REQUEST, "not an interaction that picket knows\n")
            }
            Ok(Interaction::Other) => (StatusCode::OK, ""),
            Ok(Interaction::Press(press)) => {
                let Some(place) = self.desk.presses.place() else {
                    tracing::error!("too many presses are being carried out; one was turned away");
                    return (StatusCode::SERVICE_UNAVAILABLE, "too many presses at once; press again\n");
                };
                let desk = self.desk.clone();
                // The answer to Slack does not wait for the coordinator. A press is bounded by its deadlines.
                tokio::spawn(async move {
                    desk.take(*press).await;
                    drop(place);
                });
                (StatusCode::OK, "")
            }
        }
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, (StatusCode, &'static str)> {
        const TOO_LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 256 KiB\n");
        let said: Option<u64> = headers.get("content-length").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        if said.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
            return Err(TOO_LARGE);
        }
        match tokio::time::timeout(self.bounds.body_deadline, Limited::new(body, BODY_BYTES_MAX).collect()).await {
            Ok(Ok(read)) => Ok(read.to_bytes().to_vec()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LARGE),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body broke off\n")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body came too slowly\n")),
        }
    }
}
