//! Who waits for a scope, and who gets it next: FIFO per priority; a graver act preempts one that is only permitted.

use crate::entry::Entry;
use crate::lease::{Holder, Waiter};
use crate::state::State;
use crate::{admission, facts, ledger, permitted};
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::scope::Scope;
use std::collections::BTreeSet;

/// Undos go first, then the graver.
pub(crate) fn priority(entry: &Entry) -> u8 {
    if entry.is_undo() { 0 } else { entry.view.severity.number() }
}

/// Lines an entry up behind its equals.
pub(crate) fn wait(state: &mut State, id: &EntryId) {
    let Some(priority) = state.entries.get(id).map(priority) else { return };
    state.leases.order += 1;
    state.leases.waiting.push(Waiter { priority, order: state.leases.order, entry: id.clone() });
    state.leases.waiting.sort_by_key(|w| (w.priority, w.order));
}

/// Entries before it that want one of its scopes.
pub(crate) fn position(state: &State, id: &EntryId) -> u32 {
    let Some(entry) = state.entries.get(id) else { return 0 };
    let scopes = entry.scopes();
    let before = state.leases.waiting.iter().take_while(|w| w.entry != *id);
    let overlapping = before.filter_map(|w| state.entries.get(&w.entry)).filter(|e| e.scopes().iter().any(|s| scopes.contains(s)));
    overlapping.count() as u32
}

/// True when nothing that is under way stands against it. What is missing then passes by itself, so it may wait for it.
pub(crate) fn may_go(state: &State, entry: &Entry) -> bool {
    let scopes = entry.scopes();
    let behind = state.leases.waiting.iter().take_while(|w| w.entry != *entry.id()).filter_map(|w| state.entries.get(&w.entry));
    let first = !behind.into_iter().any(|e| e.scopes().iter().any(|s| scopes.contains(s)));
    if !first || !state.leases.all_free(&scopes) {
        return false;
    }
    if entry.is_undo() {
        return true;
    }
    let cluster = entry.cluster();
    facts::are_fresh(state, cluster) && facts::read_after_release(state, cluster) && !target_is_busy(state, entry)
}

/// Another act on the same target is under way or being observed (PROTOCOL.md, Succession).
fn target_is_busy(state: &State, entry: &Entry) -> bool {
    let service = &entry.view.work.action().service;
    state.open.iter().filter_map(|id| state.entries.get(id)).any(|e| {
        e.id() != entry.id()
            && e.view.work.action().service == *service
            && (e.view.state.is_unresolved_claim() || e.view.state == EntryState::Observing)
    })
}

/// Hands free scopes to those who wait, and preempts for the graver. Runs after every command.
pub(crate) fn grant_what_is_free(state: &mut State) {
    withdraw_notices(state);
    // Every round takes one entry out of the queue or preempts one holder, so this ends.
    while let Some(next) = next_step(state) {
        match next {
            Step::Grant(id) => grant(state, &id),
            Step::Preempt(id) => {
                let _ = ledger::step(state, &id, LedgerEvent::Cancel);
            }
        }
    }
}

/// A notice ends with the waiter that it was given for: the next one gives its own.
fn withdraw_notices(state: &mut State) {
    let noticed: Vec<Scope> = state.leases.live.iter().filter(|(_, l)| l.preempt_at.is_some()).map(|(s, _)| s.clone()).collect();
    for scope in noticed {
        let Some(Holder::Entry(holder)) = state.leases.live.get(&scope).map(|l| l.holder.clone()) else { continue };
        let held_at = state.entries.get(&holder).map_or(0, priority);
        let wants = |id: &EntryId| state.entries.get(id).is_some_and(|e| e.scopes().contains(&scope));
        let graver_waits = state.leases.waiting.iter().any(|w| w.priority < held_at && wants(&w.entry));
        if let Some(lease) = state.leases.live.get_mut(&scope).filter(|_| !graver_waits) {
            lease.preempt_at = None;
        }
    }
}

enum Step {
    Grant(EntryId),
    Preempt(EntryId),
}

fn next_step(state: &mut State) -> Option<Step> {
    let mut taken: BTreeSet<Scope> = BTreeSet::new();
    let now = state.now();
    let notice = now.plus_ms(state.settings.preempt_grace_ms);
    let waiting: Vec<(u8, EntryId)> = state.leases.waiting.iter().map(|w| (w.priority, w.entry.clone())).collect();
    for (priority_of_waiter, id) in waiting {
        let Some(entry) = state.entries.get(&id) else {
            state.leases.stop_waiting(&id);
            continue;
        };
        let scopes = entry.scopes();
        if !scopes.iter().any(|s| taken.contains(s)) {
            if may_go(state, entry) {
                return Some(Step::Grant(id));
            }
            for scope in &scopes {
                let Some(Holder::Entry(holder)) = state.leases.live.get(scope).map(|l| l.holder.clone()) else { continue };
                let weaker =
                    state.entries.get(&holder).is_some_and(|h| h.view.state == EntryState::Permitted && priority(h) > priority_of_waiter);
                let Some(lease) = state.leases.live.get_mut(scope).filter(|_| weaker) else { continue };
                match lease.preempt_at {
                    None => lease.preempt_at = Some(notice),
                    Some(at) if at <= now => return Some(Step::Preempt(holder)),
                    Some(_) => {}
                }
            }
        }
        taken.extend(scopes);
    }
    None
}

/// The scope is free: every limit is looked at again.
fn grant(state: &mut State, id: &EntryId) {
    state.leases.stop_waiting(id);
    let Some(mut entry) = state.entries.get(id).cloned() else { return };
    let severity = admission::severity_now(state, &entry);
    let cost = admission::cost_now(state, &entry);
    entry.view.severity = severity;
    if !entry.is_undo() {
        entry.view.cost_pods = cost;
    }
    let broken = admission::broken_limits(state, &entry);
    if !broken.is_empty() {
        let _ = ledger::step_with(state, id, LedgerEvent::Deny, |e| e.view.violations = broken);
        return;
    }
    if !entry.is_undo() && admission::needs_approval(state, &entry) && !entry.approved_under(state.stop.epoch) {
        let _ = ledger::step_with(state, id, LedgerEvent::NeedApproval, |e| e.view.severity = severity);
        return;
    }
    permitted::issue(state, &mut entry);
    let _ = ledger::step_with(state, id, LedgerEvent::Permit, |e| *e = entry);
}
