//! A person says yes or no; after a yes the agent looks again.

use crate::authority;
use crate::planted::{Fault, is_planted};
use crate::propose::ruled;
use crate::reply::Reply;
use crate::state::State;
use crate::{admission, entry::Approval, ledger, permitted, phase, queue, stop};
use picket_core::action::Digest;
use picket_core::ids::{EntryId, Principal};
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::{LimitRule, Violation};
use picket_core::phase::Phase;
use picket_core::time::Timestamp;

fn waiting(state: &State, id: &EntryId, wanted: EntryState) -> Result<(), Reply> {
    match state.entries.get(id) {
        None => Err(Reply::Refused { violations: vec![authority::unknown(id)] }),
        Some(e) if e.view.state == wanted => Ok(()),
        Some(e) => Err(Reply::refused(LimitRule::NotAllowed, format!("{id} is {:?}, not {wanted:?}", e.view.state))),
    }
}

/// Yes, to exactly this digest as shown under this stop epoch [M7, M8].
pub(crate) fn approve(state: &mut State, who: &Principal, id: &EntryId, digest: &Digest, stop_epoch: u64) -> Reply {
    if let Err(refused) = waiting(state, id, EntryState::AwaitingApproval) {
        return refused;
    }
    if let Err(violation) = stop::check_consent(state, stop_epoch) {
        return Reply::Refused { violations: vec![violation] };
    }
    if state.stop.set {
        return Reply::refused(LimitRule::Stopped, format!("STOP is set by {}: release it first", state.stop.by));
    }
    let digest = match state.entries.get(id) {
        Some(e) if e.view.digest == *digest || is_planted(Fault::ApprovalOfAnotherDigest) => e.view.digest.clone(),
        _ => return Reply::refused(LimitRule::NotAllowed, format!("{id} is another act than the one that was shown")),
    };
    let by = who.to_string();
    // Where the severity has risen since one person's yes, that yes is the first.
    let first = state.entries.get(id).and_then(|e| e.view.first_approved_by.clone().or_else(|| e.view.approved_by.clone()));
    let needed = state.entries.get(id).map_or(1, |e| admission::people_needed(state, e));
    if needed > 1 {
        match &first {
            None => return half_approved(state, id, by),
            Some(first) if *first == by => {
                return Reply::refused(LimitRule::NotAllowed, format!("{by} has said yes to {id} already: a second person must"));
            }
            Some(_) => {}
        }
    }
    let approval = Approval { digest, stop_epoch };
    let done = ledger::step_with(state, id, LedgerEvent::Approve, |e| {
        e.approval = Some(approval);
        e.view.first_approved_by = first.filter(|first| *first != by);
        e.view.approved_by = Some(by);
    });
    done.map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}

/// The first of two said yes: it waits on, for no longer than before.
fn half_approved(state: &mut State, id: &EntryId, by: String) -> Reply {
    if let Some(entry) = state.entries.get_mut(id) {
        entry.view.first_approved_by = Some(by);
    }
    ledger::record(state, id);
    ruled(state, id)
}

/// No.
pub(crate) fn deny(state: &mut State, who: &Principal, id: &EntryId, why: &str) -> Reply {
    let known = state.entries.get(id).map(|e| e.view.state);
    match known {
        Some(EntryState::AwaitingApproval | EntryState::Approved | EntryState::Queued) => {}
        Some(other) => return Reply::refused(LimitRule::NotAllowed, format!("{id} is {other:?}: nothing to deny")),
        None => return Reply::Refused { violations: vec![authority::unknown(id)] },
    }
    let said = Violation::new(LimitRule::DeniedByHuman, None, format!("{who}: {why}"));
    let done = ledger::step_with(state, id, LedgerEvent::Deny, |e| e.view.violations = vec![said]);
    done.map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| Reply::Done)
}

/// The agent read its evidence again: every limit is looked at once more.
pub(crate) fn refresh(state: &mut State, id: &EntryId, digest: &Digest, evidence_echo: Timestamp) -> Reply {
    if let Err(refused) = waiting(state, id, EntryState::Approved) {
        return refused;
    }
    let Some(mut entry) = state.entries.get(id).cloned() else {
        return Reply::Refused { violations: vec![authority::unknown(id)] };
    };
    if entry.view.digest != *digest {
        return Reply::refused(LimitRule::NotAllowed, format!("{id} is another act: propose that one anew"));
    }
    if evidence_echo < entry.evidence_echo {
        let why = format!("evidence of {evidence_echo} is older than what was proposed on ({}): read it again", entry.evidence_echo);
        return Reply::refused(LimitRule::StaleEvidence, why);
    }
    entry.evidence_echo = evidence_echo;
    entry.view.severity = admission::severity_now(state, &entry);
    entry.view.cost_pods = admission::cost_now(state, &entry);
    let mut broken = admission::broken_limits(state, &entry);
    if !admission::has_approval(state, &entry) || phase::allowed(state, &entry) == Phase::Observe {
        broken.push(Violation::new(LimitRule::NotAllowed, None, "the approval is void"));
    }
    let done = if !broken.is_empty() {
        ledger::step_with(state, id, LedgerEvent::Deny, |e| e.view.violations = broken)
    } else if queue::may_go(state, &entry) {
        permitted::issue(state, &mut entry, false);
        ledger::step_with(state, id, LedgerEvent::Permit, |e| *e = entry)
    } else {
        let queued = ledger::step_with(state, id, LedgerEvent::Queue, |e| *e = entry);
        queue::wait(state, id);
        queued
    };
    done.map_or_else(|why| Reply::refused(LimitRule::NotAllowed, why.to_string()), |_| ruled(state, id))
}
