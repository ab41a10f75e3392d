//! `picket dashboard`: shows the mesh; approves and stops in a person's name.

use super::chat;
use crate::wiring::Wiring;
use anyhow::Context as _;
use picket_core::ids::Principal;
use picket_dashboard_server::{Dashboard, DashboardConfig};
use std::sync::Arc;

/// Runs until it is asked to end. `person` names whose certificate the buttons act with.
///
/// # Errors
/// When it cannot start.
pub async fn run(wiring: &Wiring, person: &str) -> anyhow::Result<()> {
    let listen = &wiring.config.mesh.dashboard_listen;
    let human = Principal::Human(person.to_owned());
    let config = DashboardConfig {
        listen: listen.parse().with_context(|| format!("mesh.dashboard_listen: `{listen}` is not host:port"))?,
        hosts: wiring.config.mesh.dashboard_hosts.clone(),
        person: human.to_string(),
        gate: wiring.config.gate_rule(),
        ..DashboardConfig::default()
    };
    let chat = chat::start(wiring).await?;
    let dashboard = Dashboard::bind(config).await?;
    tracing::info!(address = %dashboard.address(), "dashboard is up");
    let reader = Arc::new(wiring.coordinator(&Principal::Dashboard)?);
    let human = Arc::new(wiring.coordinator(&human)?);
    let page = dashboard.run(reader, human, Arc::new(wiring.bus().await?), wiring.now(), super::asked_to_end());
    let (page, chat) = tokio::join!(page, chat::run(wiring, chat));
    page?;
    chat
}
