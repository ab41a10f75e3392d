//! Every change of an entry's state goes through [`step_with`]; the table itself is `picket_core::ledger::next` (I6).

use crate::entry::Entry;
use crate::state::State;
use crate::waiting::Asker;
use crate::{budget, caution, cooldown, expiry, lease, planted};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::invariants::Invariant;
use picket_core::ledger::{EntryState, ForbiddenTransition, LedgerEvent, next};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// States in an entry's history before a person's undo is refused: the only cycle is Undoing and UndoFailed.
pub(crate) const HISTORY_MAX: usize = 64;

/// The newest changes, for those who watch. Revisions are gapless.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeLog {
    pub revision: u64,
    pub kept: VecDeque<(u64, LedgerEntry)>,
}

/// Puts a new entry into the ledger, in the state that it was made in.
pub(crate) fn make(state: &mut State, mut entry: Entry) -> EntryId {
    let now = state.now();
    let id = entry.id().clone();
    let until = deadline(state, entry.view.state, now);
    entry.view.history = vec![(now, entry.view.state)];
    let cluster = entry.cluster().clone();
    let (reserves, found) = (entry.reserves(), entry.was_claimed());
    if !entry.is_over() {
        state.open.insert(id.clone());
    }
    state.entries.insert(id.clone(), entry);
    set_deadline(state, &id, until);
    if reserves && found {
        budget::note_found(state, &cluster);
    } else if reserves {
        budget::note_reservation(state, &cluster);
    }
    record(state, &id);
    forget_oldest(state);
    id
}

/// Takes an entry along the table.
pub(crate) fn step(state: &mut State, id: &EntryId, event: LedgerEvent) -> Result<EntryState, ForbiddenTransition> {
    step_with(state, id, event, |_| {})
}

/// Takes an entry along the table; `edit` fills in what came with the event, once it is known to be allowed.
///
/// A transition that the table does not have counts against I6 and changes nothing.
pub(crate) fn step_with(
    state: &mut State,
    id: &EntryId,
    event: LedgerEvent,
    edit: impl FnOnce(&mut Entry),
) -> Result<EntryState, ForbiddenTransition> {
    let now = state.now();
    // An entry that is gone was terminal: nothing leads out of it.
    let from = state.entries.get(id).map_or(EntryState::Expired, |e| e.view.state);
    let to = match next(from, event) {
        Ok(to) => to,
        Err(forbidden) => match planted::unchecked(event) {
            Some(to) => to,
            None => {
                state.count_violation(Invariant::I6);
                return Err(forbidden);
            }
        },
    };
    set_deadline(state, id, None);
    let until = deadline(state, to, now);
    let Some(entry) = state.entries.get_mut(id) else { return Err(ForbiddenTransition { from, event }) };
    let reserved = entry.reserves();
    edit(entry);
    entry.view.state = to;
    entry.view.deadline = None;
    entry.view.history.push((now, to));
    entry.view.paging = match to {
        EntryState::Inconclusive | EntryState::Indeterminate | EntryState::UndoFailed => true,
        _ if to.is_terminal() => false,
        _ => entry.view.paging && to != EntryState::Undoing,
    };
    let (cluster, parent) = (entry.cluster().clone(), entry.view.parent.clone());
    let (claimed, undo, reserves) = (entry.was_claimed(), entry.is_undo(), entry.reserves());
    let (service, kind) = (entry.view.work.action().service.clone(), entry.view.work.action().kind());
    set_deadline(state, id, until);
    if from == EntryState::Queued {
        state.waiting.leave(&Asker::Entry(id.clone()));
    }
    if !reserved && reserves {
        budget::note_reservation(state, &cluster);
    }
    if claimed && !undo && cooldown::begins(from, to) {
        cooldown::start(state, service, kind);
    }
    if claimed {
        caution::note_end(state, &cluster, to);
    }
    record(state, id);
    if let Some(parent) = parent {
        tell_parent(state, &parent, to);
    }
    settle(state, id, reserved);
    Ok(to)
}

/// Lets go of what an entry has no more use for; `reserved`: it held budget a moment ago.
fn settle(state: &mut State, id: &EntryId, reserved: bool) {
    let Some(entry) = state.entries.get(id) else { return };
    let (cluster, acted) = (entry.cluster().clone(), entry.was_claimed() && entry.view.cost_pods > 0);
    let (released, over, kept) = (reserved && !entry.reserves(), entry.is_over(), lease::is_kept_by(state, entry));
    if over {
        state.open.remove(id);
    }
    if released {
        // A reservation whose act never began disrupted nothing: the facts stay true.
        budget::note_release(state, &cluster, acted);
    }
    if !kept {
        lease::give_back(state, id);
    }
}

/// Nothing of its claim is on its way any more: whatever waited for that alone goes on.
pub(crate) fn confirm_fence(state: &mut State, id: &EntryId) {
    let Some(entry) = state.entries.get_mut(id) else { return };
    let reserved = entry.reserves();
    entry.view.fenced = true;
    record(state, id);
    settle(state, id, reserved);
}

/// The end of an undo decides its parent [M14].
fn tell_parent(state: &mut State, parent: &EntryId, child: EntryState) {
    if state.entries.get(parent).is_none_or(|p| p.view.state != EntryState::Undoing) {
        return;
    }
    let event = match child {
        EntryState::Observing => LedgerEvent::ChildApplied,
        EntryState::Denied | EntryState::Expired | EntryState::Cancelled | EntryState::Failed | EntryState::Indeterminate => {
            LedgerEvent::ChildEndedOtherwise
        }
        _ => return,
    };
    // Undoing has both ways out; the result is in the violations if that should ever change.
    let _ = step(state, parent, event);
}

/// Sets when an entry's present state runs out.
pub(crate) fn set_deadline(state: &mut State, id: &EntryId, until: Option<Timestamp>) {
    let Some((of, before)) = state.entries.get(id).map(|e| (e.view.state, e.view.deadline)) else { return };
    if let Some(at) = expiry::due(state, of, before) {
        state.deadlines.remove(&(at, id.clone()));
    }
    if let Some(at) = expiry::due(state, of, until) {
        state.deadlines.insert((at, id.clone()));
    }
    if let Some(entry) = state.entries.get_mut(id) {
        entry.view.deadline = until;
    }
}

/// When a state runs out.
fn deadline(state: &State, of: EntryState, now: Timestamp) -> Option<Timestamp> {
    let s = &state.settings;
    let ms = match of {
        EntryState::Queued => s.queue_ttl_ms,
        EntryState::AwaitingApproval => s.approval_ttl_ms,
        EntryState::Approved => s.refresh_ttl_ms,
        EntryState::Permitted => s.permit_ttl_ms,
        EntryState::Claimed => s.act_deadline_ms,
        EntryState::Observing => s.sync_ttl_ms.saturating_add(s.monitor_window_ms).saturating_add(s.limits.facts_ttl_ms),
        _ => return None,
    };
    Some(now.plus_ms(ms))
}

/// Writes an entry's present face into the log of changes.
pub(crate) fn record(state: &mut State, id: &EntryId) {
    let Some(entry) = state.entries.get(id) else { return };
    state.log.revision += 1;
    state.log.kept.push_back((state.log.revision, entry.view.clone()));
    while state.log.kept.len() > state.settings.changes_max {
        state.log.kept.pop_front();
    }
    state.changed.push(id.clone());
}

/// Ended entries, and those that nobody could grade, are forgotten when there are too many; the audit log keeps them all.
fn forget_oldest(state: &mut State) {
    let ended = state.entries.len().saturating_sub(state.open.len());
    if ended > state.settings.entries_ended_max {
        let oldest = state.entries.iter().find(|(_, e)| e.is_over()).map(|(id, _)| id.clone());
        if let Some(id) = oldest {
            state.entries.remove(&id);
        }
    }
    let ungraded: Vec<_> =
        state.open.iter().filter(|id| state.entries.get(*id).is_some_and(|e| e.view.state == EntryState::Inconclusive)).cloned().collect();
    if ungraded.len() > state.settings.entries_open_max / 2
        && let Some(id) = ungraded.first()
    {
        state.entries.remove(id);
        state.open.remove(id);
    }
}
