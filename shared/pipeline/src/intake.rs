//! Telemetry from the bus, in order, with what it says about time.

use picket_core::ids::ClusterName;
use picket_core::ports::{Bus, PortResult, Subscription};
use picket_core::signal::{Signal, clean_token};
use picket_core::time::Timestamp;

/// Batches taken per pull: bounds the memory of one step.
const PULL_MAX: usize = 256;

/// One durable consumer of one cluster's telemetry.
#[derive(Debug)]
pub struct Intake {
    subscription: Subscription,
    newest: Option<Timestamp>,
    unreadable: u64,
}

impl Intake {
    /// Consumes `telemetry.CLUSTER.>` (or `replay.CLUSTER.>`) under the durable name `NAME-CLUSTER`.
    ///
    /// A name that the bus has not seen starts with the oldest telemetry that is kept: a role that restarts under a new name has its
    /// baselines back as soon as it has caught up.
    #[must_use]
    pub fn new(name: &str, cluster: &ClusterName, replay: bool) -> Self {
        let token = clean_token(cluster.as_str());
        let root = if replay { "replay" } else { "telemetry" };
        let subscription = Subscription { durable: format!("{}-{token}", clean_token(name)), filter: format!("{root}.{token}.>") };
        Self { subscription, newest: None, unreadable: 0 }
    }

    /// Hands every new signal to `each`, then acknowledges. Returns how many there were.
    ///
    /// # Errors
    /// When the bus is away; nothing is lost, what was not acknowledged comes again.
    pub async fn drain<B: Bus>(&mut self, bus: &B, mut each: impl FnMut(&Signal) + Send) -> PortResult<usize> {
        let deliveries = bus.pull(&self.subscription, PULL_MAX, 0).await?;
        let Some(last) = deliveries.last().map(|d| d.sequence) else { return Ok(0) };
        let mut signals = 0;
        for delivery in &deliveries {
            match &delivery.batch {
                Ok(batch) => {
                    for signal in &batch.signals {
                        self.newest = self.newest.max(Some(signal.at()));
                        each(signal);
                        signals += 1;
                    }
                }
                Err(_) => self.unreadable += 1,
            }
        }
        bus.acknowledge(&self.subscription, last).await?;
        Ok(signals)
    }

    /// The newest event time seen.
    #[must_use]
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Messages that could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// True when the newest signal is at most `lag_ms` old: the past has been caught up with.
    #[must_use]
    pub fn is_live(&self, now: Timestamp, lag_ms: i64) -> bool {
        self.newest.is_some_and(|newest| now.since_ms(newest) <= lag_ms)
    }
}
