//! Who is in a run of the mesh.

use crate::roles::{Stage, lives};
use crate::site::Site;
use crate::{checks, foreign, rogue, telemetry};
use picket_coordinator_simulation::actors::{leaseholder, operator};
use picket_coordinator_simulation::client::Client;
use picket_coordinator_simulation::history::History;
use picket_coordinator_simulation::{Cast, Happening, Kind, World};
use picket_core::ids::{AgentKind, Principal};
use picket_diagnosis::{Retriever, shipped};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Machines that actuators run on: the second was started by mistake.
const MACHINES: usize = 2;
/// Everything that was under way when the faults ended comes to its end within this.
const REST_MS: u64 = 90_000;

/// The cast of one run.
#[derive(Default)]
pub struct Mesh {
    site: Mutex<Option<Arc<Site>>>,
}

/// The runbooks that ship, found by their words: no model is loaded in a simulation.
fn retriever() -> Result<Arc<Retriever>, String> {
    static SHELF: OnceLock<Result<Arc<Retriever>, String>> = OnceLock::new();
    SHELF.get_or_init(|| Retriever::new(shipped(), None).map(Arc::new).map_err(|e| e.to_string())).clone()
}

impl Cast for Mesh {
    fn start(&self, world: &Arc<World>, seed: u64) {
        let retriever = match retriever() {
            Ok(retriever) => retriever,
            Err(why) => return world.history().find(Kind::Panic, format!("the shipped runbooks cannot be read: {why}")),
        };
        let site = Arc::new(Site::new(seed, world.options.chaos_ms as f64 / 1000.0, MACHINES));
        *self.site.lock().unwrap_or_else(PoisonError::into_inner) = Some(site.clone());
        let rules = world.options.settings.limits.clone();
        let stage = Stage { world: world.clone(), site: site.clone(), retriever, rules, seed };
        let mut number = 0;
        let mut client = |principal: Principal, name: &str| {
            number += 1;
            Client::new(world, principal, name, seed ^ (number << 40) ^ 0x6d65)
        };
        // Nobody, everybody, or all but the first is under somebody else's control.
        let lies = move |kind: AgentKind| seed % 3 == 1 || (seed % 3 == 2 && kind != AgentKind::Sre);
        for kind in AgentKind::ALL {
            let stage = stage.clone();
            world.enter(lives(world.clone(), seed ^ (kind as u64), move |life| stage.clone().agent(kind, lies(kind), life)));
            let name = format!("rogue-{kind}");
            world.enter(rogue::agent(client(Principal::Agent(kind), &name), site.clone(), kind, seed));
        }
        for n in 1..=2 {
            let of = stage.clone();
            world.enter(lives(world.clone(), seed ^ (n << 8), move |life| of.clone().observer(n, life)));
        }
        for n in 0..MACHINES {
            let of = stage.clone();
            world.enter(lives(world.clone(), seed ^ ((n as u64 + 1) << 16), move |life| of.clone().actuator(n, life)));
        }
        world.history().happened(Happening::RoleDoubled);
        world.enter(operator::act(client(Principal::Human("kim".into()), "kim")));
        world.enter(rogue::approver(client(Principal::Human("mallory".into()), "mallory")));
        world.enter(leaseholder::act(client(Principal::Human("holder".into()), "holder")));
        world.enter(foreign::run(client(Principal::Human("other".into()), "other"), site.clone()));
        world.enter(telemetry::run(client(Principal::Human("exporter".into()), "exporter"), site));
    }

    fn judge(&self, history: &mut History, world: &World) {
        let site = self.site.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(site) = site {
            let landed = world.fleet().landed.clone();
            for finding in checks::check(history, &world.options, &site, &landed) {
                history.find(finding.kind, finding.detail);
            }
            site.sweep();
        }
    }

    fn rest_ms(&self) -> u64 {
        REST_MS
    }
}
