//! `picket coordinator`: one Raft node of the safety core.

use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_coordinator::{NodeConfig, RaftTimers, pki, serve};
use picket_core::config::Config;
use picket_state_machine::Settings;

/// The state machine's settings, from the configuration.
#[must_use]
pub fn settings(config: &Config, demonstration: bool) -> Settings {
    let timing = &config.timing;
    Settings {
        limits: config.limit_rules(),
        gate: config.gate_rule(),
        approval_severities: config.orchestration.chatops.approval_required_for_severity.clone(),
        two_person_severities: config.orchestration.chatops.two_persons_for_severity.clone(),
        demonstration,
        // The target stays blocked until the grade; its neighbours in the namespace need not wait for it (PROTOCOL.md, Succession).
        lease_through_observing: false,
        permit_ttl_ms: timing.permit_ttl.ms(),
        act_deadline_ms: timing.act_deadline.ms(),
        approval_ttl_ms: timing.approval_ttl.ms(),
        queue_ttl_ms: timing.queue_ttl.ms(),
        sync_ttl_ms: timing.sync_ttl.ms(),
        monitor_window_ms: config.safety.remediation.post_action_monitor_window.ms(),
        lease_ttl_ms: i64::from(config.orchestration.distributed_locks.ttl_seconds) * 1000,
        refresh_ttl_ms: timing.refresh_ttl.ms(),
        clock_jump_ms: timing.clock_jump.ms(),
        message_delay_ms: timing.message_delay.ms(),
        ..Settings::default()
    }
}

/// A day that is not compressed.
const DAY_S: f64 = 86_400.0;

/// A day lasts `day_s` seconds, an hour a 24th of it.
pub fn compress_days(settings: &mut Settings, day_s: f64) {
    settings.gate.days_min *= day_s / DAY_S;
    settings.episode_ms = (day_s * 1000.0) as i64;
    settings.hour_ms = settings.episode_ms / 24;
}

/// Runs node `id` until it is asked to end. The first of the configured nodes founds the group, unless it is to `join` one.
///
/// # Errors
/// When it cannot start, or its Raft ends by itself.
pub async fn run(wiring: &Wiring, id: u64, join: bool, compressed_day_s: Option<f64>) -> anyhow::Result<()> {
    wiring.require_built()?;
    let peers = wiring.config.mesh.coordinators.clone();
    let listen = peers.get(&id).with_context(|| format!("mesh.coordinators has no node {id}"))?.clone();
    let ca = std::fs::read_to_string(wiring.pki().join("ca.pem")).with_context(|| format!("{}: no ca.pem", wiring.pki().display()))?;
    let demonstration = pki::is_demonstration(&ca)?;
    let mut settings = settings(&wiring.config, demonstration);
    if let Some(day_s) = compressed_day_s {
        anyhow::ensure!(demonstration && day_s >= 1.0, "--compressed-day-s is for the demonstration CA alone, and at least 1");
        compress_days(&mut settings, day_s);
    }
    let bootstrap = !join && peers.keys().next() == Some(&id);
    let node = serve(NodeConfig {
        id,
        listen,
        peers,
        data_dir: wiring.data(&format!("coordinator-{id}"))?,
        pki_dir: wiring.pki().to_owned(),
        settings,
        clock: wiring.now(),
        bootstrap,
        timers: RaftTimers::default(),
    })
    .await?;
    tracing::info!(id, address = %node.local_addr(), demonstration, "coordinator node is up");
    tokio::select! {
        () = super::asked_to_end() => {
            node.shutdown().await;
            Ok(())
        }
        why = node.ended() => anyhow::bail!("node {id} serves nobody any more ({why}); look at its disk, and start it again"),
    }
}
