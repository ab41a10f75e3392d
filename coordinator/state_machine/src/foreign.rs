//! What people did themselves judges what picket had proposed: evidence from somebody who was not asked for it, on record with its source.

use crate::phase::{self, Counted, Judged};
use crate::reply::Reply;
use crate::state::State;
use crate::{authority, bounds, grade, ledger, sample};
use picket_core::foreign::ForeignEvidence;
use picket_core::ids::EntryId;
use picket_core::limits::LimitRule;

/// Takes the observer's word for it, once for each entry, and only where picket did nothing itself.
pub(crate) fn note(state: &mut State, id: &EntryId, observer_epoch: u64, evidence: &ForeignEvidence) -> Reply {
    let Some(entry) = state.entries.get(id) else {
        return Reply::Refused { violations: vec![authority::unknown(id)] };
    };
    if let Err(refused) = grade::check_epoch(state, entry, observer_epoch) {
        return refused;
    }
    let proposal = &entry.view.proposal;
    if entry.was_claimed() || entry.is_undo() || proposal.replay {
        return Reply::refused(
            LimitRule::NotAllowed,
            format!("{id} was claimed, takes another act back, or is of a replay: it proves nothing"),
        );
    }
    if entry.view.by_others.is_some() {
        return Reply::Done;
    }
    let (agent, incident, cause) = (proposal.agent, proposal.incident.clone(), proposal.cause.to_string());
    let episode = format!("{}|{cause}", entry.view.work.action().service);
    let judged = Judged { agent, episode: &episode, cause: &cause, diagnosed: true, stated: None, correct: evidence.agrees };
    if matches!(phase::count(state, judged), Counted::Full) {
        let (have, max) = (state.phases.episodes.len(), state.settings.episodes_max);
        return bounds::refuse("episodes_max", have, max, "episodes of the last day are remembered");
    }
    sample::answered(state, &incident);
    let now = state.now();
    if let Some(entry) = state.entries.get_mut(id) {
        entry.view.by_others = Some(Box::new(ForeignEvidence { at: now, ..evidence.clone() }));
    }
    ledger::record(state, id);
    Reply::Done
}
