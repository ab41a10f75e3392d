//! Makes the coordinator's log long: with readings of many services, because small commands are soon covered by a snapshot and purged.

use anyhow::{Context as _, bail, ensure};
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{ClusterName, ServiceId};
use picket_core::ports::Coordinator as _;

/// Services of one reading: some 250 kB as JSON, well below what a node takes.
const SERVICES: usize = 1_000;

/// Posts readings of one cluster until they come to this many megabytes, one after the other.
///
/// # Errors
/// When a reading is not taken.
pub async fn fill(observer: &CoordinatorClient, cluster: &ClusterName, megabytes: u64) -> anyhow::Result<u64> {
    let registered = observer.submit_once(Command::Register).await.context("the observer could not register")?;
    let Answer::Epoch { epoch: observer_epoch } = registered else { bail!("the observer was not registered: {registered:?}") };
    let echo = observer.status().await?.now;
    let mut facts = ClusterFacts { cluster: cluster.clone(), observer_epoch, echo, services: readings(cluster), ..ClusterFacts::default() };
    let bytes = serde_json::to_vec(&facts)?.len() as u64;
    let posts = (megabytes << 20).div_ceil(bytes);
    for seq in 1..=posts {
        facts.seq = seq;
        let answer = observer.submit_once(Command::PostFacts { facts: Box::new(facts.clone()) }).await?;
        ensure!(answer == Answer::Done, "reading {seq} was not taken: {answer:?}");
    }
    Ok(posts)
}

fn readings(cluster: &ClusterName) -> std::collections::BTreeMap<ServiceId, ServiceFacts> {
    let one = |n: usize| ServiceFacts {
        ready: 4,
        total: 4,
        desired: 4,
        tier: 2,
        namespaces_touched: vec![format!("namespace-{}", n % 50)],
        dependants: (1..=3).map(|d| ServiceId::new(cluster.clone(), "shop", &format!("service-{}", n + d))).collect(),
        ..ServiceFacts::default()
    };
    (0..SERVICES).map(|n| (ServiceId::new(cluster.clone(), "shop", &format!("service-{n}")), one(n))).collect()
}
