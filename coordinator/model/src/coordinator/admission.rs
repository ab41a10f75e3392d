//! From a wish to a permit: propose, approve, refresh, queue, preempt, run out.

use super::entries::{blank, permit, scopes_free, step, step_with};
use super::limits::{budget_allows, cooldown_allows, facts_allow, judge_budget};
use super::{Entry, Holder};
use crate::id::Id;
use crate::ledger::{Event, Stand};
use crate::rules::Rule;
use crate::setup::{ACTS, Phase, SCOPES, SLOTS, Setup, is_undo};
use crate::state::State;

/// Whether a person must say yes, by phase and by how grave it is.
#[must_use]
pub fn needs_approval(setup: &Setup, s: &State, slot: u8, grave: bool) -> bool {
    !is_undo(slot) && (grave || s.coordinator.phases[setup.act(slot).agent as usize] < Phase::Autonomous)
}

/// The incident is grave now.
#[must_use]
pub const fn is_grave(s: &State, slot: u8) -> bool {
    s.coordinator.grave & (1 << (slot as usize % ACTS)) != 0
}

/// A yes that counts now.
#[must_use]
pub fn is_approved(setup: &Setup, s: &State, entry: &Entry) -> bool {
    entry.approval.is_some_and(|epoch| !setup.rules.has(Rule::M7) || epoch == s.coordinator.stop_epoch)
}

/// The latch holds permits, claims and promotions back.
#[must_use]
pub const fn is_latched(setup: &Setup, s: &State) -> bool {
    s.coordinator.stopped && setup.rules.has(Rule::M8)
}

/// The latch holds this entry back: undos may have leave.
#[must_use]
pub const fn is_held_back(setup: &Setup, s: &State, slot: u8) -> bool {
    is_latched(setup, s) && !(is_undo(slot) && s.coordinator.keep_undos)
}

/// Another act on one of its targets is under way or being observed.
fn target_is_busy(setup: &Setup, s: &State, slot: u8) -> bool {
    let targets = setup.act(slot).writes;
    (0..SLOTS as u8).filter(|other| *other as usize % ACTS != slot as usize % ACTS).any(|other| {
        s.coordinator.entries[other as usize].is_some_and(|e| {
            (e.stand.is_unresolved() && (e.stand != Stand::Indeterminate || setup.rules.has(Rule::M12)) || e.stand == Stand::Observing)
                && setup.act(other).writes.iter().any(|t| targets.contains(t))
        })
    })
}

fn may_go(setup: &Setup, s: &State, slot: u8) -> bool {
    scopes_free(setup, s, slot, None) && (is_undo(slot) || facts_allow(setup, s, slot) && !target_is_busy(setup, s, slot))
}

fn limits_allow(setup: &Setup, s: &State, slot: u8) -> bool {
    budget_allows(setup, s, slot) && cooldown_allows(setup, s, slot)
}

/// An agent asks. What would be Shadowed or Denied at once is left out: it changes nothing.
pub fn propose(setup: &Setup, s: &mut State, slot: u8) -> bool {
    let asked_for = setup.act(slot).lives & (1 << s.coordinator.life) != 0;
    let taken = s.coordinator.entries[slot as usize].is_some() || !asked_for;
    let phase = s.coordinator.phases[setup.act(slot).agent as usize];
    let Some(read_at) = s.evidence[slot as usize].or((setup.bounds.ticks == 0).then_some(0)) else { return false };
    if taken || phase == Phase::Observe || is_latched(setup, s) || s.coordinator.gates.is_some() || !limits_allow(setup, s, slot) {
        return false;
    }
    let id = Id { life: s.coordinator.life, slot };
    let mut entry = blank(id, Stand::Queued);
    entry.evidence_read_at = read_at;
    entry.evidence = if setup.rules.has(Rule::M9Echo) { read_at } else { s.coordinator.clock };
    s.evidence[slot as usize] = None;
    if needs_approval(setup, s, slot, is_grave(s, slot)) {
        entry.stand = Stand::AwaitingApproval;
    } else if may_go(setup, s, slot) {
        entry.stand = Stand::Permitted;
        permit(setup, s, &mut entry);
        judge_budget(setup, s, slot);
    }
    s.coordinator.entries[slot as usize] = Some(entry);
    true
}

/// A person's yes arrives.
pub fn approve(setup: &Setup, s: &mut State, id: Id, stop_epoch: u8) -> bool {
    let Some(entry) = super::entries::find(setup, s, id).filter(|e| e.stand == Stand::AwaitingApproval) else { return false };
    let void = stop_epoch != s.coordinator.stop_epoch && setup.rules.has(Rule::M7);
    !is_latched(setup, s) && !void && step_with(setup, s, entry.id.slot, Event::Approve, |e| e.approval = Some(stop_epoch))
}

/// An approved act whose evidence was read again, or a queued one whose turn it is.
pub fn go_on(setup: &Setup, s: &mut State, slot: u8) -> bool {
    let Some(mut entry) = s.coordinator.entries[slot as usize] else { return false };
    if !matches!(entry.stand, Stand::Approved | Stand::Queued) || is_held_back(setup, s, slot) {
        return false;
    }
    if !limits_allow(setup, s, slot) {
        return step(setup, s, slot, Event::Deny);
    }
    if !may_go(setup, s, slot) {
        return entry.stand == Stand::Approved && step(setup, s, slot, Event::Queue);
    }
    if needs_approval(setup, s, slot, is_grave(s, slot)) && !is_approved(setup, s, &entry) {
        let event = if entry.stand == Stand::Queued { Event::NeedApproval } else { Event::Deny };
        return step(setup, s, slot, event);
    }
    if entry.stand == Stand::Approved {
        entry.evidence = s.coordinator.clock;
        entry.evidence_read_at = s.coordinator.clock;
    }
    permit(setup, s, &mut entry);
    step_with(setup, s, slot, Event::Permit, |e| *e = entry);
    judge_budget(setup, s, slot);
    true
}

/// A graver act waits, its notice and grace are over: the holder of its scope makes room.
pub fn preempt(setup: &Setup, s: &mut State, holder: u8) -> bool {
    let Some(held) = s.coordinator.entries[holder as usize] else { return false };
    let (weak, wanted) = (setup.act(holder), |slot: u8| setup.act(slot).scopes & setup.act(holder).scopes != 0);
    let graver = (0..ACTS as u8).any(|slot| {
        slot != holder
            && s.coordinator.entries[slot as usize].is_some_and(|e| e.stand == Stand::Queued)
            && setup.act(slot).priority < weak.priority
            && wanted(slot)
    });
    if !graver || is_undo(holder) {
        return false;
    }
    match held.stand {
        Stand::Permitted => step(setup, s, holder, Event::Cancel),
        Stand::Claimed if !setup.rules.has(Rule::PreemptPermitted) => {
            for scope in 0..SCOPES {
                if s.coordinator.leases[scope] == Some(Holder::Entry(holder)) {
                    s.coordinator.leases[scope] = None;
                }
            }
            true
        }
        _ => false,
    }
}
