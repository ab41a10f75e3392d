mod grpc;
mod http;
mod normalise;
mod requests;
mod webhooks;

use super::{BusIngestor, GatewayConfig, GatewayHandle, TokenGrant, serve};
use crate::clock::RunClock;
use crate::in_memory::InMemoryBus;
use picket_core::ports::{Bus, PortError, PortResult, Subscription, TelemetryIngestor};
use picket_core::signal::{Signal, SignalBatch};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const EVENT0: Timestamp = Timestamp(1_700_000_000_000);

/// A gateway on free ports, with the tokens `east` and `recorded` (replay).
pub async fn gateway<I: TelemetryIngestor + 'static>(ingestor: I, body_max_bytes: usize) -> GatewayHandle {
    drop(rustls::crypto::ring::default_provider().install_default());
    let grant = |cluster: &str, replay| TokenGrant { cluster: cluster.into(), replay };
    let tokens = BTreeMap::from([("east-token".to_owned(), grant("east", false)), ("replay-token".to_owned(), grant("recorded", true))]);
    let config = GatewayConfig { body_max_bytes, ..GatewayConfig::local(tokens, RunClock::new(EVENT0, 1.0)) };
    serve(config, Arc::new(ingestor)).await.unwrap()
}

pub async fn gateway_on_bus() -> (GatewayHandle, Arc<InMemoryBus>) {
    let bus = Arc::new(InMemoryBus::default());
    (gateway(BusIngestor::new(Arc::clone(&bus), 64), 1 << 20).await, bus)
}

pub async fn batches(bus: &InMemoryBus, filter: &str) -> Vec<SignalBatch> {
    let from = Subscription { durable: filter.to_owned(), filter: filter.to_owned() };
    bus.pull(&from, 1_000, 0).await.unwrap().into_iter().map(|delivery| Arc::unwrap_or_clone(delivery.batch.unwrap())).collect()
}

pub async fn signals(bus: &InMemoryBus, filter: &str) -> Vec<Signal> {
    batches(bus, filter).await.into_iter().flat_map(|batch| batch.signals).collect()
}

/// Answers every batch with the same error.
pub struct Failing(pub PortError);

impl TelemetryIngestor for Failing {
    async fn ingest(&self, _: Vec<SignalBatch>) -> PortResult<()> {
        Err(self.0.clone())
    }
}
