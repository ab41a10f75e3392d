//! The observer says how it turned out (I10).

use crate::authority;
use crate::entry::Entry;
use crate::reply::Reply;
use crate::state::State;
use crate::{ledger, phase, undo};
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::LimitRule;
use picket_core::outcome::Outcome;

/// Grades an entry that is being observed; one that nobody could grade may still be found regressed.
pub(crate) fn grade(state: &mut State, id: &EntryId, observer_epoch: u64, outcome: &Outcome) -> Reply {
    let Some(entry) = state.entries.get(id) else {
        return Reply::Refused { violations: vec![authority::unknown(id)] };
    };
    if let Err(refused) = check_epoch(state, entry, observer_epoch) {
        return refused;
    }
    let at = entry.view.state;
    let regressed = matches!(outcome, Outcome::Regressed { .. });
    if at != EntryState::Observing && !(at == EntryState::Inconclusive && regressed) {
        return Reply::refused(LimitRule::NotAllowed, format!("{id} is {at:?}: the grade is only audited"));
    }
    let keep = outcome.clone();
    let done = match outcome {
        Outcome::Recovered { .. } | Outcome::NoEffect { .. } => {
            ledger::step_with(state, id, LedgerEvent::Graded, |e| e.view.outcome = Some(keep))
        }
        Outcome::Inconclusive { .. } => ledger::step_with(state, id, LedgerEvent::GradedInconclusive, |e| e.view.outcome = Some(keep)),
        Outcome::Regressed { .. } => return regress(state, id, keep, at),
    };
    done.map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}

/// Only the observer that is in office is heard [M13].
pub(crate) fn check_epoch(state: &State, entry: &Entry, observer_epoch: u64) -> Result<(), Reply> {
    let current = state.clusters.get(entry.cluster()).map_or(0, |b| b.observer_epoch);
    if current != 0 && observer_epoch == current {
        return Ok(());
    }
    let why = format!("observer epoch {observer_epoch} is not the current one ({current}): only audited");
    Err(Reply::refused(LimitRule::NotAllowed, why))
}

/// It did harm. What can be taken back is; anything else waits for a person, who is paged: an act that cannot be undone (and an undo
/// itself) has no way to Undoing, so it becomes Inconclusive, which pages and never counts as recovered.
fn regress(state: &mut State, id: &EntryId, outcome: Outcome, at: EntryState) -> Reply {
    let first_time = state.entries.get(id).is_some_and(|e| e.view.outcome.as_ref().is_none_or(|o| !matches!(o, Outcome::Regressed { .. })));
    if let Some(entry) = state.entries.get_mut(id) {
        entry.view.outcome = Some(outcome);
    }
    let undone = undo::may_begin(state, id).is_ok() && undo::begin(state, id, LedgerEvent::BeginUndo).is_ok();
    if !undone {
        if at == EntryState::Observing {
            let _ = ledger::step(state, id, LedgerEvent::GradedInconclusive);
        } else {
            ledger::record(state, id);
        }
    }
    if first_time {
        phase::regression(state, id);
    }
    Reply::Done
}
