//! Who calls the coordinator in a run. None of them shares code with what is checked, beyond the types of the protocol.

mod actuator;
mod agent;
pub mod fleet;
pub mod leaseholder;
mod observer;
pub mod operator;

use crate::client::Client;
use crate::world::World;
use picket_core::ids::{AgentKind, Principal};
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
        world.enter(leaseholder::act(client(Principal::Human(name.clone()), &name)));
    }
    for kind in AgentKind::ALL {
        world.enter(agent::act(client(Principal::Agent(kind), kind.as_str()), kind));
    }
    // Two of each: the second deposes the first, which does not know it.
    for n in 1..=2 {
        world.enter(observer::act(client(Principal::Observer(fleet::cluster()), &format!("observer{n}"))));
        world.enter(actuator::act(client(Principal::Actuator(fleet::cluster()), &format!("actuator{n}"))));
    }
    world.enter(operator::act(client(Principal::Human("kim".into()), "kim")));
    world.enter(actuator::foreign_writer(client(Principal::Human("other".into()), "other")));
}
