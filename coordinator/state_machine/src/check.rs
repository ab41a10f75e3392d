//! The invariants that can be seen in the state itself.

use crate::lease::Holder;
use crate::state::State;
use crate::{budget, lease};
use picket_core::invariants::Invariant;
use picket_core::ledger::{EntryState, LedgerEvent, next};

/// Everything that is broken, in words; empty when all is well.
#[must_use]
pub fn check(state: &State) -> Vec<(Invariant, String)> {
    let mut broken = Vec::new();
    leases(state, &mut broken);
    budgets(state, &mut broken);
    histories(state, &mut broken);
    for (invariant, count) in state.violations.iter().filter(|(i, n)| **n > state.reported.get(*i).copied().unwrap_or(0)) {
        broken.push((*invariant, format!("counted {count} times by apply itself")));
    }
    broken
}

/// I1, I2: whoever may act holds its scopes, alone, with the scope's newest token.
fn leases(state: &State, broken: &mut Vec<(Invariant, String)>) {
    for (scope, held) in &state.leases.live {
        if state.leases.last.get(scope) != Some(&held.token) || held.token > state.tokens.highest() {
            broken.push((
                Invariant::I2,
                format!("{scope} is held with token {}, its newest is {:?}", held.token, state.leases.last.get(scope)),
            ));
        }
        if let Holder::Entry(id) = &held.holder
            && state.entries.get(id).is_none_or(|e| !lease::is_kept_in(state, e.view.state))
        {
            broken.push((Invariant::I1, format!("{scope} is held by {id}, which has no use for it")));
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
        let begins =
            history.first().is_some_and(|(_, s)| matches!(s, S::Denied | S::Shadowed | S::AwaitingApproval | S::Permitted | S::Queued));
        let follows = history.windows(2).all(|w| w[0].0 <= w[1].0 && LedgerEvent::ALL.into_iter().any(|e| next(w[0].1, e) == Ok(w[1].1)));
        let claims = history.iter().filter(|(_, s)| *s == S::Claimed).count();
        let ends = history.last().is_some_and(|(_, s)| *s == entry.view.state);
        if !begins || !follows || !ends || claims > 1 {
            broken.push((Invariant::I6, format!("{} went {history:?}", entry.id())));
        }
        if state.open.contains(entry.id()) == entry.view.state.is_terminal() {
            broken.push((Invariant::I6, format!("{} is {:?} and in the wrong list", entry.id(), entry.view.state)));
        }
    }
}
