//! The disruption budget over all agents (I4): what is reserved, and what was allowed when it was.

use crate::entry::Entry;
use crate::state::State;
use picket_core::ids::{ClusterName, EntryId};
use picket_core::invariants::Invariant;
use picket_core::limits::{Reserved, budget_pods};

/// What the cluster's entries hold. An undo inherits its parent's reservation [M14]: the two are counted once.
pub(crate) fn reserved(state: &State, cluster: &ClusterName, except: Option<&EntryId>) -> Reserved {
    sum(state, cluster, except, |_| true)
}

/// How long ago somebody looked who does not look inside the command.
const LOOKED_BEFORE_MS: i64 = 500;

/// What somebody would see who looked a moment ago: see [`crate::planted::Fault::BudgetOutsideCommand`].
pub(crate) fn reserved_before_now(state: &State, cluster: &ClusterName, except: Option<&EntryId>) -> Reserved {
    sum(state, cluster, except, |e| e.view.history.last().is_some_and(|(at, _)| state.now().since_ms(*at) > LOOKED_BEFORE_MS))
}

fn sum(state: &State, cluster: &ClusterName, except: Option<&EntryId>, seen: impl Fn(&Entry) -> bool) -> Reserved {
    let mut sum = Reserved::default();
    for entry in state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| seen(e)) {
        if entry.cluster() != cluster || !entry.reserves() || Some(entry.id()) == except {
            continue;
        }
        let held_by_parent = entry.view.parent.as_ref().and_then(|p| state.entries.get(p)).is_some_and(Entry::reserves);
        if held_by_parent {
            continue;
        }
        sum.open_actions += 1;
        sum.pods = sum.pods.saturating_add(entry.view.cost_pods);
        if entry.view.cost_pods > 0 {
            sum.services.push(entry.view.work.action().service.clone());
        }
    }
    sum.services.sort();
    sum.services.dedup();
    sum
}

/// Remembers what was allowed at the newest reservation, and counts one that should not have been made.
pub(crate) fn note_reservation(state: &mut State, cluster: &ClusterName) {
    let pods = reserved(state, cluster, None).pods;
    let ratio = state.settings.limits.max_fleet_restart_ratio;
    let Some(book) = state.clusters.get_mut(cluster) else {
        if pods > 0 {
            state.count_violation(Invariant::I4);
        }
        return;
    };
    let rose = pods > book.reserved_pods;
    book.reserved_pods = pods;
    if !rose {
        // Acts without a cost, and an undo that inherits, ask for nothing.
        return;
    }
    book.allowed_pods = book.facts.as_ref().map_or(0, |f| budget_pods(ratio, f.fleet_ready()).saturating_sub(f.disrupted_by_others()));
    if pods > book.allowed_pods {
        state.count_violation(Invariant::I4);
    }
}

/// A claim that nobody here had heard of holds budget: nothing was allowed, it is so.
pub(crate) fn note_found(state: &mut State, cluster: &ClusterName) {
    let pods = reserved(state, cluster, None).pods;
    if let Some(book) = state.clusters.get_mut(cluster) {
        book.reserved_pods = pods;
        book.allowed_pods = book.allowed_pods.max(pods);
    }
}

/// After an act (`acted`) a reading counts only when it began later [M10].
pub(crate) fn note_release(state: &mut State, cluster: &ClusterName, acted: bool) {
    let now = state.now();
    let pods = reserved(state, cluster, None).pods;
    if let Some(book) = state.clusters.get_mut(cluster) {
        book.reserved_pods = pods;
        if acted {
            book.released_at = Some(now);
        }
    }
}
