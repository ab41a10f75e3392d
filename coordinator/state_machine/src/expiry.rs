//! What runs out, runs out by the replicated clock.

use crate::state::State;
use crate::{cooldown, lease, ledger};
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::time::Timestamp;

impl State {
    /// When the next entry or lease runs out: a tick is due then.
    #[must_use]
    pub fn deadline_next(&self) -> Option<Timestamp> {
        let entries = self.open.iter().filter_map(|id| self.entries.get(id)).filter_map(|e| due(self, e.view.state, e.view.deadline));
        let leases = self.leases.live.values().map(|l| l.preempt_at.unwrap_or(l.expires_at));
        entries.chain(leases).min()
    }
}

/// A claim past its deadline waits a while longer: its actuator may still prove what happened.
fn due(state: &State, of: EntryState, deadline: Option<Timestamp>) -> Option<Timestamp> {
    let grace_ms = if of == EntryState::Claimed { state.settings.report_grace_ms } else { 0 };
    deadline.map(|at| at.plus_ms(grace_ms))
}

/// Lets everything run out whose time has come. Runs before every command.
pub(crate) fn expire(state: &mut State) {
    let now = state.now();
    lease::expire(state);
    cooldown::forget(state);
    let episode_ms = state.settings.episode_ms;
    state.phases.forget(now, episode_ms);
    let over = state
        .open
        .iter()
        .filter_map(|id| state.entries.get(id))
        .filter(|e| due(state, e.view.state, e.view.deadline).is_some_and(|at| at <= now));
    let over: Vec<EntryId> = over.map(|e| e.id().clone()).collect();
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
