//! The claim: the moment that counts.

use super::admission::{is_approved, is_grave, is_held_back, needs_approval};
use super::entries::{find, step_with};
use super::limits::{TTL, budget_allows, cooldown_allows, facts_allow, has_unresolved_equal, judge_budget};
use super::{Claim, Entry, Holder};
use crate::id::Id;
use crate::invariant::Invariant;
use crate::ledger::{Event, Stand};
use crate::rules::Rule;
use crate::setup::{Phase, SCOPES, SINKS, Setup, is_undo};
use crate::sink::Reading;
use crate::state::State;

/// A claim arrives.
pub fn claim(setup: &Setup, s: &mut State, id: Id, epoch: u8, token: u8, before: [Reading; SINKS]) -> bool {
    let Some(entry) = find(setup, s, id).filter(|e| e.stand == Stand::Permitted && e.token == token) else { return false };
    if epoch != s.coordinator.actuator_epoch || !allows(setup, s, &entry) {
        return false;
    }
    judge(setup, s, &entry, id);
    s.truth.claimed_by[id.life as usize][id.slot as usize] = epoch;
    let done = step_with(setup, s, entry.id.slot, Event::Claim, |e| e.claim = Some(Claim { epoch, before }));
    if setup.bounds.cooldowns && !setup.rules.has(Rule::M11) && !is_undo(id.slot) {
        s.coordinator.cooling |= 1 << setup.act(id.slot).group;
    }
    done
}

fn holds_scopes(setup: &Setup, s: &State, slot: u8) -> bool {
    let wanted = setup.act(slot).scopes;
    (0..SCOPES).filter(|i| wanted & (1 << i) != 0).all(|i| s.coordinator.leases[i] == Some(Holder::Entry(slot)))
}

/// Everything that the coordinator looks at again.
fn allows(setup: &Setup, s: &State, entry: &Entry) -> bool {
    let (slot, rules) = (entry.id.slot, setup.rules);
    let stop = !is_held_back(setup, s, slot) && (!rules.has(Rule::M8) || entry.stop_epoch == s.coordinator.stop_epoch);
    let grave = if rules.has(Rule::M6) { is_grave(s, slot) } else { entry.grave_at_permit };
    let consent = is_undo(slot)
        || (s.coordinator.phases[setup.act(slot).agent as usize] > Phase::Observe
            && (!needs_approval(setup, s, slot, grave) || is_approved(setup, s, entry)));
    let young = is_undo(slot) || s.coordinator.clock - entry.evidence <= TTL;
    stop && consent
        && young
        && holds_scopes(setup, s, slot)
        && facts_allow(setup, s, slot)
        && budget_allows(setup, s, slot)
        && cooldown_allows(setup, s, slot)
}

/// Everything that must be true, by what really happened.
fn judge(setup: &Setup, s: &mut State, entry: &Entry, id: Id) {
    let slot = id.slot;
    let (clock, stop_epoch) = (s.coordinator.clock, s.coordinator.stop_epoch);
    judge_budget(setup, s, slot);
    s.broken.note(Invariant::I8, s.truth.audited[id.life as usize] & (1 << slot) == 0);
    let twice = s.truth.claimed_by[id.life as usize][slot as usize] != 0;
    let has_leave = is_undo(slot) && s.coordinator.keep_undos;
    s.broken.note(Invariant::Stop, is_undo(slot) && s.coordinator.stopped && s.truth.undos_withheld);
    let stopped = (s.coordinator.stopped && !has_leave) || entry.stop_epoch != stop_epoch;
    s.broken.note(Invariant::I9, twice || stopped || entry.id.life != id.life || entry.stand != Stand::Permitted);
    if setup.bounds.readings > 0 {
        s.broken.note(Invariant::I11, s.coordinator.facts.is_none_or(|f| clock - f.read_at > TTL));
    }
    if is_undo(slot) {
        return;
    }
    let agent = setup.act(slot).agent as usize;
    let (phase, approved) = (s.coordinator.phases[agent], entry.approval == Some(stop_epoch));
    let alone = phase == Phase::Autonomous && !is_grave(s, slot);
    s.broken.note(Invariant::I7, phase == Phase::Observe || !(alone || approved) || s.truth.consent[agent] != stop_epoch);
    s.broken.note(Invariant::I11, clock - entry.evidence_read_at > TTL);
    if setup.bounds.cooldowns {
        let cooling = s.truth.cooling & (1 << setup.act(slot).group) != 0;
        s.broken.note(Invariant::I5, cooling || has_unresolved_equal(setup, s, slot));
    }
}
