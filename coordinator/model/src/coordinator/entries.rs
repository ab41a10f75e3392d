//! The one way in which an entry changes, and what comes with it: budget, cooldown, scopes, the parent.

use super::{Entry, Holder};
use crate::id::Id;
use crate::invariant::Invariant;
use crate::ledger::{Event, Stand, next};
use crate::rules::Rule;
use crate::setup::{SCOPES, Setup, is_undo, parent_of};
use crate::state::State;

/// Granted tokens are even; the fence of a claim is the odd one above. A life has room for sixteen.
pub const TOKENS_PER_LIFE: u8 = 32;

/// An entry that nothing was decided on.
#[must_use]
pub const fn blank(id: Id, stand: Stand) -> Entry {
    Entry {
        id,
        stand,
        token: 0,
        stop_epoch: 0,
        approval: None,
        grave_at_permit: false,
        evidence: 0,
        evidence_read_at: 0,
        claim: None,
        landed: 0,
        by_content: false,
        fenced: false,
        graded: false,
        regressed: false,
        resolved: false,
    }
}

/// The entry that goes by this name now.
#[must_use]
pub fn find(setup: &Setup, s: &State, id: Id) -> Option<Entry> {
    s.coordinator.entries[id.slot as usize].filter(|e| e.id.looks_like(id, setup.rules))
}

/// Its claim's writes may still be on their way.
#[must_use]
pub const fn may_take_effect(entry: &Entry) -> bool {
    matches!(entry.stand, Stand::Permitted) || (entry.claim.is_some() && !entry.fenced)
}

/// Its scopes go to nobody else.
fn keeps_scopes(setup: &Setup, entry: &Entry) -> bool {
    match entry.stand {
        Stand::Permitted | Stand::Claimed | Stand::Undoing | Stand::UndoFailed | Stand::Observing => true,
        Stand::Indeterminate if setup.rules.has(Rule::M12) => true,
        _ => is_waiting_for_fence(setup, entry),
    }
}

/// Its writes may still land, whatever was said of it: nothing of it passes on until a fence is confirmed.
#[must_use]
pub const fn is_waiting_for_fence(setup: &Setup, entry: &Entry) -> bool {
    setup.rules.has(Rule::Succession) && entry.claim.is_some() && !entry.fenced
}

/// Its pods are reserved, as the coordinator counts.
#[must_use]
pub fn reserves(setup: &Setup, entry: &Entry) -> bool {
    let inherited = matches!(entry.stand, Stand::Undoing | Stand::UndoFailed) || is_undo(entry.id.slot);
    if inherited && !setup.rules.has(Rule::M14Budget) {
        return false;
    }
    entry.stand.reserves() || is_waiting_for_fence(setup, entry)
}

/// Whether the scopes of `slot` are free, or held by `heir_of`, which hands them on.
#[must_use]
pub fn scopes_free(setup: &Setup, s: &State, slot: u8, heir_of: Option<u8>) -> bool {
    let wanted = setup.act(slot).scopes;
    (0..SCOPES).filter(|i| wanted & (1 << i) != 0).all(|i| match s.coordinator.leases[i] {
        None => true,
        Some(Holder::Entry(holder)) => Some(holder) == heir_of,
        Some(Holder::Other(_)) => false,
    })
}

/// The next token of this life.
pub fn next_token(setup: &Setup, s: &mut State) -> u8 {
    s.coordinator.tokens += 1;
    let life = if setup.rules.has(Rule::M13Epochs) { s.coordinator.life } else { 0 };
    life * TOKENS_PER_LIFE + 2 * s.coordinator.tokens
}

/// Takes the scopes and writes the permit. The caller has checked that they are free.
pub fn permit(setup: &Setup, s: &mut State, entry: &mut Entry) {
    let token = next_token(setup, s);
    entry.token = token;
    entry.stop_epoch = s.coordinator.stop_epoch;
    entry.grave_at_permit = s.coordinator.grave & (1 << (entry.id.slot as usize % crate::setup::ACTS)) != 0;
    for scope in 0..SCOPES {
        if setup.act(entry.id.slot).scopes & (1 << scope) != 0 {
            take(s, scope, Holder::Entry(entry.id.slot), token);
        }
    }
}

/// A lease begins.
pub fn take(s: &mut State, scope: usize, holder: Holder, token: u8) {
    s.broken.note(Invariant::I2, s.truth.granted[scope] >= token);
    s.truth.granted[scope] = token;
    s.coordinator.leases[scope] = Some(holder);
}

/// Takes an entry along the table. `false`, and I6 broken, when it has no such row.
pub fn step(setup: &Setup, s: &mut State, slot: u8, event: Event) -> bool {
    step_with(setup, s, slot, event, |_| {})
}

/// Takes an entry along the table; `edit` fills in what came with the event.
pub fn step_with(setup: &Setup, s: &mut State, slot: u8, event: Event, edit: impl FnOnce(&mut Entry)) -> bool {
    let Some(mut entry) = s.coordinator.entries[slot as usize] else { return false };
    let Some(to) = next(entry.stand, event) else {
        s.broken.note(Invariant::I6, true);
        return false;
    };
    let before = entry;
    edit(&mut entry);
    entry.stand = to;
    s.coordinator.entries[slot as usize] = Some(entry);
    resolve(setup, s, &before, &entry);
    if is_undo(slot) {
        tell_parent(setup, s, parent_of(slot), to);
    }
    settle(setup, s, slot, reserves(setup, &before));
    true
}

const fn is_open_claim(stand: Stand) -> bool {
    stand.is_unresolved() || matches!(stand, Stand::Observing)
}

/// The cooldown begins when a claim is resolved.
fn resolve(setup: &Setup, s: &mut State, before: &Entry, after: &Entry) {
    let bit = 1 << setup.act(after.id.slot).group;
    if setup.bounds.cooldowns && !is_undo(after.id.slot) && is_open_claim(before.stand) && !is_open_claim(after.stand) {
        s.truth.cooling |= bit;
        if setup.rules.has(Rule::M11) {
            s.coordinator.cooling |= bit;
        }
    }
}

/// Gives back what an entry has no more use for.
pub fn settle(setup: &Setup, s: &mut State, slot: u8, reserved: bool) {
    let Some(entry) = s.coordinator.entries[slot as usize] else { return };
    if reserved && !reserves(setup, &entry) && entry.claim.is_some() && setup.act(slot).cost > 0 && setup.bounds.readings > 0 {
        s.coordinator.releases += 1;
    }
    if keeps_scopes(setup, &entry) {
        return;
    }
    let heir = if is_undo(slot) { Some(parent_of(slot)) } else { None };
    let heir = heir.filter(|p| s.coordinator.entries[*p as usize].is_some_and(|p| p.stand.is_unresolved())).map(Holder::Entry);
    for lease in &mut s.coordinator.leases {
        if *lease == Some(Holder::Entry(slot)) {
            *lease = heir;
        }
    }
}

/// The end of an undo decides its parent.
fn tell_parent(setup: &Setup, s: &mut State, parent: u8, child: Stand) {
    if s.coordinator.entries[parent as usize].is_none_or(|p| p.stand != Stand::Undoing) {
        return;
    }
    let ended = matches!(child, Stand::Denied | Stand::Expired | Stand::Cancelled | Stand::Failed | Stand::Indeterminate);
    if child == Stand::Observing {
        step(setup, s, parent, Event::ChildApplied);
    } else if ended && setup.rules.has(Rule::M14End) {
        step(setup, s, parent, Event::ChildEnded);
    }
}
