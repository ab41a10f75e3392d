//! STOP is a latch.

use crate::reply::Reply;
use crate::state::State;
use crate::{ledger, phase};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ledger::LedgerEvent;

/// Everything that has not begun is cancelled; every agent observes; consents given before are void, because their stop epoch is past.
pub(crate) fn stop(state: &mut State, who: &Principal, keep_undos: bool) -> Reply {
    state.stop.set = true;
    state.stop.epoch += 1;
    state.stop.by = who.to_string();
    state.keep_undos = keep_undos;
    let open: Vec<EntryId> = state.open.iter().cloned().collect();
    for id in open {
        let Some(entry) = state.entries.get_mut(&id).filter(|e| e.is_before_claim()) else { continue };
        if keep_undos && entry.is_undo() {
            // It lives on under the new epoch: whoever pressed STOP said so.
            if let Some(permit) = &mut entry.permit {
                permit.stop_epoch = state.stop.epoch;
                ledger::record(state, &id);
            }
            continue;
        }
        let _ = ledger::step(state, &id, LedgerEvent::Cancel);
    }
    for agent in AgentKind::ALL {
        phase::demote(state, agent, picket_core::phase::Phase::Observe, &format!("STOP by {who}"));
    }
    Reply::Done
}

/// A person's recorded release. Agents stay in Observe until they are promoted or granted anew.
pub(crate) fn resume(state: &mut State) -> Reply {
    state.stop.set = false;
    state.keep_undos = false;
    Reply::Done
}
