//! Who gets a scope next, and who must give one up: notice, grace, and then a new token for the next.

use crate::entry::Entry;
use crate::lease::{self, Holder, Lease, LeaseId, Terms};
use crate::settings::Settings;
use crate::state::State;
use crate::waiting::{Asker, Rank, Waiter};
use crate::{admission, facts, ledger, permitted, phase};
use picket_core::coordination::LeasePriority;
use picket_core::ids::{AgentKind, EntryId};
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::phase::Phase;
use picket_core::scope::Scope;
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

/// Priorities are a class (whose work it is) and, within the ledger, the severity. Lower goes first.
const CLASS: u8 = 8;
/// Other automation has no severity: it comes behind the ledger's acts of its class.
const NO_SEVERITY: u8 = 5;

/// Undos go first; then the class of the agent; then the graver.
pub(crate) fn priority(settings: &Settings, entry: &Entry) -> u8 {
    if entry.is_undo() {
        return 0;
    }
    let class = match entry.agent() {
        AgentKind::SecOps => settings.priorities.containment,
        AgentKind::Sre => settings.priorities.repair,
        AgentKind::FinOps => settings.priorities.savings,
    };
    class * CLASS + entry.view.severity.number()
}

/// The priority of other automation.
pub(crate) const fn priority_of_request(settings: &Settings, wanted: LeasePriority) -> u8 {
    let class = match wanted {
        LeasePriority::Containment => settings.priorities.containment,
        LeasePriority::Repair => settings.priorities.repair,
        LeasePriority::Savings => settings.priorities.savings,
    };
    class * CLASS + NO_SEVERITY
}

/// A class preempts the classes behind it; within a class only a graver act of the ledger preempts another one.
const fn preempts(waiter: u8, holder: u8) -> bool {
    let (waits, holds) = (waiter / CLASS, holder / CLASS);
    waits < holds || (waits == holds && waiter < holder && holder % CLASS != NO_SEVERITY)
}

/// Lines an entry up behind its equals.
pub(crate) fn wait(state: &mut State, id: &EntryId) {
    let Some(entry) = state.entries.get(id) else { return };
    let waiter = Waiter {
        asker: Asker::Entry(id.clone()),
        scopes: entry.scopes(),
        priority: priority(&state.settings, entry),
        since: state.now(),
        starved: false,
        place: None,
    };
    state.waiting.join(waiter);
}

/// Waiters before it that want one of its scopes.
pub(crate) fn position(state: &State, id: &EntryId) -> u32 {
    state.waiting.position(&Asker::Entry(id.clone()))
}

/// True when nothing that is under way stands against it. What is missing then passes by itself, so it may wait for it.
pub(crate) fn may_go(state: &State, entry: &Entry) -> bool {
    let scopes = entry.scopes();
    let asker = Asker::Entry(entry.id().clone());
    let first = state.waiting.is_first_asker(&asker) || (state.waiting.find(&asker).is_none() && !state.waiting.wants_any(&scopes));
    if !first || !state.leases.all_free(&scopes) {
        return false;
    }
    if entry.is_undo() {
        return true;
    }
    let cluster = entry.cluster();
    facts::are_fresh(state, cluster) && facts::read_after_release(state, cluster) && !target_is_busy(state, entry)
}

/// Another act on the same target is under way, being observed, or not fenced (PROTOCOL.md, Succession).
fn target_is_busy(state: &State, entry: &Entry) -> bool {
    let service = &entry.view.work.action().service;
    state.open.iter().filter_map(|id| state.entries.get(id)).any(|e| {
        e.id() != entry.id()
            && e.view.work.action().service == *service
            && (e.view.state.is_unresolved_claim() || e.view.state == EntryState::Observing || e.waits_for_fence())
    })
}

/// Hands free scopes to those who wait, and preempts for those with precedence. Runs after every command, and looks only at the lines
/// that the command may have moved: of scopes that came free or whose line changed, of scopes that entries wait for (they wait for facts
/// too), and of scopes whose holder has notice (its time may be up).
pub(crate) fn grant_what_is_free(state: &mut State) {
    withdraw_notices(state);
    let mut look: BTreeSet<Scope> = state.waiting.scopes_of_entries().collect();
    for id in state.leases.noticed() {
        look.extend(state.leases.get(id).into_iter().flat_map(|l| l.scopes.iter().map(|(s, _)| s.clone())));
    }
    let mut heads = BTreeSet::new();
    loop {
        // Every grant and every preemption moves lines; each ends a waiter or a holder, so this ends.
        look.append(&mut state.leases.take_freed());
        look.append(&mut state.waiting.take_moved());
        heads.extend(look.iter().filter_map(|scope| state.waiting.head(scope)));
        look.clear();
        let Some(first) = heads.pop_first() else { return };
        serve(state, first);
    }
}

/// A notice ends with the waiter that it was given for: the next one gives its own.
fn withdraw_notices(state: &mut State) {
    for id in state.leases.noticed() {
        let Some(lease) = state.leases.get(id) else { continue };
        let holds = holders_priority(state, lease);
        let heads = lease.scopes.iter().filter_map(|(scope, _)| state.waiting.head(scope)).filter_map(|rank| state.waiting.get(rank));
        let still = holds.is_some_and(|holds| heads.into_iter().any(|w| preempts(w.priority, holds)));
        if !still {
            state.leases.set_notice(id, None);
        }
    }
}

/// `None` when it is not preempted at all: its act is claimed, or it waited long enough for it.
fn holders_priority(state: &State, lease: &Lease) -> Option<u8> {
    if lease.terms.protected_until.is_some_and(|until| until > state.now()) {
        return None;
    }
    match &lease.holder {
        Holder::Principal(_) => Some(lease.terms.priority),
        Holder::Entry(id) => {
            let entry = state.entries.get(id).filter(|e| e.view.state == EntryState::Permitted)?;
            Some(priority(&state.settings, entry))
        }
    }
}

fn serve(state: &mut State, rank: Rank) {
    let Some(waiter) = state.waiting.get(rank).filter(|_| state.waiting.is_first(rank)).cloned() else { return };
    if !state.leases.all_free(&waiter.scopes) {
        give_notice(state, &waiter);
        return;
    }
    match &waiter.asker {
        Asker::Entry(id) => match state.entries.get(id) {
            Some(entry) if may_go(state, entry) => grant(state, &id.clone(), waiter.starved),
            Some(_) => {}
            None => drop(state.waiting.leave(&waiter.asker)),
        },
        Asker::Request { .. } => offer(state, &waiter),
    }
}

/// Whoever is in the way and may be preempted is told, and preempted when its grace is over. When one of them may not be, nobody is:
/// the others would have given up their lease for nothing.
fn give_notice(state: &mut State, waiter: &Waiter) {
    let now = state.now();
    let in_the_way: BTreeSet<LeaseId> = waiter.scopes.iter().filter_map(|s| state.leases.id_at(s)).collect();
    let all = in_the_way.iter().all(|id| {
        let lease = state.leases.get(*id);
        lease.and_then(|l| holders_priority(state, l)).is_some_and(|holds| preempts(waiter.priority, holds))
    });
    if !all {
        return;
    }
    for id in in_the_way {
        let Some(lease) = state.leases.get(id) else { continue };
        match lease.preempt_at {
            None => {
                let at = notice_until(state, lease, now);
                state.leases.set_notice(id, Some(at));
            }
            Some(at) if at <= now => preempt(state, id),
            Some(_) => {}
        }
    }
}

/// An entry has `preempt_grace_ms`. Other automation hears of it when it renews: it has half its TTL, within bounds, and never longer
/// than it has the lease anyway.
fn notice_until(state: &State, lease: &Lease, now: Timestamp) -> Timestamp {
    let s = &state.settings;
    match lease.holder {
        Holder::Entry(_) => now.plus_ms(s.preempt_grace_ms),
        Holder::Principal(_) => {
            let grace_ms = (lease.terms.ttl_ms / 2).clamp(s.preempt_grace_ms, s.preempt_grace_max_ms.max(s.preempt_grace_ms));
            now.plus_ms(grace_ms).min(lease.terms.expires_at)
        }
    }
}

fn preempt(state: &mut State, id: LeaseId) {
    match state.leases.get(id).map(|l| l.holder.clone()) {
        // Cancelling it gives the lease back. Only what is Permitted gets here, and the table cancels that.
        Some(Holder::Entry(entry)) => drop(ledger::step(state, &entry, LedgerEvent::Cancel)),
        Some(Holder::Principal(_)) => drop(state.leases.remove(id)),
        None => {}
    }
}

/// The scope is free: every limit is looked at again.
fn grant(state: &mut State, id: &EntryId, starved: bool) {
    state.waiting.leave(&Asker::Entry(id.clone()));
    let Some(mut entry) = state.entries.get(id).cloned() else { return };
    let severity = admission::severity_now(state, &entry);
    let cost = admission::cost_now(state, &entry);
    entry.view.severity = severity;
    if !entry.is_undo() {
        entry.view.cost_pods = cost;
    }
    let mut broken = admission::broken_limits(state, &entry);
    if !entry.is_undo() && phase::allowed(state, &entry) == Phase::Observe {
        broken.push(phase::only_observes(&entry));
    }
    if !broken.is_empty() {
        let _ = ledger::step_with(state, id, LedgerEvent::Deny, |e| e.view.violations = broken);
        return;
    }
    if !entry.is_undo() && admission::lacks_approval(state, &entry) {
        let _ = ledger::step_with(state, id, LedgerEvent::NeedApproval, |e| e.view.severity = severity);
        return;
    }
    permitted::issue(state, &mut entry, starved);
    let _ = ledger::step_with(state, id, LedgerEvent::Permit, |e| *e = entry);
}

/// The scopes are free and the one who asked is away: until it asks again the grant lasts no longer than its place would have. So one
/// that has died costs the others no more than they waited for it anyway.
fn offer(state: &mut State, waiter: &Waiter) {
    let (Asker::Request { principal, request }, Some(place)) = (&waiter.asker, waiter.place) else { return };
    state.waiting.leave(&waiter.asker);
    let first_ttl_ms = place.ttl_ms.min(state.settings.lease_ttl_ms);
    let terms = Terms {
        expires_at: place.lapses_at,
        ttl_ms: place.ttl_ms,
        priority: waiter.priority,
        protected_until: waiter.starved.then(|| place.lapses_at.plus_ms(first_ttl_ms)),
        offered: Some(request.clone()),
    };
    lease::grant(state, Holder::Principal(principal.clone()), &waiter.scopes, terms);
}
