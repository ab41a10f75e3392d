//! An agent asks.

use crate::entry::Entry;
use crate::reply::{Reply, Ruling};
use crate::state::State;
use crate::{admission, bounds, caution, ledger, permitted, phase, queue, sample};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::phase::Phase;
use picket_core::proposal::{Proposal, Work};
use picket_core::rules::{RuleQuestion, Ruled};
use std::collections::BTreeMap;

/// An entry that nothing has been decided on.
pub(crate) fn blank(id: EntryId, work: Work, proposal: Proposal) -> Entry {
    let digest = work.digest();
    let view = LedgerEntry {
        id,
        state: EntryState::Denied,
        parent: None,
        child: None,
        digest,
        severity: proposal.severity,
        work,
        proposal,
        cost_pods: 0,
        violations: Vec::new(),
        approved_by: None,
        first_approved_by: None,
        by_others: None,
        tokens: BTreeMap::new(),
        actuator_epoch: None,
        claim: None,
        asked: None,
        fenced: false,
        report: None,
        outcome: None,
        paging: false,
        history: Vec::new(),
        deadline: None,
    };
    let evidence_echo = view.proposal.evidence_echo;
    Entry { view, approval: None, permit: None, evidence_echo }
}

/// What the user's rules are asked about a proposal, as of now.
#[must_use]
pub fn rule_question(state: &State, proposal: &Proposal) -> RuleQuestion {
    let mut entry = blank(EntryId::from("asked"), Work::Do { action: proposal.action.clone() }, proposal.clone());
    entry.view.severity = admission::severity_now(state, &entry);
    let cost_pods = admission::cost_now(state, &entry);
    let facts = state.clusters.get(entry.cluster()).and_then(|book| book.facts.as_ref());
    let facts = facts.and_then(|facts| facts.services.get(&proposal.action.service));
    RuleQuestion::about(proposal, entry.view.severity, phase::allowed(state, &entry), cost_pods, facts, state.now())
}

/// The no of the user's rules. A proposal that nobody held against the rules in force does not go on.
fn ruled_out(state: &State, proposal: &Proposal, ruled: Option<&Ruled>) -> Option<Violation> {
    if !state.settings.rules.contains_key(&proposal.agent) {
        return None;
    }
    match ruled {
        Some(ruled) if ruled.policy_version != state.policy_version => {
            Some(Violation::new(LimitRule::StaleEvidence, None, "the rules changed while this was proposed: propose it again"))
        }
        Some(Ruled { answer: Some(answer), .. }) => answer.violation(),
        _ => Some(Violation::new(LimitRule::UserPolicy, None, "nobody has held this against the user's rules")),
    }
}

/// Decides on a proposal: the first rows of the table, in their order.
pub(crate) fn propose(state: &mut State, proposal: &Proposal, rules: Option<&Ruled>) -> Reply {
    let same = state.entries.values().rev().find(|e| e.agent() == proposal.agent && e.view.proposal.id == proposal.id && !e.is_undo());
    if let Some(entry) = same {
        // The same wish under another request id: it has an entry already.
        return ruled(state, &entry.id().clone());
    }
    sample::note(state, proposal);
    let id = state.next_entry_id();
    let mut entry = blank(id, Work::Do { action: proposal.action.clone() }, proposal.clone());
    entry.view.severity = admission::severity_now(state, &entry);
    entry.view.cost_pods = admission::cost_now(state, &entry);
    let mut broken = if state.stop.set { Vec::new() } else { admission::broken_limits(state, &entry) };
    broken.extend(ruled_out(state, proposal, rules));
    entry.view.asked = rules.map(|ruled| Box::new(ruled.question.clone()));
    broken.extend(capacity(state));
    broken.extend(asked_already(state, &entry));
    let phase = if proposal.replay { Phase::Observe } else { phase::allowed(state, &entry) };
    entry.view.state = if !broken.is_empty() {
        entry.view.violations = broken;
        EntryState::Denied
    } else if phase == Phase::Observe || state.stop.set {
        EntryState::Shadowed
    } else if admission::needs_approval(state, &entry) {
        // Nothing is broken; whoever is asked should know of it.
        entry.view.violations.extend(caution::oscillates(state, &entry));
        EntryState::AwaitingApproval
    } else if queue::may_go(state, &entry) {
        permitted::issue(state, &mut entry, false);
        EntryState::Permitted
    } else {
        EntryState::Queued
    };
    let queued = entry.view.state == EntryState::Queued;
    let id = ledger::make(state, entry);
    if queued {
        queue::wait(state, &id);
    }
    ruled(state, &id)
}

fn capacity(state: &State) -> Option<Violation> {
    let (open, max) = (state.open.len(), state.settings.entries_open_max);
    (open >= max).then(|| bounds::full("entries_open_max", open, max, "entries are open"))
}

/// One agent asks once about one service at a time; another agent lines up behind it.
fn asked_already(state: &State, entry: &Entry) -> Option<Violation> {
    let service = &entry.view.work.action().service;
    let open = state.open.iter().filter_map(|id| state.entries.get(id));
    let other = open
        .filter(|e| e.view.state != EntryState::Inconclusive && e.agent() == entry.agent())
        .find(|e| e.view.work.action().service == *service)?;
    let (id, at) = (other.id(), other.view.state);
    Some(Violation::new(LimitRule::TargetBusy, None, format!("{id} of the same agent on {service} is still open ({at:?})")))
}

/// What the ledger says of an entry now, as the answer to who proposed it.
pub(crate) fn ruled(state: &State, id: &EntryId) -> Reply {
    let Some(entry) = state.entries.get(id) else {
        return Reply::Refused { violations: vec![crate::authority::unknown(id)] };
    };
    let over = |why: &str| Ruling::Denied { violations: vec![Violation::new(LimitRule::NotAllowed, None, format!("{id} {why}"))] };
    let ruling = match entry.view.state {
        EntryState::Denied => Ruling::Denied { violations: entry.view.violations.clone() },
        EntryState::Shadowed => Ruling::Shadowed,
        EntryState::AwaitingApproval | EntryState::Approved => Ruling::AwaitingApproval,
        EntryState::Queued => Ruling::Queued { position: queue::position(state, id) },
        EntryState::Expired => over("has expired"),
        EntryState::Cancelled => over("was cancelled"),
        _ => Ruling::Permitted,
    };
    Reply::Decided { entry: id.clone(), ruling }
}
