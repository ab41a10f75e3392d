//! STOP is a latch.

use super::entries::{is_waiting_for_fence, step};
use crate::invariant::Invariant;
use crate::ledger::Event;
use crate::rules::Rule;
use crate::setup::{AGENTS, LIVES, Phase, SLOTS, Setup, is_undo};
use crate::state::State;

/// Everything that has not begun is cancelled, undos apart where the person says so; every agent observes.
pub fn stop(setup: &Setup, s: &mut State, keep_undos: bool) {
    let withheld = s.coordinator.stopped && !s.coordinator.keep_undos;
    s.truth.undos_withheld = (s.coordinator.stopped && s.truth.undos_withheld) || !keep_undos;
    s.coordinator.keep_undos = keep_undos && !(withheld && setup.rules.has(Rule::StopOnlyTightens));
    s.coordinator.stopped = true;
    s.coordinator.stop_epoch += 1;
    for slot in 0..SLOTS as u8 {
        let stop_epoch = s.coordinator.stop_epoch;
        match &mut s.coordinator.entries[slot as usize] {
            // It lives on under the new epoch: whoever pressed STOP said so.
            Some(entry) if entry.stand.is_before_claim() && is_undo(slot) && s.coordinator.keep_undos => entry.stop_epoch = stop_epoch,
            Some(entry) if entry.stand.is_before_claim() => {
                step(setup, s, slot, Event::Cancel);
            }
            _ => {}
        }
    }
    s.coordinator.phases = [Phase::Observe; AGENTS];
}

/// A person's release arrives.
pub fn release(setup: &Setup, s: &mut State, stop_epoch: u8) -> bool {
    let meant = stop_epoch == s.coordinator.stop_epoch;
    let open = s.coordinator.gates.is_none_or(|g| g.are_open(setup.rules));
    if !s.coordinator.stopped || !open || (setup.rules.has(Rule::ReleaseNamesStop) && !meant) {
        return false;
    }
    s.broken.note(Invariant::Stop, !meant);
    if s.coordinator.gates.is_some_and(|g| !g.waived) {
        judge_recovery(s);
    }
    (s.coordinator.stopped, s.coordinator.keep_undos, s.truth.undos_withheld) = (false, false, false);
    s.coordinator.gates = None;
    true
}

/// I10 after a restore: whatever landed before it is known to the ledger as claimed, or nobody would ever look at it.
fn judge_recovery(s: &mut State) {
    let life = s.coordinator.life as usize;
    for earlier in 0..life.min(LIVES) {
        for slot in 0..SLOTS {
            let landed = s.truth.landed[earlier][slot] != 0;
            let known = s.coordinator.entries[slot].is_some_and(|e| e.claim.is_some());
            s.broken.note(Invariant::I10, landed && !known);
        }
    }
}

/// What the page shows under STOP: "stopped", and not "stopping" any more.
#[must_use]
pub fn is_shown_stopped(setup: &Setup, s: &State) -> bool {
    s.coordinator.stopped
        && s.coordinator.gates.is_none()
        && s.coordinator.entries.iter().flatten().all(|e| !e.stand.is_unresolved() && !is_waiting_for_fence(setup, e))
}
