//! The observer's verdict.

use super::entries::{find, step_with};
use super::undo;
use crate::id::Id;
use crate::ledger::{Event, Stand};
use crate::message::Grade;
use crate::rules::Rule;
use crate::setup::Setup;
use crate::state::State;

/// A grade arrives; one from a deposed observer is only audited.
pub fn grade(setup: &Setup, s: &mut State, id: Id, epoch: u8, grade: Grade) -> bool {
    let in_office = epoch == s.coordinator.observer_epoch;
    let Some(entry) = find(setup, s, id).filter(|_| in_office || !setup.rules.has(Rule::M13Epochs)) else { return false };
    let late_harm = entry.stand == Stand::Inconclusive && grade == Grade::Regressed && !entry.regressed;
    if entry.stand != Stand::Observing && !late_harm {
        return false;
    }
    let slot = id.slot;
    match grade {
        Grade::Good => step_with(setup, s, slot, Event::Graded, |e| e.graded = in_office),
        Grade::Inconclusive => step_with(setup, s, slot, Event::Inconclusive, |e| e.graded = in_office),
        Grade::Regressed => {
            if let Some(entry) = &mut s.coordinator.entries[slot as usize] {
                (entry.graded, entry.regressed) = (in_office, true);
            }
            if undo::may_begin(setup, s, slot) {
                undo::begin(setup, s, slot, Event::BeginUndo)
            } else {
                late_harm || step_with(setup, s, slot, Event::Inconclusive, |_| {})
            }
        }
    }
}

/// Nobody graded it in time.
pub fn window_over(setup: &Setup, s: &mut State, slot: u8) -> bool {
    s.coordinator.entries[slot as usize].is_some_and(|e| e.stand == Stand::Observing)
        && step_with(setup, s, slot, Event::Inconclusive, |_| {})
}
