//! The invariants that can be seen in the state itself.

use crate::lease::Holder;
use crate::state::State;
use crate::waiting::Asker;
use crate::{budget, expiry, lease};
use picket_core::invariants::Invariant;
use picket_core::ledger::{EntryState, LedgerEvent, next};
use std::collections::BTreeSet;

/// Everything that is broken, in words; empty when all is well.
#[must_use]
pub fn check(state: &State) -> Vec<(Invariant, String)> {
    let mut broken = Vec::new();
    leases(state, &mut broken);
    budgets(state, &mut broken);
    histories(state, &mut broken);
    queue(state, &mut broken);
    stopped(state, &mut broken);
    for (invariant, count) in state.violations.iter().filter(|(i, n)| **n > state.reported.get(*i).copied().unwrap_or(0)) {
        broken.push((*invariant, format!("counted {count} times by apply itself")));
    }
    broken
}

/// I1, I2: whoever may act holds its scopes, alone, with the scope's newest token.
fn leases(state: &State, broken: &mut Vec<(Invariant, String)>) {
    broken.extend(state.leases.contradictions().into_iter().map(|why| (Invariant::I1, why)));
    for (_, held) in state.leases.iter() {
        if let Some((scope, token)) = held.scopes.iter().find(|(_, token)| *token > state.tokens.highest()) {
            broken.push((Invariant::I2, format!("{scope} is held with token {token}, {} is the newest", state.tokens.highest())));
        }
        if let Holder::Entry(id) = &held.holder
            && state.entries.get(id).is_none_or(|e| !lease::is_kept_by(state, e))
        {
            broken.push((Invariant::I1, format!("{:?} are held by {id}, which has no use for them", held.scopes)));
        }
    }
    // A journal may name a claim whose scope an older one still has in the ledger: until the release, when all are fenced, nothing passes on.
    for entry in state.entries.values().filter(|e| e.view.waits_for_fence() && state.restore.is_none()) {
        for scope in entry.scopes() {
            let other = state.leases.at(&scope).and_then(|lease| match &lease.holder {
                Holder::Entry(id) if id != entry.id() => Some(id),
                _ => None,
            });
            if let Some(other) = other {
                broken.push((Invariant::I1, format!("{scope} has passed to {other}, and a write of {} may be on its way", entry.id())));
            }
        }
    }
    for entry in state.entries.values().filter(|e| matches!(e.view.state, EntryState::Permitted | EntryState::Claimed)) {
        for scope in entry.scopes() {
            let token = entry.view.tokens.get(&scope).copied().unwrap_or_default();
            if !state.leases.holds_with(&scope, entry.id(), token) {
                broken.push((Invariant::I1, format!("{} is {:?} without holding {scope}", entry.id(), entry.view.state)));
            }
        }
    }
}

/// Whoever is Queued waits, nobody else does, and every deadline is kept: without this an entry would be forgotten (I6).
fn queue(state: &State, broken: &mut Vec<(Invariant, String)>) {
    let mut deadlines = BTreeSet::new();
    for entry in state.open.iter().filter_map(|id| state.entries.get(id)) {
        let waits = state.waiting.find(&Asker::Entry(entry.id().clone())).is_some();
        if waits != (entry.view.state == EntryState::Queued) {
            broken.push((
                Invariant::I6,
                format!("{} is {:?} and {} in line", entry.id(), entry.view.state, if waits { "is" } else { "is not" }),
            ));
        }
        deadlines.extend(expiry::due(state, entry.view.state, entry.view.deadline).map(|at| (at, entry.id().clone())));
    }
    if deadlines != state.deadlines {
        broken.push((Invariant::I6, "the list of deadlines is not that of the open entries".to_owned()));
    }
    if !state.waiting.index_is_right() {
        broken.push((Invariant::I6, "the index of the line is not that of the line".to_owned()));
    }
}

/// I9: after STOP and before a release of a restore no permit is left, undos that may go on apart.
fn stopped(state: &State, broken: &mut Vec<(Invariant, String)>) {
    for (entry, permit) in state.open.iter().filter_map(|id| state.entries.get(id)).filter_map(|e| Some((e, e.permit.as_ref()?))) {
        if entry.view.state != EntryState::Permitted {
            continue;
        }
        let lives_on = entry.is_undo() && state.stop.keep_undos && state.restore.is_none();
        if permit.stop_epoch != state.stop.epoch || permit.restore_epoch != state.tokens.restore_epoch() || (state.stop.set && !lives_on) {
            broken.push((Invariant::I9, format!("{} is still Permitted from before STOP or a restore", entry.id())));
        }
    }
}

/// I4: between reservations the sum only falls, so it stays within what the newest one was allowed.
fn budgets(state: &State, broken: &mut Vec<(Invariant, String)>) {
    for (cluster, book) in &state.clusters {
        let reserved = budget::reserved(state, cluster, None).pods;
        if reserved > book.allowed_pods && reserved > 0 {
            broken.push((Invariant::I4, format!("{reserved} pods of {cluster} are reserved, {} were allowed", book.allowed_pods)));
        }
    }
}

/// I6: every history is a way through the table.
fn histories(state: &State, broken: &mut Vec<(Invariant, String)>) {
    use EntryState as S;
    for entry in state.entries.values() {
        let history = &entry.view.history;
        let begins = history
            .first()
            .is_some_and(|(_, s)| matches!(s, S::Denied | S::Shadowed | S::AwaitingApproval | S::Permitted | S::Queued | S::Indeterminate));
        let follows = history.windows(2).all(|w| w[0].0 <= w[1].0 && LedgerEvent::ALL.into_iter().any(|e| next(w[0].1, e) == Ok(w[1].1)));
        let claims = history.iter().filter(|(_, s)| *s == S::Claimed).count();
        let ends = history.last().is_some_and(|(_, s)| *s == entry.view.state);
        if !begins || !follows || !ends || claims > 1 {
            broken.push((Invariant::I6, format!("{} went {history:?}", entry.id())));
        }
        if state.open.contains(entry.id()) == entry.view.is_over() {
            broken.push((Invariant::I6, format!("{} is {:?} and in the wrong list", entry.id(), entry.view.state)));
        }
    }
}
