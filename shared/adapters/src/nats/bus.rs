//! `Bus` on JetStream. Every call has a deadline; the client reconnects by itself.

use super::cursor::Cursor;
use super::payload;
use super::streams::StreamSettings;
use super::topics::{latest, topic_subject};
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Context, context::ContextBuilder};
use async_nats::{ConnectOptions, HeaderMap};
use picket_core::action::Digest;
use picket_core::ports::{Bus, Delivery, PortError, PortResult, Subscription, TopicValue};
use picket_core::signal::SignalBatch;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request to the server.
pub(super) const REQUEST: Duration = Duration::from_secs(5);
/// One call of the port, its waiting time apart.
const CALL: Duration = Duration::from_secs(10);
/// The first connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest pause between attempts to reconnect.
const RECONNECT_MAX_MS: u64 = 2_000;
/// Publishes whose acknowledgement is awaited at once.
const INFLIGHT_MAX: usize = 256;

/// The bus on a NATS server. Clones share the connection.
#[derive(Clone)]
pub struct JetStreamBus {
    context: Context,
    telemetry: Stream,
    topics: Stream,
    /// One per durable name: where this process is in the stream.
    cursors: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<Cursor>>>>>,
}

impl std::fmt::Debug for JetStreamBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JetStreamBus").finish_non_exhaustive()
    }
}

impl JetStreamBus {
    /// Connects, and creates the streams or checks that they are as `settings` say.
    ///
    /// # Errors
    /// `Unavailable` when no server answers within ten seconds; `Refused` when it runs the streams with other settings.
    pub async fn connect(url: &str, settings: StreamSettings) -> PortResult<Self> {
        let what = format!("NATS at {url}");
        within(CONNECT, &what, async {
            let client = ConnectOptions::new()
                .name("picket")
                .connection_timeout(REQUEST)
                .request_timeout(Some(REQUEST))
                .client_capacity(INFLIGHT_MAX)
                .reconnect_delay_callback(reconnect_delay)
                .connect(url)
                .await
                .map_err(|error| PortError::Unavailable { what: what.clone(), why: error.to_string() })?;
            let context = ContextBuilder::new()
                .timeout(REQUEST)
                .ack_timeout(REQUEST)
                .max_ack_inflight(INFLIGHT_MAX)
                .backpressure_on_inflight(true)
                .build(client);
            let (telemetry, topics) = settings.ensure(&context).await?;
            Ok(Self { context, telemetry, topics, cursors: Arc::default() })
        })
        .await
    }

    fn cursor(&self, from: &Subscription) -> PortResult<Arc<tokio::sync::Mutex<Cursor>>> {
        let mut cursors = self.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cursor) = cursors.get(&from.durable) {
            return Ok(Arc::clone(cursor));
        }
        let cursor = Arc::new(tokio::sync::Mutex::new(Cursor::new(from.clone())?));
        cursors.insert(from.durable.clone(), Arc::clone(&cursor));
        Ok(cursor)
    }

    async fn send(&self, subject: String, headers: HeaderMap, payload: Vec<u8>) -> PortResult<()> {
        let what = format!("publishing to {subject}");
        within(CALL, &what, async {
            let sent = self.context.publish_with_headers(subject, headers, payload.into()).await;
            let acknowledged = sent.map_err(|error| publish_error(&what, &error))?;
            acknowledged.await.map(|_| ()).map_err(|error| publish_error(&what, &error))
        })
        .await
    }
}

impl Bus for JetStreamBus {
    async fn publish(&self, batch: &SignalBatch, dedupe: &Digest) -> PortResult<()> {
        let subject = batch.subject();
        let payload = payload::encode(batch).map_err(|why| PortError::Refused { what: format!("publishing to {subject}"), why })?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, dedupe.0.as_str());
        headers.insert(payload::ENCODING, payload::GZIP);
        self.send(subject, headers, payload).await
    }

    async fn pull(&self, from: &Subscription, max: usize, wait_ms: u64) -> PortResult<Vec<Delivery>> {
        let cursor = self.cursor(from)?;
        let mut cursor = cursor.lock().await;
        let wait = Duration::from_millis(wait_ms);
        let pulled = within(CALL + wait, &format!("consumer {}", from.durable), cursor.pull(&self.telemetry, from, max, wait)).await;
        if pulled.is_err() {
            // What was on its way is unknown: the next pull begins anew at what is acknowledged.
            cursor.detach();
        }
        pulled
    }

    async fn acknowledge(&self, from: &Subscription, sequence: u64) -> PortResult<()> {
        let cursor = self.cursor(from)?;
        let mut cursor = cursor.lock().await;
        let acknowledged =
            within(CALL, &format!("acknowledging for {}", from.durable), cursor.acknowledge(&self.context.client(), sequence)).await;
        if acknowledged.is_err() {
            cursor.detach();
        }
        acknowledged
    }

    async fn put(&self, topic: &str, value: Vec<u8>) -> PortResult<()> {
        self.send(topic_subject(topic)?, HeaderMap::new(), value).await
    }

    async fn latest(&self, prefix: &str, since: u64) -> PortResult<Vec<TopicValue>> {
        within(CALL, "NATS stream PICKET_TOPICS", latest(&self.topics, prefix, since)).await
    }
}

async fn within<T>(deadline: Duration, what: &str, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    tokio::time::timeout(deadline, call).await.unwrap_or_else(|_| Err(PortError::Timeout { what: what.to_owned() }))
}

fn publish_error(what: &str, error: &PublishError) -> PortError {
    let what = what.to_owned();
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    match error.kind() {
        PublishErrorKind::TimedOut => PortError::Timeout { what },
        PublishErrorKind::MaxPayloadExceeded => PortError::Refused { what, why },
        PublishErrorKind::MaxAckPending => PortError::Full { what, retry_after_ms: 500 },
        // The server's words for `DiscardPolicy::New` on a full stream, and for a full disk.
        _ if why.contains("maximum bytes exceeded") || why.contains("maximum messages exceeded") || why.contains("insufficient") => {
            PortError::Full { what, retry_after_ms: 5_000 }
        }
        _ => PortError::Unavailable { what, why },
    }
}

/// Doubles up to two seconds, with half of it by chance: a mesh does not come back all at once.
fn reconnect_delay(attempts: usize) -> Duration {
    let longest_ms = (50_u64 << attempts.min(6)).min(RECONNECT_MAX_MS);
    let chance = std::hash::RandomState::new().build_hasher().finish();
    Duration::from_millis(longest_ms / 2 + chance % (longest_ms / 2 + 1))
}
