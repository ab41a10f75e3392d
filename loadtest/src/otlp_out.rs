//! Sends telemetry to the gateway over OTLP/HTTP: protobuf, gzip, a bounded queue, bounded retries.

use crate::telemetry::Telemetry;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Requests that wait to be sent, at most; the oldest collectors drop new ones then, and so does this one, counted.
const QUEUE_MAX: usize = 512;
/// Tries of one request.
const TRIES_MAX: u32 = 6;
/// A request may take this long.
const DEADLINE: Duration = Duration::from_secs(5);
/// Waiting between tries grows from the first to the last of these.
const BACK_OFF_MS: (u64, u64) = (100, 3_000);

/// What has become of the requests.
#[derive(Debug, Default)]
pub struct SendCounters {
    /// Accepted by the gateway.
    pub sent: AtomicU64,
    /// Tried again.
    pub retried: AtomicU64,
    /// Given up: refused for good, or tried too often.
    pub failed: AtomicU64,
    /// Dropped because the queue was full.
    pub dropped: AtomicU64,
}

/// Why a sender could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The HTTP client did not come up.
    #[error("cannot make an HTTP client for the gateway at {endpoint}: {source}")]
    Client {
        /// The gateway.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
}

struct Outgoing {
    path: &'static str,
    content_type: &'static str,
    body: Bytes,
    gzip: bool,
}

/// The sending half; a task of its own sends in order.
#[derive(Debug)]
pub struct OtlpSender {
    queue: mpsc::Sender<Outgoing>,
    counters: Arc<SendCounters>,
    worker: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes to {}", self.body.len(), self.path)
    }
}

impl OtlpSender {
    /// A sender to `endpoint` (like `http://127.0.0.1:4318`) that shows `token` as its bearer token. Needs a tokio runtime, and the
    /// process's rustls provider installed when the endpoint is https.
    pub fn new(endpoint: &str, token: &str) -> Result<Self, SenderError> {
        // The client wants a TLS provider even for plain http; a process that installed one already keeps it.
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .build()
            .map_err(|source| SenderError::Client { endpoint: endpoint.to_owned(), source })?;
        let (queue, mut waiting) = mpsc::channel::<Outgoing>(QUEUE_MAX);
        let counters = Arc::new(SendCounters::default());
        let (counted, endpoint, token) = (counters.clone(), endpoint.trim_end_matches('/').to_owned(), token.to_owned());
        let worker = tokio::spawn(async move {
            let mut jitter = ChaCha8Rng::seed_from_u64(crate::store::hash_text(&token));
            while let Some(outgoing) = waiting.recv().await {
                send(&client, &endpoint, &token, &outgoing, &counted, &mut jitter).await;
            }
        });
        Ok(Self { queue, counters, worker })
    }

    /// Queues one interval's telemetry; what does not fit is dropped and counted.
    pub fn send(&self, telemetry: &Telemetry) {
        if !telemetry.metrics.resource_metrics.is_empty() {
            self.enqueue("/v1/metrics", telemetry.metrics.encode_to_vec());
        }
        if !telemetry.traces.resource_spans.is_empty() {
            self.enqueue("/v1/traces", telemetry.traces.encode_to_vec());
        }
        if !telemetry.logs.resource_logs.is_empty() {
            self.enqueue("/v1/logs", telemetry.logs.encode_to_vec());
        }
        for finding in &telemetry.falco {
            let body = Bytes::from(finding.to_string());
            self.push(Outgoing { path: "/falco", content_type: "application/json", body, gzip: false });
        }
    }

    /// What has become of the requests so far.
    #[must_use]
    pub fn counters(&self) -> &SendCounters {
        &self.counters
    }

    /// Sends what is queued, then stops; gives up after `deadline`.
    pub async fn close(self, deadline: Duration) {
        drop(self.queue);
        let abort = self.worker.abort_handle();
        if tokio::time::timeout(deadline, self.worker).await.is_err() {
            abort.abort();
        }
    }

    fn enqueue(&self, path: &'static str, body: Vec<u8>) {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
        let zipped = encoder.write_all(&body).and_then(|()| encoder.finish());
        match zipped {
            Ok(zipped) => self.push(Outgoing { path, content_type: "application/x-protobuf", body: zipped.into(), gzip: true }),
            Err(error) => tracing::error!(%error, "telemetry could not be compressed"),
        }
    }

    fn push(&self, outgoing: Outgoing) {
        if self.queue.try_send(outgoing).is_err() {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(queue = QUEUE_MAX, "the gateway is too slow: telemetry was dropped");
        }
    }
}

async fn send(
    client: &reqwest::Client,
    endpoint: &str,
    token: &str,
    outgoing: &Outgoing,
    counters: &SendCounters,
    jitter: &mut ChaCha8Rng,
) {
    for turn in 0..TRIES_MAX {
        let mut request = client
            .post(format!("{endpoint}{}", outgoing.path))
            .bearer_auth(token)
            .header("content-type", outgoing.content_type)
            .body(outgoing.body.clone());
        if outgoing.gzip {
            request = request.header("content-encoding", "gzip");
        }
        let (again, asked_s) = match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                counters.sent.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(answer) => {
                let status = answer.status();
                let asked = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
                let again = status.as_u16() == 429 || status.is_server_error();
                if !again {
                    tracing::error!(%status, path = outgoing.path, "the gateway refuses telemetry for good");
                }
                (again, asked)
            }
            // No connection, or lost: the gateway drops duplicates, so sending again does no harm.
            Err(_) => (true, None),
        };
        if !again || turn + 1 == TRIES_MAX {
            break;
        }
        counters.retried.fetch_add(1, Ordering::Relaxed);
        let most = (BACK_OFF_MS.0 << turn).min(BACK_OFF_MS.1);
        let wait_ms = asked_s.map_or(0, |s| (s * 1000).min(BACK_OFF_MS.1)) + jitter.random_range(most / 2..=most);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    counters.failed.fetch_add(1, Ordering::Relaxed);
}
