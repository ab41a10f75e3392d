//! Others who change the cluster: people who deploy and edit, and a controller that puts back what its repository says.

use crate::site::Site;
use picket_adapters::kubernetes::ACTION_ID;
use picket_coordinator_simulation::Happening;
use picket_coordinator_simulation::client::Client;
use picket_core::ids::ServiceId;
use picket_core::ledger::EntryState;
use picket_loadtest::store::ObjectKey;
use rand::RngExt as _;
use serde_json::{Value, json};
use std::sync::Arc;

/// Until the run closes.
pub async fn run(mut client: Client, site: Arc<Site>) {
    let world = client.world().clone();
    let services = site.cluster().service_ids();
    let of_repository: Vec<Value> = services
        .iter()
        .map(|s| site.cluster().store.get(&key(&s.namespace, &s.name)).map(|o| o["spec"].clone()).unwrap_or_default())
        .collect();
    while !world.is_closing() {
        client.pause(400, 6_000).await;
        if world.history().healed_ms.is_some() {
            continue;
        }
        // What somebody else is at just now, sometimes.
        let wanted = if client.rng.random_bool(0.3) { under_way(&mut client).await } else { None };
        let n = wanted
            .and_then(|wanted| services.iter().position(|s| *s == wanted))
            .unwrap_or_else(|| client.rng.random_range(0..services.len()));
        let target = key(&services[n].namespace, &services[n].name);
        let (kind, draw) = (client.rng.random_range(0..8), client.rng.random_range(0..1_000_000));
        let heals = kind == 7;
        let mut cluster = site.cluster();
        let is_ours = |object: &Value| object["metadata"]["annotations"][ACTION_ID].is_string();
        if heals && !cluster.store.get(&target).is_some_and(|object| is_ours(object)) {
            continue;
        }
        cluster.store.update(&target, |object| match kind {
            // A label that nobody reads, and the version moves all the same.
            0..=3 => object["metadata"]["labels"]["team.example/note"] = json!(format!("n{draw}")),
            4 | 5 => object["spec"]["replicas"] = json!(2 + draw % 3),
            6 => object["spec"]["template"]["metadata"]["annotations"]["team.example/edited"] = json!(draw.to_string()),
            _ => object["spec"] = of_repository[n].clone(),
        });
        drop(cluster);
        world.trace(format_args!("somebody changes {target}, kind {kind}"));
        world.history().happened(Happening::ForeignChange);
    }
}

/// A service that an act is permitted on or being done to.
async fn under_way(client: &mut Client) -> Option<ServiceId> {
    let entries = client.entries(0).await.ok()?;
    let entry = entries.into_iter().find(|e| matches!(e.state, EntryState::Permitted | EntryState::Claimed))?;
    Some(entry.work.action().service.clone())
}

/// A label that nobody reads; the object's version moves all the same.
pub fn note(site: &Site, service: &ServiceId, text: &str) {
    let text = json!(text);
    site.cluster().store.update(&key(&service.namespace, &service.name), |object| {
        object["metadata"]["labels"]["team.example/note"] = text;
    });
}

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new("apps/v1", "Deployment", namespace, name)
}
