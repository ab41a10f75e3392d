//! `picket observer`: one cluster's graph, facts and grades.

use crate::counted::Counted;
use crate::eyes::Eyes;
use crate::wiring::Wiring;
use picket_core::ids::Principal;
use picket_pipeline::observer::{Observer, ObserverSettings};

/// Real time between two steps.
const STEP_MS: u64 = 250;

/// Runs until it is asked to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring, cluster: &str) -> anyhow::Result<()> {
    wiring.require_built()?;
    let config = &wiring.config;
    let settings = ObserverSettings {
        cluster: cluster.into(),
        // A new name per life: the stream is read from its oldest message, and the baselines come back.
        name: format!("observer-{}", rand::random::<u32>()),
        facts_period_ms: config.timing.facts_period.ms(),
        graph_refresh_ms: config.observability.dependency_graph_refresh_interval.ms(),
        tick_ms: config.mesh.look_interval.ms(),
        monitor_window_ms: config.safety.remediation.post_action_monitor_window.ms(),
        detection: wiring.detection(),
    };
    let coordinator = Counted(wiring.coordinator(&Principal::Observer(cluster.into()))?);
    let mut observer = Observer::new(settings, wiring.bus().await?, coordinator, Eyes::new(wiring, wiring.cluster(cluster)?)?);
    tracing::info!(cluster, "observer is up");
    super::drive(STEP_MS, async || observer.step(wiring.clock.now()).await).await;
    Ok(())
}
