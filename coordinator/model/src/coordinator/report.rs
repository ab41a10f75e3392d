//! What an actuator says of a claim, what the clock says when it is silent, and what a person says when nobody knows.

use super::entries::{find, reserves, settle, step_with};
use super::undo;
use crate::id::Id;
use crate::invariant::Invariant;
use crate::ledger::{Event, Stand};
use crate::message::Verdict;
use crate::rules::Rule;
use crate::setup::Setup;
use crate::state::State;
use crate::work::writes_of;

/// A report arrives. It counts while the entry is Claimed, from the actuator in office; later it may still confirm the fence.
pub fn report(setup: &Setup, s: &mut State, id: Id, epoch: u8, verdict: Verdict) -> bool {
    let Some(entry) = find(setup, s, id) else { return false };
    let in_office = epoch == s.coordinator.actuator_epoch || !setup.rules.has(Rule::M13Epochs);
    if !in_office {
        return false;
    }
    if entry.stand != Stand::Claimed {
        return confirm_fence(setup, s, id);
    }
    let slot = id.slot;
    let all = (1_u8 << writes_of(setup, s, slot).count()) - 1;
    let (life, place) = (entry.id.life as usize, slot as usize);
    if !setup.rules.has(Rule::JournalKept) {
        s.actuators.iter_mut().for_each(|a| a.journal &= !(1 << slot));
    }
    match verdict {
        Verdict::Applied { by_content } => {
            s.broken.note(Invariant::I6, s.truth.landed[life][place] != all && !by_content);
            step_with(setup, s, slot, Event::Applied, |e| {
                (e.landed, e.by_content, e.fenced) = (all, by_content, true);
            })
        }
        Verdict::Absent => {
            s.broken.note(Invariant::I6, s.truth.landed[life][place] != 0);
            s.truth.absent[life][place] = all;
            step_with(setup, s, slot, Event::Absent, |e| e.fenced = true)
        }
        Verdict::CannotTell { landed, rest_absent } => {
            if rest_absent {
                s.broken.note(Invariant::I6, s.truth.landed[life][place] != landed);
                s.truth.absent[life][place] = all & !landed;
            }
            if let Some(entry) = &mut s.coordinator.entries[place] {
                (entry.landed, entry.fenced) = (landed, true);
            }
            if undo::may_begin(setup, s, slot) {
                undo::begin(setup, s, slot, Event::PartlyLanded)
            } else {
                step_with(setup, s, slot, Event::CannotTell, |_| {})
            }
        }
    }
}

/// A late proof changes no state; it does say that nothing of the act is on its way any more.
fn confirm_fence(setup: &Setup, s: &mut State, id: Id) -> bool {
    let reserved = s.coordinator.entries[id.slot as usize].is_some_and(|e| reserves(setup, &e));
    match &mut s.coordinator.entries[id.slot as usize] {
        Some(entry) if entry.claim.is_some() && !entry.fenced => entry.fenced = true,
        _ => return false,
    }
    settle(setup, s, id.slot, reserved);
    true
}

/// `act_deadline` has passed without a report.
pub fn deadline(setup: &Setup, s: &mut State, slot: u8) -> bool {
    s.coordinator.entries[slot as usize].is_some_and(|e| e.stand == Stand::Claimed) && step_with(setup, s, slot, Event::CannotTell, |_| {})
}

/// A person resolves what cannot be known.
pub fn resolve(setup: &Setup, s: &mut State, slot: u8, settled: bool) -> bool {
    let event = if settled { Event::ResolveSettled } else { Event::ResolveFailed };
    s.coordinator.entries[slot as usize].is_some_and(|e| matches!(e.stand, Stand::Indeterminate | Stand::UndoFailed))
        && step_with(setup, s, slot, event, |e| e.resolved = true)
}
