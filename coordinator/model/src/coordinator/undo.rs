//! Taking an act back: a child entry with its own permit, token and claim.

use super::entries::{blank, find, permit, reserves, scopes_free, step};
use super::limits::{budget_allows, is_read_after_release};
use crate::id::Id;
use crate::invariant::Invariant;
use crate::ledger::{Event, Stand};
use crate::rules::Rule;
use crate::setup::{Setup, is_undo, undo_of};
use crate::state::State;

/// What landed can be taken back, it was not tried before, and no STOP withholds it.
#[must_use]
pub fn may_begin(setup: &Setup, s: &State, slot: u8) -> bool {
    let Some(entry) = s.coordinator.entries[slot as usize] else { return false };
    let landed = entry.landed != 0;
    (reserves(setup, &entry) || may_reserve_anew(setup, s, slot))
        && !is_undo(slot)
        && setup.act(slot).reversible
        && landed
        && (!s.coordinator.stopped || s.coordinator.keep_undos)
        && s.coordinator.entries[undo_of(slot) as usize].is_none()
}

/// Its parent has let its reservation go: the undo asks for it, as an act does.
fn may_reserve_anew(setup: &Setup, s: &State, slot: u8) -> bool {
    let fresh = !setup.rules.has(Rule::UndoAsksFresh) || is_read_after_release(setup, s);
    !setup.rules.has(Rule::UndoAsksAnew) || (fresh && budget_allows(setup, s, slot))
}

/// Makes the child; the parent's scopes pass to it with a new token. The caller has asked [`may_begin`].
pub fn begin(setup: &Setup, s: &mut State, slot: u8, event: Event) -> bool {
    if !step(setup, s, slot, event) {
        return false;
    }
    let child = undo_of(slot);
    let mut entry = blank(Id { life: s.coordinator.life, slot: child }, Stand::Queued);
    if scopes_free(setup, s, child, Some(slot)) {
        entry.stand = Stand::Permitted;
        permit(setup, s, &mut entry);
    }
    s.coordinator.entries[child as usize] = Some(entry);
    true
}

/// A person's undo arrives.
pub fn by_person(setup: &Setup, s: &mut State, id: Id, stop_epoch: u8) -> bool {
    let Some(entry) = find(setup, s, id) else { return false };
    let void = stop_epoch != s.coordinator.stop_epoch;
    let stands = matches!(entry.stand, Stand::Observing | Stand::Inconclusive);
    if !stands || (void && setup.rules.has(Rule::M7)) || !may_begin(setup, s, id.slot) {
        return false;
    }
    s.broken.note(Invariant::Stop, void);
    begin(setup, s, id.slot, Event::BeginUndo)
}
