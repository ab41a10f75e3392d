//! The cluster goes on by itself, and tells of it: late, twice, or not at all.

use crate::site::Site;
use picket_adapters::otlp::{normalise_falco, normalise_logs, normalise_metrics, normalise_traces};
use picket_coordinator_simulation::client::Client;
use picket_coordinator_simulation::{Happening, World, executor};
use picket_core::action::Digest;
use picket_core::ports::Bus as _;
use picket_core::signal::SignalBatch;
use rand::RngExt as _;
use std::sync::Arc;

const STEP_MS: u64 = 1_000;

/// Until the run closes.
pub async fn run(mut client: Client, site: Arc<Site>) {
    let world = client.world().clone();
    let mut late: Vec<(u64, SignalBatch)> = Vec::new();
    let mut published = 0_u64;
    while !world.is_closing() {
        executor::sleep_ms(STEP_MS).await;
        let mut arrived = Vec::new();
        for batch in produced(&site) {
            let fate = if world.history().healed_ms.is_some() { 99 } else { client.rng.random_range(0..100) };
            match fate {
                0..2 => world.history().happened(Happening::TelemetryLost),
                2..5 => {
                    world.history().happened(Happening::TelemetryLate);
                    late.push((executor::elapsed_ms() + client.rng.random_range(2_000..30_000), batch));
                }
                5..8 => {
                    world.history().happened(Happening::TelemetryDoubled);
                    // Not by the sender's key: a second exporter sends the same points.
                    arrived.extend([batch.clone(), batch]);
                }
                _ => arrived.push(batch),
            }
        }
        late.retain(|(due_ms, batch)| {
            let waits = *due_ms > executor::elapsed_ms();
            if !waits {
                arrived.push(batch.clone());
            }
            waits
        });
        for batch in arrived {
            published += 1;
            publish(&world, &site, &batch, published).await;
        }
    }
}

fn produced(site: &Site) -> Vec<SignalBatch> {
    let (name, now) = (&site.name, World::wall());
    let telemetry = {
        let mut cluster = site.cluster();
        cluster.advance_until_due(now);
        if !cluster.telemetry_is_due() {
            return Vec::new();
        }
        cluster.telemetry()
    };
    let mut batches = normalise_metrics(&telemetry.metrics, name, now).0;
    batches.extend(normalise_traces(&telemetry.traces, name, now).0);
    batches.extend(normalise_logs(&telemetry.logs, name, now).0);
    for event in &telemetry.falco {
        batches.extend(serde_json::to_vec(event).ok().and_then(|bytes| normalise_falco(&bytes, name, now).ok()).unwrap_or_default());
    }
    batches
}

async fn publish(world: &World, site: &Site, batch: &SignalBatch, number: u64) {
    if let Err(error) = site.bus.publish(batch, &Digest::of(&number.to_be_bytes())).await {
        world.trace(format_args!("the bus did not take a batch: {error}"));
    }
}
