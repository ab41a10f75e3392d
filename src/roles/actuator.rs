//! `picket actuator`: one cluster's hands. The only role that holds write credentials.

use crate::counted::Counted;
use crate::failpoint::{self, Failing};
use crate::hands::Hands;
use crate::outer_lock;
use crate::wiring::Wiring;
use picket_adapters::journal::FileJournal;
use picket_adapters::sqlite::SqliteAuditLog;
use picket_coordinator::pki;
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use picket_gitops::DeliveryWatch;
use picket_pipeline::actuator::{Actuator, ActuatorPorts, ActuatorSettings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long one watch of the ledger waits for a change, real time.
const WATCH_MS: u64 = 500;
/// Real time between two steps: the watch itself waits.
const STEP_MS: u64 = 20;

/// Real time between two looks at what delivers the branches.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Acts that the journal keeps for a restore: some megabytes on disk, and weeks of acts for one cluster.
const JOURNAL_ENTRIES_MAX: usize = 4096;

/// The audit log's file of one cluster.
#[must_use]
pub fn audit_file(cluster: &str) -> String {
    format!("audit-{}.sqlite", picket_core::signal::clean_token(cluster))
}

/// Runs until it is asked to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring, cluster: &str) -> anyhow::Result<()> {
    wiring.require_built()?;
    let known = wiring.cluster(cluster)?;
    let timing = &wiring.config.timing;
    let settings = ActuatorSettings {
        cluster: cluster.into(),
        key: pki::verifying_key(wiring.pki())?,
        deadline_ms: timing.actuator_deadline_ms(),
        write_timeout_ms: timing.write_timeout.ms(),
        demonstration: known.simulated,
        journal_age_ms: timing.journal_age.ms(),
        journal_entries_max: JOURNAL_ENTRIES_MAX,
    };
    let folder = std::env::var_os(failpoint::VARIABLE).filter(|_| known.simulated);
    let fails_at = folder.map(|folder| PathBuf::from(folder).join(cluster));
    let hands = Hands::new(wiring, known)?;
    let clock = wiring.now();
    if let Some(deliveries) = hands.deliveries() {
        tokio::spawn(follow(deliveries, clock.clone()));
    }
    let ports = ActuatorPorts {
        coordinator: Failing::new(Counted(wiring.coordinator(&Principal::Actuator(cluster.into()))?), fails_at.clone()),
        executor: Failing::new(hands, fails_at.clone()),
        audit: Failing::new(SqliteAuditLog::open(wiring.data("audit")?.join(audit_file(cluster))).await?, fails_at.clone()),
        journal: Failing::new(FileJournal::open(wiring.data(&format!("actuator-{cluster}"))?)?, fails_at),
    };
    let mut actuator = Actuator::new(settings, ports, outer_lock::from_config(&wiring.config)?);
    tracing::info!(cluster, "actuator is up");
    super::drive(STEP_MS, async || actuator.step(&*clock, WATCH_MS).await).await;
    Ok(())
}

/// Says in the log what is wrong with a delivery, as long as the process lives.
async fn follow(mut deliveries: DeliveryWatch, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        for news in deliveries.look(clock()).await {
            tracing::warn!("{news}");
        }
    }
}
