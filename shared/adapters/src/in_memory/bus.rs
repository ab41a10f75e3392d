//! The bus in memory: what JetStream does, within one process.

use picket_core::action::Digest;
use picket_core::ports::{Bus, Delivery, PortError, PortResult, Subscription, TopicValue};
use picket_core::signal::SignalBatch;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// How many keys are remembered for deduplication.
const DEDUPE_KEYS_MAX: usize = 65_536;

/// A bus in memory. Clones share it. Holds at most `batches_max`; more is `Full`.
#[derive(Clone, Debug)]
pub struct InMemoryBus {
    state: Arc<Mutex<State>>,
    published: Arc<Notify>,
    batches_max: usize,
    /// Beyond so many, what everybody has acknowledged is forgotten.
    remembered_max: usize,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<(u64, String, Arc<SignalBatch>)>,
    last_sequence: u64,
    dedupe: HashMap<String, u64>,
    dedupe_order: VecDeque<String>,
    acknowledged: HashMap<String, u64>,
    filters: HashMap<String, String>,
    topics: BTreeMap<String, TopicValue>,
    last_revision: u64,
}

impl Default for InMemoryBus {
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

impl InMemoryBus {
    /// An empty bus that holds `batches_max` batches.
    #[must_use]
    pub fn new(batches_max: usize) -> Self {
        Self { state: Arc::default(), published: Arc::default(), batches_max, remembered_max: usize::MAX }
    }

    /// The same bus, which forgets the oldest batches beyond `remembered_max` once every consumer that asked for them has acknowledged
    /// them. A consumer that comes later begins with what is left, as on a stream that is bounded by age.
    #[must_use]
    pub fn remembering(self, remembered_max: usize) -> Self {
        Self { remembered_max, ..self }
    }

    fn state(&self) -> PortResult<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| PortError::Damaged { what: "the bus in memory".to_owned(), why: "a writer panicked".to_owned() })
    }

    fn take(&self, from: &Subscription, max: usize) -> PortResult<Vec<Delivery>> {
        let mut state = self.state()?;
        let filter = state.filters.entry(from.durable.clone()).or_insert_with(|| from.filter.clone());
        if *filter != from.filter {
            let why = format!("the durable consumer exists with the filter `{filter}`, not `{}`: choose another durable name", from.filter);
            return Err(PortError::Refused { what: format!("consumer {}", from.durable), why });
        }
        let after = state.acknowledged.get(&from.durable).copied().unwrap_or(0);
        let first = state.batches.partition_point(|(sequence, ..)| *sequence <= after);
        let wanted = state.batches.range(first..).filter(|(_, subject, _)| subject_matches(&from.filter, subject));
        Ok(wanted.take(max).map(|(sequence, _, batch)| Delivery { batch: Ok(batch.clone()), sequence: *sequence }).collect())
    }
}

impl State {
    fn forget(&mut self, remembered_max: usize) {
        while self.batches.len() > remembered_max
            && self.batches.front().is_some_and(|(sequence, subject, _)| {
                let mut asked = self.filters.iter().filter(|(_, filter)| subject_matches(filter, subject)).peekable();
                asked.peek().is_some() && asked.all(|(durable, _)| self.acknowledged.get(durable).is_some_and(|done| done >= sequence))
            })
        {
            self.batches.pop_front();
        }
    }
}

impl Bus for InMemoryBus {
    async fn publish(&self, batch: &SignalBatch, dedupe: &Digest) -> PortResult<()> {
        let mut state = self.state()?;
        if state.dedupe.contains_key(&dedupe.0) {
            return Ok(());
        }
        if state.batches.len() >= self.batches_max {
            return Err(PortError::Full { what: "the bus in memory".to_owned(), retry_after_ms: 1_000 });
        }
        state.last_sequence += 1;
        let sequence = state.last_sequence;
        state.batches.push_back((sequence, batch.subject(), Arc::new(batch.clone())));
        state.dedupe.insert(dedupe.0.clone(), sequence);
        state.dedupe_order.push_back(dedupe.0.clone());
        if state.dedupe_order.len() > DEDUPE_KEYS_MAX
            && let Some(oldest) = state.dedupe_order.pop_front()
        {
            state.dedupe.remove(&oldest);
        }
        drop(state);
        self.published.notify_waiters();
        Ok(())
    }

    async fn pull(&self, from: &Subscription, max: usize, wait_ms: u64) -> PortResult<Vec<Delivery>> {
        if wait_ms == 0 {
            return self.take(from, max);
        }
        let deadline = tokio::time::Instant::now() + Duration::from_millis(wait_ms);
        loop {
            let notified = self.published.notified();
            tokio::pin!(notified);
            // Registered before looking, so that a publish in between wakes it.
            notified.as_mut().enable();
            let deliveries = self.take(from, max)?;
            if !deliveries.is_empty() || tokio::time::timeout_at(deadline, notified).await.is_err() {
                return Ok(deliveries);
            }
        }
    }

    async fn acknowledge(&self, from: &Subscription, sequence: u64) -> PortResult<()> {
        let mut state = self.state()?;
        let acknowledged = state.acknowledged.entry(from.durable.clone()).or_insert(0);
        *acknowledged = (*acknowledged).max(sequence);
        state.forget(self.remembered_max);
        Ok(())
    }

    async fn put(&self, topic: &str, value: Vec<u8>) -> PortResult<()> {
        crate::nats::topic_subject(topic)?;
        let mut state = self.state()?;
        state.last_revision += 1;
        let revision = state.last_revision;
        state.topics.insert(topic.to_owned(), TopicValue { topic: topic.to_owned(), value, revision });
        Ok(())
    }

    async fn latest(&self, prefix: &str, since: u64) -> PortResult<Vec<TopicValue>> {
        let state = self.state()?;
        let mut values: Vec<_> =
            state.topics.values().filter(|value| value.topic.starts_with(prefix) && value.revision > since).cloned().collect();
        values.sort_by_key(|value| value.revision);
        Ok(values)
    }
}

/// NATS's rule: `*` stands for one token, a last `>` for one or more.
fn subject_matches(filter: &str, subject: &str) -> bool {
    let mut wanted = filter.split('.');
    let mut tokens = subject.split('.');
    loop {
        match (wanted.next(), tokens.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(want), Some(token)) if want == token => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        crate::conformance::bus(&InMemoryBus::default()).await;
    }

    #[test]
    fn filters_match_as_in_nats() {
        assert!(subject_matches("telemetry.>", "telemetry.a.b.c"));
        assert!(subject_matches("telemetry.*.b.c", "telemetry.a.b.c"));
        assert!(!subject_matches("telemetry.>", "telemetry"));
        assert!(!subject_matches("telemetry.a", "telemetry.a.b"));
    }

    #[tokio::test]
    async fn a_full_bus_pushes_back() {
        let bus = InMemoryBus::new(1);
        let batch = crate::conformance::batch("c", 1);
        bus.publish(&batch, &Digest::of(b"1")).await.unwrap();
        assert!(matches!(bus.publish(&batch, &Digest::of(b"2")).await, Err(PortError::Full { .. })));
    }

    #[tokio::test]
    async fn what_everybody_has_read_is_forgotten_and_nothing_else() {
        let bus = InMemoryBus::default().remembering(2);
        let batch = crate::conformance::batch("c", 1);
        let reader = |durable: &str| Subscription { durable: durable.into(), filter: "telemetry.>".into() };
        let (quick, slow) = (reader("quick"), reader("slow"));
        assert!(bus.pull(&slow, 1, 0).await.unwrap().is_empty());
        for n in 0..10u8 {
            bus.publish(&batch, &Digest::of(&[n])).await.unwrap();
        }
        bus.acknowledge(&quick, bus.pull(&quick, 10, 0).await.unwrap()[9].sequence).await.unwrap();
        let waiting = bus.pull(&slow, 100, 0).await.unwrap();
        assert_eq!(waiting.len(), 10, "one has read nothing yet");
        bus.acknowledge(&slow, waiting[9].sequence).await.unwrap();
        assert_eq!(bus.pull(&reader("new"), 100, 0).await.unwrap().len(), 2);
    }
}
