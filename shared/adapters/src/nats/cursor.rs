//! One durable pull consumer, and where this process is in it.
//!
//! JetStream gives what a dead process had in hand again only after a while, and out of order; acknowledging all up to a later
//! message would lose it. So a process that attaches and finds messages in other hands makes the next generation of the consumer
//! (`NAME-g2` after `NAME-g1`) that begins right after the acknowledged ones, then removes the former: a crash between the two
//! leaves both, and the higher one counts.

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, Info};
use async_nats::jetstream::stream::Stream;
use futures::{StreamExt, TryStreamExt};
use picket_core::ports::{Delivery, PortError, PortResult, Subscription};
use std::collections::VecDeque;
use std::time::Duration;

use super::bus::REQUEST;
use super::payload;

/// When the server gives again what nobody acknowledged. Only a safety net: attaching does it at once.
const ACK_WAIT: Duration = Duration::from_secs(600);
/// Most messages in hand at once.
const PENDING_MAX: i64 = 4_096;

/// A message in hand: delivered and not acknowledged.
struct InHand {
    delivery: Delivery,
    /// The subject on which it is acknowledged.
    reply: String,
}

pub(super) struct Cursor {
    from: Subscription,
    consumer: Option<Consumer<Config>>,
    in_hand: VecDeque<InHand>,
    /// Everything up to here is done with, whether or not the server knows.
    floor: u64,
}

impl Cursor {
    pub(super) fn new(from: Subscription) -> PortResult<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if from.durable.is_empty() || from.durable.len() > 128 || !from.durable.bytes().all(plain) {
            let why = "a durable name is 1 to 128 letters, digits, - and _".to_owned();
            return Err(PortError::Refused { what: format!("consumer `{}`", from.durable), why });
        }
        Ok(Self { from, consumer: None, in_hand: VecDeque::new(), floor: 0 })
    }

    /// Forgets the consumer and what is in hand: they come again from what is acknowledged.
    pub(super) fn detach(&mut self) {
        self.consumer = None;
        self.in_hand.clear();
    }

    /// Up to `max` of what is not acknowledged, in order; waits for the first.
    pub(super) async fn pull(&mut self, stream: &Stream, from: &Subscription, max: usize, wait: Duration) -> PortResult<Vec<Delivery>> {
        if from.filter != self.from.filter {
            return Err(self.other_filter(&self.from.filter));
        }
        let max = max.min(PENDING_MAX as usize);
        let consumer = self.attach(stream).await?;
        if self.in_hand.len() < max {
            self.fetch(&consumer, max - self.in_hand.len(), None).await?;
        }
        if self.in_hand.is_empty() && max > 0 && !wait.is_zero() {
            self.fetch(&consumer, 1, Some(wait)).await?;
            if !self.in_hand.is_empty() && max > 1 {
                self.fetch(&consumer, max - 1, None).await?;
            }
        }
        Ok(self.in_hand.iter().take(max).map(|message| message.delivery.clone()).collect())
    }

    /// Tells the server, and waits for its word.
    pub(super) async fn acknowledge(&mut self, client: &async_nats::Client, sequence: u64) -> PortResult<()> {
        self.floor = self.floor.max(sequence);
        let done = self.in_hand.iter().take_while(|message| message.delivery.sequence <= sequence).count();
        // Not in hand: acknowledged before, or delivered before a detach; in that case it is skipped when it comes again.
        let Some(last) = done.checked_sub(1) else { return Ok(()) };
        let reply = self.in_hand[last].reply.clone();
        self.in_hand.drain(..done);
        let what = || format!("acknowledging for {}", self.from.durable);
        client
            .request(reply, "+ACK".into())
            .await
            .map(|_| ())
            .map_err(|error| PortError::Unavailable { what: what(), why: error.to_string() })
    }

    /// Takes what there is, up to `max`; with a wait, waits for it.
    async fn fetch(&mut self, consumer: &Consumer<Config>, max: usize, wait: Option<Duration>) -> PortResult<()> {
        let name = self.from.durable.clone();
        let unavailable = |why: String| PortError::Unavailable { what: format!("consumer {name}"), why };
        let batch = match wait {
            Some(wait) => consumer.batch().max_messages(max).expires(wait).messages().await,
            None => consumer.fetch().max_messages(max).messages().await,
        };
        let mut batch = batch.map_err(|error| unavailable(error.to_string()))?;
        let deadline = tokio::time::Instant::now() + wait.unwrap_or_default() + REQUEST;
        loop {
            let next = tokio::time::timeout_at(deadline, batch.next())
                .await
                .map_err(|_| PortError::Timeout { what: format!("consumer {name}") })?;
            let Some(message) = next else { return Ok(()) };
            let message = message.map_err(|error| unavailable(error.to_string()))?;
            let sequence = message.info().map_err(|error| unavailable(error.to_string()))?.stream_sequence;
            // Given again although it is in hand or done with: the server lost its note of that.
            if sequence <= self.in_hand.back().map_or(self.floor, |last| last.delivery.sequence) {
                continue;
            }
            let gzip = message
                .headers
                .as_ref()
                .and_then(|headers| headers.get(payload::ENCODING))
                .is_some_and(|encoding| encoding.as_str() == payload::GZIP);
            let batch = payload::decode(&message.payload, gzip).map(std::sync::Arc::new);
            let reply = message.reply.as_ref().map(ToString::to_string).unwrap_or_default();
            self.in_hand.push_back(InHand { delivery: Delivery { batch, sequence }, reply });
        }
    }

    /// The consumer, made or taken over.
    async fn attach(&mut self, stream: &Stream) -> PortResult<Consumer<Config>> {
        if let Some(consumer) = &self.consumer {
            return Ok(consumer.clone());
        }
        let what = format!("consumer {}", self.from.durable);
        let unavailable = |why: String| PortError::Unavailable { what: what.clone(), why };
        let names: Vec<String> = stream.consumer_names().try_collect().await.map_err(|error| unavailable(error.to_string()))?;
        let mut generations: Vec<u64> = names.iter().filter_map(|name| self.generation_of(name)).collect();
        generations.sort_unstable();
        let Some(newest) = generations.pop() else {
            return self.create(stream, 1, 0).await;
        };
        let consumer: Consumer<Config> = stream.get_consumer(&self.name(newest)).await.map_err(|error| unavailable(error.to_string()))?;
        let info = consumer.cached_info();
        if info.config.filter_subject != self.from.filter {
            return Err(self.other_filter(&info.config.filter_subject));
        }
        let acknowledged = acknowledged(info);
        let last_in_stream = stream.get_info().await.map_err(|error| unavailable(error.to_string()))?.state.last_sequence;
        if self.floor > last_in_stream {
            // The stream was deleted and began again: the old numbers mean nothing.
            self.floor = acknowledged;
        }
        let consumer =
            if info.num_ack_pending > 0 || info.delivered.stream_sequence > acknowledged.max(self.floor) || self.floor > acknowledged {
                generations.push(newest);
                self.create(stream, newest + 1, acknowledged.max(self.floor)).await?
            } else {
                self.floor = acknowledged;
                self.consumer = Some(consumer.clone());
                consumer
            };
        for former in generations {
            // Left over when this fails: the next attach tries again.
            if let Err(error) = stream.delete_consumer(&self.name(former)).await {
                tracing::debug!(%error, consumer = self.name(former), "a former generation of a consumer is still there");
            }
        }
        Ok(consumer)
    }

    async fn create(&mut self, stream: &Stream, generation: u64, after: u64) -> PortResult<Consumer<Config>> {
        let deliver_policy = if after == 0 { DeliverPolicy::All } else { DeliverPolicy::ByStartSequence { start_sequence: after + 1 } };
        let config = Config {
            durable_name: Some(self.name(generation)),
            filter_subject: self.from.filter.clone(),
            deliver_policy,
            ack_policy: AckPolicy::All,
            ack_wait: ACK_WAIT,
            max_ack_pending: PENDING_MAX,
            ..Config::default()
        };
        let created = stream.create_consumer(config).await;
        let consumer =
            created.map_err(|error| PortError::Unavailable { what: format!("consumer {}", self.from.durable), why: error.to_string() })?;
        if consumer.cached_info().config.filter_subject != self.from.filter {
            return Err(self.other_filter(&consumer.cached_info().config.filter_subject));
        }
        self.floor = after;
        self.consumer = Some(consumer.clone());
        Ok(consumer)
    }

    fn name(&self, generation: u64) -> String {
        format!("{}-g{generation}", self.from.durable)
    }

    fn generation_of(&self, name: &str) -> Option<u64> {
        name.strip_prefix(&self.from.durable)?.strip_prefix("-g")?.parse().ok()
    }

    fn other_filter(&self, found: &str) -> PortError {
        let why = format!("the durable consumer exists with the filter `{found}`, not `{}`: choose another durable name", self.from.filter);
        PortError::Refused { what: format!("consumer {}", self.from.durable), why }
    }
}

/// Everything up to here is acknowledged, as far as the server knows.
fn acknowledged(info: &Info) -> u64 {
    let start = match info.config.deliver_policy {
        DeliverPolicy::ByStartSequence { start_sequence } => start_sequence.saturating_sub(1),
        _ => 0,
    };
    info.ack_floor.stream_sequence.max(start)
}
