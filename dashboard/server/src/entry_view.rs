//! A ledger entry as the page shows it.

use crate::wire::{Change, Entry, Rule};
use crate::words;
use picket_core::action::Reversibility;
use picket_core::coordination::LedgerEntry;
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use picket_core::outcome::{Receipt, Report};
use picket_core::phase::Phase;
use picket_core::proposal::Work;

/// Shows one entry. `phase` is the agent's present phase: it explains why a person is asked.
#[must_use]
pub fn view(entry: &LedgerEntry, phase: Option<Phase>) -> Entry {
    let action = entry.work.action();
    let undo = matches!(entry.work, Work::Undo { .. });
    let reversibility = action.kind().reversibility();
    let sentence = action.sentence();
    Entry {
        id: entry.id.to_string(),
        state: words::state(entry.state),
        agent: entry.proposal.agent.to_string(),
        incident: entry.proposal.incident.to_string(),
        service: action.service.to_string(),
        action: if undo { format!("take back: {sentence}") } else { sentence },
        kind: action.kind().to_string(),
        reversibility: words::reversibility(reversibility).to_owned(),
        parent: entry.parent.as_ref().map(ToString::to_string),
        child: entry.child.as_ref().map(ToString::to_string),
        digest: entry.digest.to_string(),
        severity: entry.severity.number(),
        severity_proposed: entry.proposal.severity.number(),
        cost_pods: entry.cost_pods,
        confidence: entry.proposal.confidence,
        cause: words::cause(entry.proposal.cause),
        sentence: entry.proposal.sentence.clone(),
        asked_because: asked_because(entry, phase),
        rules: rules(entry),
        approved_by: approved_by(entry),
        tokens: entry.tokens.iter().map(|(scope, token)| (scope.to_string(), token.0)).collect(),
        actuator_epoch: entry.actuator_epoch,
        report: reported(entry),
        outcome: entry.outcome.as_ref().map(|o| format!("{}: {}", o.as_str().replace('_', " "), o.why())).unwrap_or_default(),
        changes: entry.report.as_ref().and_then(receipt).map(changes).unwrap_or_default(),
        paging: entry.paging && !entry.state.is_terminal(),
        history: entry.history.iter().map(|(at, state)| (at.0, words::state(*state))).collect(),
        deadline_ms: entry.deadline.map(|at| at.0),
        saving_usd: entry.proposal.monthly_saving_usd,
        can: can(entry, reversibility, undo),
    }
}

fn can(entry: &LedgerEntry, reversibility: Reversibility, undo: bool) -> Vec<String> {
    let acts: &[&str] = match entry.state {
        EntryState::AwaitingApproval => &["approve", "deny"],
        EntryState::Observing | EntryState::Inconclusive if reversibility != Reversibility::None && !undo => &["undo"],
        _ => &[],
    };
    acts.iter().map(|act| (*act).to_owned()).collect()
}

/// Why the entry waits for a person: the same reasons, in the same order, as PROTOCOL.md gives.
fn asked_because(entry: &LedgerEntry, phase: Option<Phase>) -> String {
    if entry.state != EntryState::AwaitingApproval {
        return String::new();
    }
    if let Some(first) = &entry.first_approved_by {
        format!("you are asked because two people must say yes, and {first} has")
    } else if let Some(quarrel) = entry.violations.iter().find(|v| v.rule == LimitRule::Oscillation) {
        format!("you are asked because it takes back another act: {}", quarrel.reason)
    } else if entry.severity.number() <= 2 {
        format!("you are asked because severity is {}", entry.severity.number())
    } else if phase == Some(Phase::Assist) {
        "you are asked because in Assist every act is approved by a person".to_owned()
    } else {
        "you are asked because a rule wants a person's consent".to_owned()
    }
}

/// Broken limits with their reasons; the others only when the entry got past them.
fn rules(entry: &LedgerEntry) -> Vec<Rule> {
    let mut rules: Vec<Rule> = entry
        .violations
        .iter()
        .map(|broken| Rule {
            rule: words::rule(broken.rule).to_owned(),
            holds: false,
            reason: broken.reason.clone(),
            invariant: broken.invariant.map(|i| i.as_str().to_owned()).unwrap_or_default(),
        })
        .collect();
    let passed =
        entry.history.iter().any(|(_, state)| matches!(state, EntryState::Permitted | EntryState::AwaitingApproval | EntryState::Queued));
    if passed && entry.parent.is_none() {
        let broken: Vec<_> = entry.violations.iter().map(|v| v.rule).collect();
        rules.extend(words::RULES.into_iter().filter(|rule| !broken.contains(rule)).map(|rule| Rule {
            rule: words::rule(rule).to_owned(),
            holds: true,
            ..Rule::default()
        }));
    }
    if let Some(by) = approved_by(entry).filter(|_| entry.approved_by.is_some()) {
        rules.push(Rule {
            rule: "a person consents".to_owned(),
            holds: true,
            reason: format!("{by} approved this digest"),
            invariant: "I7".to_owned(),
        });
    }
    rules
}

/// Everybody who said yes so far, in their order.
fn approved_by(entry: &LedgerEntry) -> Option<String> {
    let people: Vec<_> = entry.first_approved_by.iter().chain(&entry.approved_by).map(String::as_str).collect();
    (!people.is_empty()).then(|| people.join(" and "))
}

/// What its actuator said; and, once its state says no more of that, that its scope still waits for a fence.
fn reported(entry: &LedgerEntry) -> String {
    let said = entry.report.as_ref().map(report);
    let waits =
        (entry.waits_for_fence() && entry.state != EntryState::Claimed).then(|| "its scope waits for a fence on the target".to_owned());
    said.into_iter().chain(waits).collect::<Vec<_>>().join("; ")
}

fn report(report: &Report) -> String {
    match report {
        Report::Applied { receipt } => format!("applied to {} {}/{}", receipt.object.kind, receipt.object.namespace, receipt.object.name),
        Report::NoEffect { why } => format!("no effect: {why}"),
        Report::CannotTell { why, .. } => format!("cannot tell: {why}"),
    }
}

const fn receipt(report: &Report) -> Option<&Receipt> {
    match report {
        Report::Applied { receipt } => Some(receipt),
        Report::CannotTell { landed, .. } => landed.as_ref(),
        Report::NoEffect { .. } => None,
    }
}

/// Longest value shown: a whole pod template says nothing in a table cell.
const VALUE_CHARS_MAX: usize = 120;

fn changes(receipt: &Receipt) -> Vec<Change> {
    let show = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => "absent".to_owned(),
        Some(serde_json::Value::String(text)) => shortened(text),
        Some(other) => shortened(&other.to_string()),
    };
    receipt
        .after
        .iter()
        .map(|(field, after)| Change { field: field.clone(), before: show(receipt.before.get(field)), after: show(Some(after)) })
        .collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX { text.to_owned() } else { text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect() }
}
