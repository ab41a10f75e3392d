//! Who is in office, and who may do how much alone.

use super::admission::is_latched;
use crate::message::Facts;
use crate::rules::Rule;
use crate::setup::{Phase, Setup};
use crate::state::State;

/// Epochs of one life.
const EPOCHS_PER_LIFE: u8 = 16;

/// The next epoch of an actuator; it carries the life.
pub fn register_actuator(setup: &Setup, s: &mut State) -> u8 {
    s.coordinator.actuator_epochs += 1;
    let life = if setup.rules.has(Rule::M13Epochs) { s.coordinator.life } else { 0 };
    s.coordinator.actuator_epoch = life * EPOCHS_PER_LIFE + s.coordinator.actuator_epochs;
    s.coordinator.actuator_epoch
}

/// The next epoch of an observer.
pub const fn register_observer(s: &mut State) -> u8 {
    s.coordinator.observer_epoch += 1;
    s.coordinator.observer_epoch
}

/// A person's yes to a phase arrives: one step up, never while STOP is set.
pub fn promote(setup: &Setup, s: &mut State, agent: u8, to: Phase, stop_epoch: u8) -> bool {
    let phase = s.coordinator.phases[agent as usize];
    let one_step = matches!((phase, to), (Phase::Observe, Phase::Assist) | (Phase::Assist, Phase::Autonomous));
    let void = stop_epoch != s.coordinator.stop_epoch && setup.rules.has(Rule::M7);
    if is_latched(setup, s) || void || !one_step {
        return false;
    }
    s.coordinator.phases[agent as usize] = to;
    s.truth.consent[agent as usize] = stop_epoch;
    true
}

/// A reading arrives; one that is older than the newest is dropped.
pub fn take_facts(setup: &Setup, s: &mut State, mut facts: Facts) -> bool {
    let order = (facts.epoch, facts.seq);
    if order > (s.truth.newest.0, s.truth.newest.1) {
        s.truth.newest = (facts.epoch, facts.seq, facts.foreign);
    }
    let older = s.coordinator.facts.is_some_and(|known| (known.epoch, known.seq) >= order);
    if older && setup.rules.has(Rule::M9Order) {
        return false;
    }
    if !setup.rules.has(Rule::M9Echo) {
        (facts.echo, facts.releases) = (s.coordinator.clock, s.coordinator.releases);
    }
    s.coordinator.facts = Some(facts);
    true
}
