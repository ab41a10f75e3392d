//! The actuator says how it went.

use crate::authority;
use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::reply::Reply;
use crate::state::State;
use crate::{ledger, undo};
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::LimitRule;
use picket_core::outcome::Report;

/// A report counts only while its entry is Claimed, and from the current actuator only [M13]. A late one changes no state, but may still
/// confirm that nothing of the claim is on its way; any other is for the audit log.
pub(crate) fn report(state: &mut State, id: &EntryId, actuator_epoch: u64, report: &Report) -> Reply {
    let Some(entry) = state.entries.get(id) else {
        return Reply::Refused { violations: vec![authority::unknown(id)] };
    };
    let current = state.clusters.get(entry.cluster()).map_or(0, |b| b.actuator_epoch);
    if current == 0 || actuator_epoch != current {
        return Reply::refused(
            LimitRule::NotAllowed,
            format!("actuator epoch {actuator_epoch} is not the current one ({current}): only audited"),
        );
    }
    if entry.view.report.as_ref() == Some(report) {
        return Reply::Done;
    }
    if entry.view.state != EntryState::Claimed && !is_planted(Fault::TransitionUnchecked) {
        if !entry.waits_for_fence() || !report.is_fenced() {
            return Reply::refused(LimitRule::NotAllowed, format!("{id} is {:?}: a late report is only audited", entry.view.state));
        }
        ledger::confirm_fence(state, id);
        return Reply::Done;
    }
    let keep = report.clone();
    let done = match report {
        Report::Applied { .. } => ledger::step_with(state, id, LedgerEvent::Applied, |e| take(e, keep)),
        Report::NoEffect { .. } => ledger::step_with(state, id, LedgerEvent::ProvenAbsent, |e| take(e, keep)),
        Report::CannotTell { .. } => {
            if let Some(entry) = state.entries.get_mut(id) {
                take(entry, keep);
            }
            let undoable = state.entries.get(id).is_some_and(|e| e.undoable().is_some());
            if undoable && undo::may_begin(state, id).is_ok() {
                undo::begin(state, id, LedgerEvent::PartlyLanded)
            } else {
                ledger::step(state, id, LedgerEvent::CannotTell)
            }
        }
    };
    done.map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}

fn take(entry: &mut Entry, report: Report) {
    entry.view.fenced = report.is_fenced();
    entry.view.report = Some(report);
}
