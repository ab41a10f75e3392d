//! A new coordinator from a backup: what was decided since is forgotten, what was done since is not undone by that.

use super::entries::{TOKENS_PER_LIFE, blank};
use super::{Claim, Gates, Holder};
use crate::id::Id;
use crate::ledger::Stand;
use crate::rules::Rule;
use crate::setup::{ACTS, SCOPES, Setup};
use crate::state::State;

/// The backup takes over: a new life, STOP set, phases and consents not restored.
pub fn restore(setup: &Setup, s: &mut State) -> bool {
    let Some(backup) = s.backup.take() else { return false };
    let life = s.coordinator.life + 1;
    let stop_epoch = s.coordinator.stop_epoch;
    s.coordinator = *backup;
    s.coordinator.life = life;
    s.coordinator.gates = Some(Gates::default());
    if setup.rules.has(Rule::M13Epochs) {
        // Epochs carry the life: none of the lost time counts any more. (A stop epoch above all of them says the same here.)
        (s.coordinator.actuator_epoch, s.coordinator.stop_epoch) = (0, stop_epoch);
    }
    super::stop::stop(setup, s, false);
    true
}

fn someone_in_office(s: &State) -> bool {
    s.coordinator.actuator_epoch != 0 && s.actuators.iter().any(|a| a.epoch == s.coordinator.actuator_epoch)
}

/// The actuator in office raises a sink's fence to the new life, on whatever stands there.
pub fn fence(setup: &Setup, s: &mut State, sink: usize) -> bool {
    let Some(mut gates) = s.coordinator.gates.filter(|g| !g.fenced[sink]) else { return false };
    if !someone_in_office(s) {
        return false;
    }
    let life = if setup.rules.has(Rule::M13Epochs) { s.coordinator.life } else { 0 };
    let target = &mut s.sinks[sink];
    target.token = target.token.max(life * TOKENS_PER_LIFE);
    target.version += 1;
    s.truth.accepted[sink] = s.truth.accepted[sink].max(target.token);
    gates.fenced[sink] = true;
    s.coordinator.gates = Some(gates);
    if gates.fenced.iter().all(|f| *f) {
        for entry in s.coordinator.entries.iter_mut().flatten().filter(|e| e.claim.is_some()) {
            entry.fenced = true;
        }
    }
    true
}

/// An actuator's journal says what was claimed since the backup: nobody knows how it ended, so a person is paged.
pub fn upload(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(mut gates) = s.coordinator.gates.filter(|g| !g.uploaded[actuator]) else { return false };
    for slot in (0..ACTS as u8).filter(|slot| s.actuators[actuator].journal & (1 << slot) != 0) {
        if s.coordinator.entries[slot as usize].is_some_and(|e| e.claim.is_some()) {
            continue;
        }
        let mut entry = blank(Id { life: s.coordinator.life - 1, slot }, Stand::Indeterminate);
        entry.claim = Some(Claim { epoch: 0, before: Default::default() });
        entry.fenced = gates.fenced.iter().all(|f| *f);
        s.coordinator.entries[slot as usize] = Some(entry);
        for scope in 0..SCOPES {
            if setup.act(slot).scopes & (1 << scope) != 0 && s.coordinator.leases[scope].is_none() {
                s.coordinator.leases[scope] = Some(Holder::Entry(slot));
            }
        }
    }
    gates.uploaded[actuator] = true;
    s.coordinator.gates = Some(gates);
    true
}

/// An actuator's disk is lost: a person waives its journal, and answers for what it would have said.
pub fn waive(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(mut gates) = s.coordinator.gates.filter(|g| setup.bounds.waivers && !g.uploaded[actuator]) else { return false };
    (gates.uploaded[actuator], gates.waived) = (true, true);
    s.coordinator.gates = Some(gates);
    true
}

/// The longest cooldown and `act_deadline` pass.
pub fn wait(s: &mut State) -> bool {
    let Some(mut gates) = s.coordinator.gates.filter(|g| !g.waited) else { return false };
    gates.waited = true;
    s.coordinator.gates = Some(gates);
    (s.coordinator.cooling, s.truth.cooling) = (0, 0);
    true
}
