//! The cluster that was acted on: every write that it took belongs to one claim, once, and tokens only rose.

use crate::actors::fleet::Fleet;
use crate::finding::{Finding, Kind};
use crate::history::History;
use picket_core::coordination::Command;
use picket_core::ids::EntryId;
use picket_core::invariants::Invariant;
use picket_core::outcome::Report;
use picket_core::scope::FencingToken;
use picket_state_machine::Reply;
use std::collections::{BTreeMap, BTreeSet};

/// I3, and the effect's side of I6.
pub fn check(history: &History, fleet: &Fleet) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut claimed: BTreeMap<EntryId, FencingToken> = BTreeMap::new();
    let mut absent: BTreeSet<EntryId> = BTreeSet::new();
    for applied in history.log.values() {
        let Some((said, _)) = &applied.said else { continue };
        match (&said.request.command, &applied.reply) {
            (Command::Claim { .. }, Some(Reply::Claimed { claim })) => drop(claimed.insert(claim.entry.clone(), claim.token)),
            (Command::Report { entry, report: Report::NoEffect { .. }, .. }, Some(Reply::Done)) => drop(absent.insert(entry.clone())),
            _ => {}
        }
    }
    let mut accepted = BTreeMap::new();
    let mut effects: BTreeMap<&EntryId, u32> = BTreeMap::new();
    for landed in &fleet.landed {
        let (entry, service, token, at_ms) = (&landed.entry, &landed.service, landed.token, landed.at_ms);
        if claimed.get(entry) != Some(&token) {
            let detail = format!("{entry} landed on {service} at {at_ms} ms with token {token}; its claim has {:?}", claimed.get(entry));
            found.push(Finding::new(Kind::Invariant(Invariant::I9), detail));
        }
        let highest = accepted.insert(service, token).unwrap_or_default();
        if token < highest {
            let detail = format!("{service} took token {token} at {at_ms} ms after {highest}");
            found.push(Finding::new(Kind::Invariant(Invariant::I3), detail));
        }
        let count = effects.entry(entry).or_default();
        *count += 1;
        if *count > 1 || absent.contains(entry) {
            let detail = format!("{entry} took effect {count} times, proven absent: {}", absent.contains(entry));
            found.push(Finding::new(Kind::Invariant(Invariant::I6), detail));
        }
    }
    found
}
