//! What runs out, runs out by the replicated clock.

use crate::state::State;
use crate::{cooldown, lease, ledger, sample};
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::time::Timestamp;

impl State {
    /// When the next entry, lease or time to judge runs out: a tick is due then.
    #[must_use]
    pub fn deadline_next(&self) -> Option<Timestamp> {
        let entries = self.deadlines.first().map(|(at, _)| *at);
        let waiting = self.waiting.due_next(self.settings.starvation_ms);
        entries.into_iter().chain(self.leases.due_next()).chain(waiting).chain(sample::due_next(self)).min()
    }
}

/// A claim past its deadline waits a while longer: its actuator may still prove what happened.
pub(crate) fn due(state: &State, of: EntryState, deadline: Option<Timestamp>) -> Option<Timestamp> {
    let grace_ms = if of == EntryState::Claimed { state.settings.report_grace_ms } else { 0 };
    deadline.map(|at| at.plus_ms(grace_ms))
}

/// Lets everything run out whose time has come. Runs before every command.
pub(crate) fn expire(state: &mut State) {
    let now = state.now();
    lease::expire(state);
    sample::expire(state);
    let starvation_ms = state.settings.starvation_ms;
    state.waiting.expire(now, starvation_ms);
    let over: Vec<EntryId> = state.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect();
    // In the order of the ledger, not of the deadlines: which of two ends first must not hang on a millisecond.
    let over: std::collections::BTreeSet<EntryId> = over.into_iter().collect();
    for id in over {
        // The end of a child may have changed its parent meanwhile: look again.
        let Some(at) =
            state.entries.get(&id).filter(|e| due(state, e.view.state, e.view.deadline).is_some_and(|d| d <= now)).map(|e| e.view.state)
        else {
            continue;
        };
        let event = match at {
            EntryState::Queued | EntryState::AwaitingApproval | EntryState::Approved | EntryState::Permitted => LedgerEvent::Expire,
            EntryState::Claimed => LedgerEvent::CannotTell,
            EntryState::Observing => LedgerEvent::GradedInconclusive,
            _ => continue,
        };
        let _ = ledger::step(state, &id, event);
    }
}

/// What is kept for a while only. Nothing is decided by its being there, so it goes with the ticks.
pub(crate) fn forget(state: &mut State) {
    let (now, retention_ms, episode_ms) = (state.now(), state.settings.request_retention_ms, state.settings.episode_ms);
    state.dedupe.forget(now, retention_ms);
    cooldown::forget(state);
    state.phases.forget(now, episode_ms);
}
