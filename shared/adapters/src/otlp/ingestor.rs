//! From the gateway to the bus, within a bound.

use picket_core::action::Digest;
use picket_core::ports::{Bus, PortError, PortResult, TelemetryIngestor};
use picket_core::signal::SignalBatch;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long a request waits for a bus that is away before its sender is told to come again.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest pause between attempts.
const PAUSE_MAX_MS: u64 = 1_000;
/// When a sender should come again.
const RETRY_AFTER_MS: u64 = 1_000;

/// Publishes batches; says `Ok` only when the bus has them. Clones share the bound.
///
/// A batch's key is the digest of its content: a sender that comes again after an unknown outcome publishes nothing twice.
#[derive(Debug)]
pub struct BusIngestor<B> {
    bus: Arc<B>,
    room: Arc<Semaphore>,
    batches_max: u32,
    patience: Duration,
}

impl<B> Clone for BusIngestor<B> {
    fn clone(&self) -> Self {
        Self { bus: Arc::clone(&self.bus), room: Arc::clone(&self.room), batches_max: self.batches_max, patience: self.patience }
    }
}

impl<B: Bus> BusIngestor<B> {
    /// Holds at most `batches_max` batches that the bus has not acknowledged.
    #[must_use]
    pub fn new(bus: Arc<B>, batches_max: u32) -> Self {
        let batches_max = batches_max.max(1);
        Self { bus, room: Arc::new(Semaphore::new(batches_max as usize)), batches_max, patience: PATIENCE }
    }

    /// Waits this long for a bus that is away.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn publish(&self, batch: &SignalBatch, deadline: Instant) -> PortResult<()> {
        let content =
            serde_json::to_vec(batch).map_err(|error| PortError::Refused { what: "a batch".to_owned(), why: error.to_string() })?;
        let key = Digest::of(&content);
        let mut pause_ms = 25;
        loop {
            let attempt = tokio::time::timeout_at(deadline, self.bus.publish(batch, &key)).await;
            let error = match attempt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error @ (PortError::Unavailable { .. } | PortError::Timeout { .. }))) => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => PortError::Timeout { what: format!("publishing to {}", batch.subject()) },
            };
            let pause = Duration::from_millis(pause_ms / 2 + std::hash::RandomState::new().build_hasher().finish() % pause_ms);
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause_ms = (pause_ms * 2).min(PAUSE_MAX_MS);
        }
    }
}

impl<B: Bus> TelemetryIngestor for BusIngestor<B> {
    async fn ingest(&self, batches: Vec<SignalBatch>) -> PortResult<()> {
        // A request with more batches than there is room for could never come in: it takes all the room there is.
        let wanted = u32::try_from(batches.len()).unwrap_or(u32::MAX).min(self.batches_max);
        let full = || PortError::Full { what: "the gateway's buffer".to_owned(), retry_after_ms: RETRY_AFTER_MS };
        let _room = self.room.try_acquire_many(wanted).map_err(|_| full())?;
        let deadline = Instant::now() + self.patience;
        // One after another: the order of points within a series is kept.
        for batch in &batches {
            self.publish(batch, deadline).await?;
        }
        Ok(())
    }
}
