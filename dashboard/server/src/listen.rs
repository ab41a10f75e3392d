//! Hears the coordinator and the bus, a few times a second, and publishes what the page shows.

use crate::feed::Feed;
use crate::project::{self, Heard, Terms};
use picket_core::incident::IncidentStatus;
use picket_core::incident_record::{Freshness, IncidentRecord};
use picket_core::ports::{Bus, Coordinator, PortError, PortResult, TopicValue};
use picket_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Settled entries shown beside the open ones.
const SETTLED_MAX: usize = 40;
/// Incidents kept; the oldest resolved ones go first.
const INCIDENTS_MAX: usize = 80;
/// A record larger than this is not an incident's.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// A call that takes longer than this counts as unanswered.
const CALL_DEADLINE: Duration = Duration::from_secs(3);

/// Reads the run clock.
pub type RunClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Listens to one coordinator and one bus.
pub struct Listener<C, B> {
    /// As what the dashboard may see.
    pub coordinator: Arc<C>,
    /// Where agents tell of incidents.
    pub bus: Arc<B>,
    /// The run clock.
    pub clock: RunClock,
    /// What does not change.
    pub terms: Terms,
    /// Where to publish.
    pub feed: Arc<Feed>,
    /// Rung by a button: hear at once.
    pub nudge: Arc<Notify>,
}

impl<C: Coordinator, B: Bus> Listener<C, B> {
    /// Listens for ever; ends when dropped.
    pub async fn run(self, every: Duration) {
        let mut heard = Heard::default();
        let mut seen = Seen::default();
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.nudge.notified() => {}
            }
            self.hear(&mut heard, &mut seen).await;
            self.feed.publish(project::snapshot(&heard, &self.terms, (self.clock)()));
        }
    }

    async fn hear(&self, heard: &mut Heard, seen: &mut Seen) {
        let (status, entries, incidents, freshness) = tokio::join!(
            in_time("the coordinator", self.coordinator.status()),
            in_time("the coordinator", self.coordinator.entries(SETTLED_MAX)),
            in_time("the bus", self.bus.latest(IncidentRecord::TOPIC_PREFIX, seen.incidents)),
            in_time("the bus", self.bus.latest(Freshness::TOPIC_PREFIX, seen.freshness)),
        );
        let mut fault = None;
        match status {
            Ok(status) => heard.status = Some(status),
            Err(error) => fault = Some(error),
        }
        match entries {
            Ok(entries) => heard.entries = entries,
            Err(error) => fault = Some(error),
        }
        match incidents {
            Ok(words) => take_incidents(heard, &mut seen.incidents, words),
            Err(error) => fault = fault.or(Some(error)),
        }
        match freshness {
            Ok(words) => take_freshness(heard, &mut seen.freshness, words),
            Err(error) => fault = fault.or(Some(error)),
        }
        heard.fault =
            fault.map(|error| format!("Figures may be old: {error}. They go on by themselves when it answers again.")).unwrap_or_default();
    }
}

/// The newest revisions heard.
#[derive(Default)]
struct Seen {
    incidents: u64,
    freshness: u64,
}

async fn in_time<T>(what: &str, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    tokio::time::timeout(CALL_DEADLINE, call).await.unwrap_or_else(|_| Err(PortError::Timeout { what: what.to_owned() }))
}

fn take_incidents(heard: &mut Heard, seen: &mut u64, words: Vec<TopicValue>) {
    for word in words {
        *seen = word.revision.max(*seen);
        let record = (word.value.len() <= RECORD_BYTES_MAX).then(|| serde_json::from_slice::<IncidentRecord>(&word.value).ok()).flatten();
        match record {
            Some(record) => _ = heard.incidents.insert(record.incident.id.to_string(), record),
            None => unreadable(&word.topic),
        }
    }
    while heard.incidents.len() > INCIDENTS_MAX {
        let age = |r: &IncidentRecord| (r.incident.status == IncidentStatus::Open, r.incident.updated_at);
        let Some(oldest) = heard.incidents.iter().min_by_key(|(_, r)| age(r)).map(|(id, _)| id.clone()) else { break };
        heard.incidents.remove(&oldest);
    }
}

fn take_freshness(heard: &mut Heard, seen: &mut u64, words: Vec<TopicValue>) {
    for word in words {
        *seen = word.revision.max(*seen);
        let cluster = word.topic.strip_prefix(Freshness::TOPIC_PREFIX);
        match (cluster, serde_json::from_slice::<Freshness>(&word.value)) {
            (Some(cluster), Ok(freshness)) => _ = heard.telemetry.insert(cluster.into(), freshness.at),
            _ => unreadable(&word.topic),
        }
    }
}

fn unreadable(topic: &str) {
    metrics::counter!("picket_dashboard_unreadable_records_total").increment(1);
    tracing::warn!(topic, "a record on the bus cannot be read; the page goes on without it");
}
