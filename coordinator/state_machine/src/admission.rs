//! The limits as they stand now: at Propose, when a scope is granted, after an approval, and at Claim.

use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::state::State;
use crate::{bounds, budget, caution, cooldown, phase, restore};
use picket_core::invariants::Invariant;
use picket_core::limits::{LimitRule, Violation, check_age, check_budget, check_confidence, check_cooldown, check_target, cost_pods};
use picket_core::phase::Phase;
use picket_core::severity::{Severity, severity};

/// Pods that the act would make unavailable, by the newest facts; an undo keeps what it inherited [M14].
pub(crate) fn cost_now(state: &State, entry: &Entry) -> u32 {
    if entry.is_undo() {
        return entry.view.cost_pods;
    }
    let action = entry.view.work.action();
    let known = state.clusters.get(entry.cluster()).and_then(|b| b.facts.as_ref()).and_then(|f| f.services.get(&action.service));
    known.map_or(0, |facts| cost_pods(action, facts))
}

/// The graver of the agent's grade, the coordinator's own by the newest facts, and what the incident was graded before [M6].
pub(crate) fn severity_now(state: &State, entry: &Entry) -> Severity {
    let proposal = &entry.view.proposal;
    let facts = state.clusters.get(entry.cluster()).and_then(|b| b.facts.as_ref()).and_then(|f| f.services.get(&proposal.action.service));
    let own = severity(&proposal.symptoms, proposal.services_degraded as usize, facts);
    let before = state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| e.view.proposal.incident == proposal.incident);
    before.map(|e| e.view.severity).fold(entry.view.severity.graver(own), Severity::graver)
}

/// Whether a person must say yes, by phase and severity now, and by what was done within the hour.
pub(crate) fn needs_approval(state: &State, entry: &Entry) -> bool {
    phase::allowed(state, entry) < Phase::Autonomous
        || state.settings.needs_approval(entry.view.severity)
        || caution::oscillates(state, entry).is_some()
}

/// How many different people must say yes, by severity now.
pub(crate) fn people_needed(state: &State, entry: &Entry) -> usize {
    if state.settings.two_person_severities.contains(&entry.view.severity.number()) { 2 } else { 1 }
}

/// A yes is needed and was not given, or by too few for the severity that it has now.
pub(crate) fn lacks_approval(state: &State, entry: &Entry) -> bool {
    needs_approval(state, entry) && !has_approval(state, entry)
}

/// Enough people said yes to this digest under this stop epoch.
pub(crate) fn has_approval(state: &State, entry: &Entry) -> bool {
    entry.approved_under(state.stop.epoch) && entry.approvers() >= people_needed(state, entry)
}

/// Every broken limit. An undo is exempt from cooldown, phase and budget (it inherits one), not from STOP and fresh facts.
pub(crate) fn broken_limits(state: &State, entry: &Entry) -> Vec<Violation> {
    let now = state.now();
    let rules = &state.settings.limits;
    let mut broken = Vec::new();
    broken.extend(restore::forbids(state));
    if state.stop.set && !(entry.is_undo() && state.stop.keep_undos) && !is_planted(Fault::ClaimWithoutStopEpoch) {
        broken.push(Violation::new(LimitRule::Stopped, Some(Invariant::I9), format!("STOP was pressed by {}", state.stop.by)));
    }
    if entry.is_undo() {
        return broken;
    }
    let (proposal, action, cluster) = (&entry.view.proposal, entry.view.work.action(), entry.cluster());
    let kind = action.kind();
    if !proposal.cause.remedies().contains(&kind) || proposal.cause.agent() != proposal.agent {
        let why = format!("{kind} for {} is not in the catalogue of {}", proposal.cause, proposal.agent);
        broken.push(Violation::new(LimitRule::NotAllowed, Some(Invariant::I12), why));
    }
    broken.extend(check_confidence(rules, kind, proposal.confidence));
    broken.extend(caution::broken(state, entry));
    let cooling = cooldown::until(state, &action.service, kind, entry.id());
    broken.extend(check_cooldown(kind, &action.service, cooling, now));
    let (cooling, max) = (state.cooldowns.len(), state.settings.cooldowns_max);
    if cooling >= max && !state.cooldowns.contains_key(&action.service) {
        let full = bounds::full("cooldowns_max", cooling, max, "services are in a cooldown");
        broken.push(Violation { invariant: Some(Invariant::I5), ..full });
    }
    let Some(facts) = state.clusters.get(cluster).and_then(|b| b.facts.as_ref()) else {
        broken.push(Violation::new(LimitRule::StaleFacts, Some(Invariant::I11), format!("no observer has said anything of {cluster} yet")));
        return broken;
    };
    broken.extend(check_age(rules, entry.evidence_echo, facts.echo, now));
    broken.extend(check_target(rules, facts, action));
    // Its own reservation is not in its way.
    let reserved = if is_planted(Fault::BudgetOutsideCommand) {
        budget::reserved_before_now(state, cluster, Some(entry.id()))
    } else {
        budget::reserved(state, cluster, Some(entry.id()))
    };
    broken.extend(check_budget(rules, facts, action, entry.view.cost_pods, &reserved));
    if reserved.open_actions >= rules.max_open_actions {
        let why = format!("{} acts are open in {cluster}, {} may be", reserved.open_actions, rules.max_open_actions);
        broken.push(Violation::new(LimitRule::OpenActions, Some(Invariant::I4), why));
    }
    broken
}
