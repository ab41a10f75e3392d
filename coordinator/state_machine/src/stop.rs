//! STOP is a latch.

use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::reply::Reply;
use crate::restore;
use crate::state::State;
use crate::{ledger, permitted, phase};
use picket_core::coordination::StopView;
use picket_core::ids::{AgentKind, ClusterName, EntryId, Principal};
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::{LimitRule, Violation};

/// Everything that has not begun is cancelled; every agent observes; consents given before are void, because their stop epoch is past.
/// Every cluster's actuator must raise its sinks' fences to a new token, above all that were issued before.
pub(crate) fn stop(state: &mut State, who: &Principal, keep_undos: bool) -> Reply {
    // Whoever presses it again may not know what the first withheld.
    let keep_undos = keep_undos && (!state.stop.set || state.stop.keep_undos || is_planted(Fault::StopLoosened));
    state.stop.keep_undos = keep_undos;
    state.stop.set = true;
    state.stop.epoch += 1;
    state.stop.by = who.to_string();
    state.stop.released_by.clear();
    state.stop.fence_token = state.next_token();
    let open: Vec<EntryId> = state.open.iter().cloned().collect();
    for id in open {
        let Some(entry) = state.entries.get(&id).filter(|e| e.is_before_claim()) else { continue };
        if keep_undos && entry.is_undo() {
            live_on(state, &id);
        } else if !(is_planted(Fault::ClaimWithoutStopEpoch) && entry.view.state == EntryState::Permitted) {
            let _ = ledger::step(state, &id, LedgerEvent::Cancel);
        }
    }
    for agent in AgentKind::ALL {
        phase::demote(state, agent, picket_core::phase::Phase::Observe, &format!("STOP by {who}"));
    }
    Reply::Done
}

/// An undo goes on under the new epoch, because whoever pressed STOP said so; with a new token, because the fences refuse its old one.
fn live_on(state: &mut State, id: &EntryId) {
    let Some(mut entry) = state.entries.get(id).cloned() else { return };
    let Some(expires_at) = entry.permit.as_ref().map(|p| p.expires_at) else { return };
    for scope in entry.scopes() {
        state.leases.end_of_entry(&scope, id);
    }
    permitted::issue(state, &mut entry, false);
    if let Some(permit) = &mut entry.permit {
        permit.expires_at = expires_at;
    }
    state.entries.insert(id.clone(), entry);
    ledger::record(state, id);
}

/// A consent counts under the stop epoch that its sender was shown, and under no other [M7].
pub(crate) fn check_consent(state: &State, shown: u64) -> Result<(), Violation> {
    if shown == state.stop.epoch || is_planted(Fault::ConsentWithoutStopEpoch) {
        return Ok(());
    }
    let why = format!("it was shown under stop epoch {shown}, now it is {}: look again", state.stop.epoch);
    Err(Violation::new(LimitRule::Stopped, None, why))
}

/// A person's recorded release, of the STOP that it names. Agents stay in Observe until they are promoted or granted anew. After a
/// restore it is the release of that too, and refused until everything that a restore asks for is there.
pub(crate) fn resume(state: &mut State, who: &Principal, shown: u64) -> Reply {
    if let Err(violation) = check_consent(state, shown) {
        return Reply::Refused { violations: vec![violation] };
    }
    if !state.stop.set {
        return Reply::Done;
    }
    if let Err(refused) = restore::release(state) {
        return refused;
    }
    state.stop.set = false;
    state.stop.released_by = who.to_string();
    state.stop.keep_undos = false;
    Reply::Done
}

/// Clusters whose fences are confirmed for the present stop epoch, and those whose are not. None are asked for before the first STOP.
pub(crate) fn fences(state: &State) -> (Vec<ClusterName>, Vec<ClusterName>) {
    let fenced = state.clusters.iter().filter(|(_, book)| book.needs_fence && state.stop.epoch > 0);
    let (confirmed, missing): (Vec<_>, Vec<_>) = fenced.partition(|(_, book)| book.fence_stop_epoch >= state.stop.epoch);
    let names = |books: Vec<(&ClusterName, _)>| books.into_iter().map(|(cluster, _)| cluster.clone()).collect();
    (names(confirmed), names(missing))
}

/// As everybody may see it.
pub(crate) fn view(state: &State) -> StopView {
    let open_claims = state.open.iter().filter(|id| state.entries.get(*id).is_some_and(Entry::waits_for_fence)).count() as u32;
    let (fences_confirmed, fences_missing) = fences(state);
    let stopping = state.stop.set && (open_claims > 0 || !fences_missing.is_empty());
    StopView { open_claims, stopping, fences_confirmed, fences_missing, ..state.stop.clone() }
}
