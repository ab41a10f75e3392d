//! What a run came to: every promise, checked from the outside.

use crate::history::{Asked, Heard, Operation};
use crate::linearize::{self, Found};
use crate::register::Contents;
use crate::writer::Account;
use std::collections::BTreeMap;
use std::fmt;

/// What a run was made of, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Calls with an answer.
    pub answered: u64,
    /// Calls without.
    pub unknown: u64,
    /// Leases that were granted.
    pub granted: u64,
    /// Writes that the registers took.
    pub written: u64,
    /// Accesses that the registers refused: too low a token.
    pub refused: u64,
    /// Writes that were tried after their lease was over.
    pub late: u64,
    /// Steps of the search for an order.
    pub steps: u64,
    /// Answers that were asked for again at the end.
    pub asked_again: u64,
    /// Every broken promise.
    pub findings: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, unknown, granted, written, refused, late, steps, asked_again, findings } = self;
        writeln!(f, "{answered} calls answered, {unknown} unknown, {granted} leases")?;
        writeln!(f, "{written} writes taken, {refused} stale accesses refused, {late} writes tried after the end of their lease")?;
        writeln!(f, "{asked_again} acknowledged commands asked for again; an order was found in {steps} steps")?;
        findings.iter().try_for_each(|finding| writeln!(f, "BROKEN: {finding}"))
    }
}

/// Looks at everything that was seen.
#[must_use]
pub fn of(accounts: &[Account], registers: &[Contents]) -> Verdict {
    let mut verdict = Verdict::default();
    for account in accounts {
        verdict.late += account.late_writes;
        verdict.unknown += account.unknown;
        verdict.findings.extend(account.unexpected.iter().map(|what| format!("an answer that nobody may get: {what}")));
    }
    let mut by_scope: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for (scope, operation) in accounts.iter().flat_map(|account| &account.operations) {
        by_scope.entry(*scope).or_default().push(*operation);
    }
    for (scope, operations) in by_scope {
        verdict.answered += operations.iter().filter(|o| o.is_known()).count() as u64;
        let granted = granted(&operations);
        verdict.granted += granted.len() as u64;
        verdict.findings.extend(tokens(scope, &granted));
        match linearize::search(operations) {
            Found::Order { steps } => verdict.steps += steps,
            Found::None { placed, lock, stuck } => {
                verdict.findings.push(format!(
                    "scope {scope}: no order explains the answers; after {placed} calls, with {lock:?}, none of these can come: {stuck:?}"
                ));
            }
            Found::GaveUp => verdict
                .findings
                .push(format!("scope {scope}: no order was found in {} steps, nor that there is none", linearize::STEPS_MAX)),
        }
    }
    for (scope, contents) in registers.iter().enumerate() {
        verdict.written += contents.taken.len() as u64;
        verdict.refused += contents.refused.len() as u64;
        verdict.findings.extend(register(scope, contents, accounts));
    }
    verdict
}

/// Leases by their tokens.
fn granted(operations: &[Operation]) -> Vec<(u64, &Operation)> {
    let takes = operations.iter().filter(|o| o.asked == Asked::Take);
    let mut granted: Vec<_> = takes.filter_map(|o| if let Heard::Leased(token) = o.heard { Some((token, o)) } else { None }).collect();
    granted.sort_by_key(|(token, _)| *token);
    granted
}

/// I2: one granted after another was known has a higher token; no two have the same.
fn tokens(scope: usize, granted: &[(u64, &Operation)]) -> Vec<String> {
    let mut found = Vec::new();
    // In the order of the tokens, none may have ended before one of a lower token began.
    let mut began_us_max = 0;
    for (index, (token, operation)) in granted.iter().enumerate() {
        if index > 0 && granted[index - 1].0 == *token {
            found.push(format!("scope {scope}: token {token} was granted twice (I2)"));
        }
        if operation.ended_us < began_us_max {
            found.push(format!("scope {scope}: token {token} was known before a lower one was asked for (I2)"));
        }
        began_us_max = began_us_max.max(operation.began_us);
    }
    found
}

/// What the register took: tokens never fell, each was its writer's own, and no write was lost; what it refused was stale.
fn register(scope: usize, contents: &Contents, accounts: &[Account]) -> Vec<String> {
    let mut found = Vec::new();
    let mut highest = 0;
    for (taken, expected) in contents.taken.iter().zip(1..) {
        if taken.token < highest {
            found.push(format!("register {scope} took a write with token {} after one with {highest} (I3)", taken.token));
        }
        highest = taken.token.max(highest);
        let owner = accounts.get(taken.client as usize);
        if !owner.is_some_and(|account| account.granted.iter().any(|g| g.scope == scope && g.token == taken.token)) {
            found.push(format!("register {scope}: writer {} wrote with token {}, which is not its own", taken.client, taken.token));
        }
        if taken.value != expected {
            found.push(format!("register {scope}: write {expected} says {}: two held the lease at once (I1)", taken.value));
        }
    }
    for refused in &contents.refused {
        let live = accounts.get(refused.client as usize).into_iter().flat_map(|a| &a.granted);
        let mut live = live.filter(|g| g.scope == scope && g.token == refused.token && g.holds_until_us > refused.at_us);
        if live.next().is_some() {
            found.push(format!("register {scope}: {refused:?}, though its lease was live: somebody else got a higher token (I1)"));
        }
    }
    found
}
