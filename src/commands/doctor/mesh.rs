//! The mesh's own parts: configuration, certificates, coordinator, bus, models.

use super::in_time;
use super::report::Check;
use crate::commands::person;
use crate::wiring::Wiring;
use picket_adapters::candle::model;
use picket_core::coordination::CoordinatorStatus;
use picket_core::ids::{AgentKind, Principal};
use picket_core::ports::Coordinator as _;

/// Every value is in range already, or the file would not have been read: what is left is what the file asks for and no part does.
pub fn configuration(wiring: &Wiring) -> Vec<Check> {
    let mut checks: Vec<_> = wiring
        .config
        .not_built()
        .iter()
        .map(|problem| Check::failed("configuration", problem.to_string(), "take the key out, or change it as it says"))
        .collect();
    if checks.is_empty() {
        checks.push(Check::ok(
            "configuration",
            format!("{} clusters, {} coordinators", wiring.config.mesh.clusters.len(), wiring.config.mesh.coordinators.len()),
        ));
    }
    checks
}

/// Whether each role of this configuration has a certificate here. A machine that runs some of the roles needs no more than theirs.
pub fn certificates(wiring: &Wiring) -> Vec<Check> {
    let agents = AgentKind::ALL.into_iter().map(Principal::Agent);
    let clusters = wiring.cluster_names().into_iter().flat_map(|c| [Principal::Observer(c.clone()), Principal::Actuator(c)]);
    let all: Vec<Principal> = [person(), Principal::Dashboard].into_iter().chain(agents).chain(clusters).collect();
    let missing: Vec<String> = all.iter().filter(|principal| wiring.coordinator(principal).is_err()).map(ToString::to_string).collect();
    let at = wiring.pki().display();
    vec![if missing.is_empty() {
        Check::ok("certificates", format!("{} in {at}", all.len()))
    } else if missing.len() == all.len() {
        Check::failed("certificates", format!("none in {at}"), "make them: picket pki init DIR, and set mesh.pki_dir to it")
    } else {
        let advice = "fine on a machine where these roles do not run; otherwise copy their files, or make them with picket pki";
        Check::warning("certificates", format!("none here of {}", missing.join(", ")), advice)
    }]
}

/// Every node by itself, then what they say together.
pub async fn coordinators(wiring: &Wiring) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut said: Option<CoordinatorStatus> = None;
    for (id, address) in &wiring.config.mesh.coordinators {
        let name = format!("coordinator {id}");
        let asked = in_time(async { Ok(wiring.coordinator_at(&person(), std::slice::from_ref(address))?.status().await?) }).await;
        checks.push(match asked {
            Ok(status) => {
                let leads = if status.leader == Some(*id) { ", leads" } else { "" };
                let check = Check::ok(name, format!("answers at {address}{leads}"));
                said.get_or_insert(status);
                check
            }
            Err(why) => Check::failed(name, why, format!("is `picket coordinator --id {id}` running, and {address} reachable from here?")),
        });
    }
    if let Some(status) = said {
        checks.extend(state(&status));
    }
    checks
}

fn state(status: &CoordinatorStatus) -> Vec<Check> {
    let mut checks = Vec::new();
    if status.stop.set {
        checks.push(Check::warning("STOP", format!("set by {}", status.stop.by), "nothing acts until it is released: picket resume"));
    }
    for (cluster, breaker) in &status.breakers {
        checks.push(Check::warning(
            format!("breaker of {cluster}"),
            format!("open: {breaker:?}"),
            format!("look at why acts failed, then: picket cluster reset {cluster}"),
        ));
    }
    let broken: Vec<_> =
        status.violations.iter().filter(|(_, count)| **count > 0).map(|(id, count)| format!("{} ({count})", id.as_str())).collect();
    checks.push(if broken.is_empty() {
        Check::ok("invariants", "none was ever seen broken")
    } else {
        Check::failed(
            "invariants",
            format!("broken: {}", broken.join(", ")),
            "read the audit log (picket audit export) before any agent is promoted again",
        )
    });
    checks
}

/// The telemetry bus, and whether its streams are as picket needs them.
pub async fn bus(wiring: &Wiring) -> Check {
    match in_time(wiring.bus()).await {
        Ok(_) => Check::ok("bus", format!("{} with its streams", wiring.config.mesh.nats_url)),
        Err(why) => Check::failed("bus", why, "is nats-server running with JetStream (-js), and mesh.nats_url right?"),
    }
}

/// The embedding model, without which runbooks cannot be searched.
pub fn knowledge() -> Check {
    match model::locate() {
        Ok(dir) => Check::ok("embedding model", dir.display().to_string()),
        Err(error) => Check::failed("embedding model", error.to_string(), "agents need it: set PICKET_MODEL_DIR to its folder"),
    }
}
