//! No two acts of one kind on one service within the cooldown, counted from the earlier one's resolution (I5, [M11]).

use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::state::State;
use picket_core::action::RemediationKind;
use picket_core::ids::{EntryId, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;

const fn is_unresolved(state: EntryState) -> bool {
    state.is_unresolved_claim() || matches!(state, EntryState::Observing)
}

/// True when this step resolves a claim. Inconclusive does: it is as known as it will be.
pub(crate) fn begins(from: EntryState, to: EntryState) -> bool {
    if is_planted(Fault::CooldownFromClaim) {
        return to == EntryState::Claimed;
    }
    is_unresolved(from) && !is_unresolved(to)
}

/// The cooldown begins.
pub(crate) fn start(state: &mut State, service: ServiceId, kind: RemediationKind) {
    let until = state.now().plus_ms(state.settings.limits.cooldown_ms);
    if state.cooldowns.len() >= state.settings.cooldowns_max {
        forget(state);
    }
    // Of what is under way already a cooldown is kept beyond the bound: permits are refused at it (I5 before memory).
    state.cooldowns.entry(service).or_default().insert(kind, until);
}

/// Until when it holds; the end of time while a claim is unresolved.
pub(crate) fn until(state: &State, service: &ServiceId, kind: RemediationKind, except: &EntryId) -> Option<Timestamp> {
    let is_it = |e: &Entry| {
        e.id() != except
            && !e.is_undo()
            && is_unresolved(e.view.state)
            && e.view.work.action().kind() == kind
            && e.view.work.action().service == *service
    };
    let unresolved = state.open.iter().filter_map(|id| state.entries.get(id)).any(is_it) && !is_planted(Fault::CooldownFromClaim);
    if unresolved {
        return Some(Timestamp(i64::MAX));
    }
    state.cooldowns.get(service)?.get(&kind).copied()
}

/// Forgets those that are over.
pub(crate) fn forget(state: &mut State) {
    let now = state.now();
    state.cooldowns.retain(|_, kinds| {
        kinds.retain(|_, until| *until > now);
        !kinds.is_empty()
    });
}
