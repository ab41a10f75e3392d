//! Ledger entries to tell of.

use picket_core::action::{Action, Remediation};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::proposal::{Proposal, Work};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// When everything begins.
pub const START: Timestamp = Timestamp(1_760_000_000_000);
/// `approval_ttl`.
pub const ANSWER_MS: i64 = 15 * 60_000;

/// An act that waits for a person.
pub fn asking(id: &str) -> LedgerEntry {
    let action = Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::RolloutRestart };
    let work = Work::Do { action: action.clone() };
    LedgerEntry {
        id: id.into(),
        state: EntryState::AwaitingApproval,
        parent: None,
        child: None,
        digest: work.digest(),
        work,
        proposal: Proposal {
            id: format!("p-{id}").as_str().into(),
            agent: AgentKind::Sre,
            incident: "inc-3".into(),
            cause: Cause::MemoryLeak,
            severity: Severity::Three,
            confidence: 0.937,
            services_degraded: 1,
            symptoms: vec![Symptom::MemoryHigh, Symptom::LatencyHigh],
            action,
            evidence_echo: START.plus_ms(-20_000),
            replay: false,
            monthly_saving_usd: None,
            sentence: "cart leaks memory since 09:40; a restart gives it back".to_owned(),
        },
        severity: Severity::Two,
        cost_pods: 2,
        violations: Vec::new(),
        approved_by: None,
        first_approved_by: None,
        by_others: None,
        tokens: BTreeMap::new(),
        actuator_epoch: None,
        claim: None,
        fenced: false,
        asked: None,
        report: None,
        outcome: None,
        paging: false,
        history: vec![(START, EntryState::AwaitingApproval)],
        deadline: Some(START.plus_ms(ANSWER_MS)),
    }
}

/// The entry, one state further, as the coordinator would have it.
pub fn moved(mut entry: LedgerEntry, to: EntryState) -> LedgerEntry {
    let at = entry.history.last().map_or(START, |(at, _)| at.plus_ms(1000));
    entry.state = to;
    entry.history.push((at, to));
    entry.deadline = (to == EntryState::AwaitingApproval).then(|| at.plus_ms(ANSWER_MS));
    entry.paging = matches!(to, EntryState::Inconclusive | EntryState::Indeterminate | EntryState::UndoFailed);
    entry
}

/// Through several states.
pub fn through(entry: LedgerEntry, states: &[EntryState]) -> LedgerEntry {
    states.iter().fold(entry, |entry, to| moved(entry, *to))
}

/// Of a severity that no alert is opened for by itself.
pub fn mild(entry: LedgerEntry) -> LedgerEntry {
    LedgerEntry { severity: Severity::Three, ..entry }
}
