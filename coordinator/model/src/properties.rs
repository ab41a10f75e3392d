//! I1-I11, STOP and UNDO as properties. Most are judged at the step that could break them; two are seen in the state.

use crate::actuator::writing::judge_scopes;
use crate::coordinator::Entry;
use crate::invariant::Invariant;
use crate::ledger::Stand;
use crate::setup::{SLOTS, Setup, undo_of};
use crate::state::State;
use stateright::Property;

macro_rules! holds {
    ($($invariant:ident),*) => {
        vec![$(Property::<Setup>::always(Invariant::$invariant.as_str(), |_, s| !s.broken.has(Invariant::$invariant))),*]
    };
}

/// Every promise, and what the configuration must be able to reach.
#[must_use]
pub fn all(setup: &Setup) -> Vec<Property<Setup>> {
    let mut properties = holds!(I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, Stop, Undo);
    properties.extend(setup.witnesses.iter().map(|w| w.property()));
    properties
}

/// What is judged after every step.
pub fn judge_state(setup: &Setup, s: &mut State) {
    judge_scopes(setup, s);
    let broken = s.coordinator.entries.iter().flatten().any(|e| is_left_alone(s, e));
    s.broken.note(Invariant::I10, broken);
}

/// I10: something was done, and nobody looks after it.
fn is_left_alone(s: &State, entry: &Entry) -> bool {
    let child = || {
        let place = undo_of(entry.id.slot) as usize;
        if place < SLOTS { s.coordinator.entries[place] } else { None }
    };
    let harm = entry.regressed && !entry.resolved;
    match entry.stand {
        Stand::Settled => !entry.resolved && (!entry.graded || entry.regressed),
        Stand::Undoing => child().is_none_or(|c| !c.stand.is_before_claim() && c.stand != Stand::Claimed),
        Stand::RolledBack => child().is_none_or(|c| s.truth.landed[c.id.life as usize][c.id.slot as usize] == 0 && !c.by_content),
        Stand::UndoFailed | Stand::Inconclusive => false,
        _ => harm,
    }
}
