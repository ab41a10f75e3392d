//! Budget, cooldown and ages: as the coordinator counts them, and as they are.

use super::entries::reserves;
use crate::invariant::Invariant;
use crate::rules::Rule;
use crate::setup::{ACTS, Setup, is_undo, undo_of};
use crate::state::State;

/// How many steps of the clock evidence and facts live.
pub const TTL: u8 = 1;

fn is_reserved(setup: &Setup, s: &State, act: u8) -> bool {
    [act, undo_of(act)].iter().any(|slot| s.coordinator.entries[*slot as usize].is_some_and(|e| reserves(setup, &e)))
}

/// Acts with a reservation, as bits.
#[must_use]
pub fn reserved(setup: &Setup, s: &State) -> u8 {
    (0..setup.acts.len() as u8).filter(|a| is_reserved(setup, s, *a)).fold(0, |bits, a| bits | 1 << a)
}

/// Pods of the acts in `bits`.
fn pods(setup: &Setup, bits: u8) -> u8 {
    (0..setup.acts.len()).filter(|a| bits & (1 << a) != 0).map(|a| setup.acts[a].cost).sum()
}

const fn but(bits: u8, slot: u8) -> u8 {
    bits & !(1 << (slot as usize % ACTS))
}

/// The budget as the coordinator sees it.
#[must_use]
pub fn budget_allows(setup: &Setup, s: &State, slot: u8) -> bool {
    let cost = setup.act(slot).cost;
    let others = s.coordinator.facts.map_or(0, |f| f.others);
    is_undo(slot) || cost == 0 || pods(setup, but(reserved(setup, s), slot)) + others + cost <= setup.budget
}

/// I4: what is reserved or really down by picket's doing, others' by the newest reading that arrived, and the cost.
pub fn judge_budget(setup: &Setup, s: &mut State, slot: u8) {
    let cost = setup.act(slot).cost;
    if cost > 0 && !is_undo(slot) {
        let own = pods(setup, but(reserved(setup, s) | s.truth.down, slot));
        s.broken.note(Invariant::I4, own + s.truth.newest.2 + cost > setup.budget);
    }
}

/// I4, at the moment when pods go down: together with all that is reserved or down.
pub fn judge_disruption(setup: &Setup, s: &mut State) {
    let own = pods(setup, reserved(setup, s) | s.truth.down);
    s.broken.note(Invariant::I4, own > setup.budget);
}

/// Facts are young, and were read after the last release of budget.
#[must_use]
pub fn facts_allow(setup: &Setup, s: &State, slot: u8) -> bool {
    if setup.bounds.readings == 0 {
        return true;
    }
    let Some(facts) = s.coordinator.facts else { return false };
    s.coordinator.clock - facts.echo <= TTL && (is_undo(slot) || is_read_after_release(setup, s))
}

/// The newest facts were read after the last release of budget, or that is not asked.
#[must_use]
pub fn is_read_after_release(setup: &Setup, s: &State) -> bool {
    let read_after = s.coordinator.facts.is_some_and(|f| f.releases == s.coordinator.releases);
    setup.bounds.readings == 0 || !setup.rules.has(Rule::M10) || read_after
}

/// No other act of its group is unresolved or was resolved a short while ago.
#[must_use]
pub fn cooldown_allows(setup: &Setup, s: &State, slot: u8) -> bool {
    if !setup.bounds.cooldowns || is_undo(slot) {
        return true;
    }
    let free = s.coordinator.cooling & (1 << setup.act(slot).group) == 0;
    free && (!setup.rules.has(Rule::M11) || !has_unresolved_equal(setup, s, slot))
}

/// Another act of its group was claimed and is not resolved.
#[must_use]
pub fn has_unresolved_equal(setup: &Setup, s: &State, slot: u8) -> bool {
    let open = |e: crate::coordinator::Entry| e.stand.is_unresolved() || e.stand == crate::ledger::Stand::Observing;
    (0..setup.acts.len() as u8)
        .filter(|a| *a != slot && setup.act(*a).group == setup.act(slot).group)
        .any(|a| s.coordinator.entries[a as usize].is_some_and(open))
}
