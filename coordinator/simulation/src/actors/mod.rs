//! Who calls the coordinator in a run. None of them shares code with what is checked, beyond the types of the protocol.

mod actuator;
mod agent;
pub mod fleet;
mod leaseholder;
mod observer;
mod operator;

use crate::client::Client;
use crate::executor::{self, WORLD};
use crate::world::World;
use picket_core::ids::{AgentKind, Principal};
use std::future::Future;
use std::sync::Arc;

/// Starts everybody.
pub fn start(world: &Arc<World>, seed: u64) {
    let mut number = 0;
    let mut client = |principal: Principal, name: &str| {
        number += 1;
        Client::new(world, principal, name, seed ^ (number << 40))
    };
    for n in 1..=2 {
        let name = format!("holder{n}");
        enter(world, leaseholder::act(client(Principal::Human(name.clone()), &name)));
    }
    for kind in AgentKind::ALL {
        enter(world, agent::act(client(Principal::Agent(kind), kind.as_str()), kind));
    }
    // Two of each: the second deposes the first, which does not know it.
    for n in 1..=2 {
        enter(world, observer::act(client(Principal::Observer(fleet::cluster()), &format!("observer{n}"))));
        enter(world, actuator::act(client(Principal::Actuator(fleet::cluster()), &format!("actuator{n}"))));
    }
    enter(world, operator::act(client(Principal::Human("kim".into()), "kim")));
    enter(world, actuator::foreign_writer(client(Principal::Human("other".into()), "other")));
}

/// Counted, so that the end of the run knows whether somebody still waits.
fn enter(world: &Arc<World>, acting: impl Future<Output = ()> + Send + 'static) {
    world.entered();
    let world = world.clone();
    executor::spawn_for(WORLD, async move {
        acting.await;
        world.left();
    });
}
