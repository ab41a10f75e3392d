//! Taking an act back: a child entry with its own permit, token and claim [M14].

use crate::authority;
use crate::planted::{Fault, is_planted};
use crate::propose::blank;
use crate::reply::Reply;
use crate::state::State;
use crate::{bounds, budget, facts, ledger, permitted, queue, restore, stop};
use picket_core::coordination::Resolution;
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState, ForbiddenTransition, LedgerEvent};
use picket_core::limits::{LimitRule, Violation, check_budget};
use picket_core::proposal::Work;

/// Why an undo may not begin now.
pub(crate) fn may_begin(state: &State, id: &EntryId) -> Result<(), Violation> {
    let Some(entry) = state.entries.get(id) else { return Err(authority::unknown(id)) };
    let no = |rule, why: String| Err(Violation::new(rule, None, why));
    if entry.undoable().is_none() {
        let kind = entry.view.work.action().kind();
        return no(LimitRule::NotAllowed, format!("{id} ({kind}) cannot be taken back by picket: a person must see to it"));
    }
    if entry.waits_for_fence() {
        return no(LimitRule::TargetBusy, format!("a write of {id} may still be on its way: its fence is not confirmed yet"));
    }
    if let Some(violation) = restore::forbids(state) {
        return Err(violation);
    }
    if state.stop.set && !state.stop.keep_undos {
        return no(LimitRule::Stopped, "STOP is set: undos wait for its release".to_owned());
    }
    if entry.view.history.len() >= ledger::HISTORY_MAX {
        let have = entry.view.history.len();
        return Err(bounds::full("history", have, ledger::HISTORY_MAX, &format!("states of {id} (resolve it by hand)")));
    }
    let child = entry.view.child.as_ref().and_then(|c| state.entries.get(c));
    if let Some(child) = child.filter(|c| c.is_before_claim() || c.view.state.is_unresolved_claim() || c.waits_for_fence()) {
        let (child, at, fenced) = (child.id(), child.view.state, if child.waits_for_fence() { " and not fenced" } else { "" });
        return no(LimitRule::TargetBusy, format!("{child} is {at:?}{fenced}: it must end first"));
    }
    // An entry that let its reservation go asks for it anew (I4).
    if !entry.reserves() {
        let cluster = entry.cluster();
        let Some(known) = state.clusters.get(cluster).and_then(|b| b.facts.as_ref()) else {
            return no(LimitRule::StaleFacts, format!("no observer has said anything of {cluster} yet"));
        };
        // An act that was just released may still have pods down that older facts call picket's own [M10].
        if !facts::read_after_release(state, cluster) && !is_planted(Fault::UndoAnewOnOldFacts) {
            return no(
                LimitRule::StaleFacts,
                format!("the facts of {cluster} were read before the last act ended: the next reading will do"),
            );
        }
        let reserved = budget::reserved(state, cluster, Some(id));
        let broken = check_budget(&state.settings.limits, known, entry.view.work.action(), entry.view.cost_pods, &reserved);
        if let Some(first) = broken.into_iter().next() {
            return Err(first);
        }
    }
    Ok(())
}

/// Makes the child. [`may_begin`] has said yes.
pub(crate) fn begin(state: &mut State, id: &EntryId, event: LedgerEvent) -> Result<EntryState, ForbiddenTransition> {
    let Some(parent) = state.entries.get(id).cloned() else {
        return Err(ForbiddenTransition { from: EntryState::Expired, event });
    };
    let Some(receipt) = parent.undoable().cloned() else {
        return Err(ForbiddenTransition { from: parent.view.state, event });
    };
    let child_id = state.next_entry_id();
    let reached = ledger::step_with(state, id, event, |e| e.view.child = Some(child_id.clone()))?;
    let mut child = blank(child_id, Work::Undo { action: parent.view.work.action().clone(), receipt }, parent.view.proposal.clone());
    child.view.parent = Some(id.clone());
    child.view.severity = parent.view.severity;
    child.view.cost_pods = parent.view.cost_pods;
    // Its evidence is the observer's grade, or a person's word: both of now.
    child.evidence_echo = state.now();
    // The parent's scopes pass to it, with new tokens: nothing comes between an act and its undo.
    for scope in child.scopes() {
        state.leases.end_of_entry(&scope, id);
    }
    if state.leases.all_free(&child.scopes()) {
        permitted::issue(state, &mut child, false);
        child.view.state = EntryState::Permitted;
    } else {
        child.view.state = EntryState::Queued;
    }
    let queued = child.view.state == EntryState::Queued;
    let child = ledger::make(state, child);
    if queued {
        queue::wait(state, &child);
    }
    Ok(reached)
}

fn begin_for_human(state: &mut State, id: &EntryId, shown: u64) -> Reply {
    if let Err(violation) = stop::check_consent(state, shown).and_then(|()| may_begin(state, id)) {
        return Reply::Refused { violations: vec![violation] };
    }
    begin(state, id, LedgerEvent::BeginUndo).map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}

/// A person takes it back, as shown under that stop epoch.
pub(crate) fn by_human(state: &mut State, id: &EntryId, shown: u64) -> Reply {
    match state.entries.get(id).map(|e| e.view.state) {
        None => Reply::Refused { violations: vec![authority::unknown(id)] },
        Some(EntryState::Observing | EntryState::Inconclusive) => begin_for_human(state, id, shown),
        Some(other) => {
            Reply::refused(LimitRule::NotAllowed, format!("{id} is {other:?}: only what is observed or could not be graded is undone"))
        }
    }
}

/// A person decides what cannot be known.
pub(crate) fn resolve(state: &mut State, id: &EntryId, resolution: Resolution) -> Reply {
    match state.entries.get(id).map(|e| e.view.state) {
        None => return Reply::Refused { violations: vec![authority::unknown(id)] },
        Some(EntryState::Indeterminate | EntryState::UndoFailed) => {}
        Some(other) => return Reply::refused(LimitRule::NotAllowed, format!("{id} is {other:?}: there is nothing to resolve")),
    }
    let event = match resolution {
        Resolution::Settled => LedgerEvent::ResolveSettled,
        Resolution::Failed => LedgerEvent::ResolveFailed,
        Resolution::Undo { stop_epoch } => return begin_for_human(state, id, stop_epoch),
    };
    ledger::step(state, id, event).map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}
