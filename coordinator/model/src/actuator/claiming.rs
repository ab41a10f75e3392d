//! Before the write: read the targets, put it on record, claim; and whose office it is.

use super::{Job, Stage};
use crate::coordinator::authority;
use crate::coordinator::entries::find;
use crate::id::Id;
use crate::ledger::Stand;
use crate::message::Message;
use crate::rules::Rule;
use crate::setup::{SINKS, Setup, is_undo, parent_of};
use crate::sink::Reading;
use crate::state::State;
use crate::work::{after_value, writes_of};

/// Reads the targets, writes journal and audit record, sends the claim.
pub fn prepare(setup: &Setup, s: &mut State, actuator: usize, slot: u8) -> bool {
    let (epoch, idle) = (s.actuators[actuator].epoch, s.actuators[actuator].job.is_none());
    let Some(entry) = s.coordinator.entries[slot as usize].filter(|e| e.stand == Stand::Permitted) else { return false };
    if epoch == 0 || !idle || !is_worth_it(setup, s, slot) {
        return false;
    }
    let before: [Reading; SINKS] = std::array::from_fn(|i| s.sinks[i].read());
    let job = Job { id: entry.id, epoch, token: entry.token, before, returned: 0, stage: Stage::Sent };
    s.actuators[actuator].job = Some(job);
    if entry.id.life == 0 && setup.bounds.restores > 0 && !is_undo(slot) {
        s.actuators[actuator].journal |= 1 << slot;
    }
    if setup.rules.has(Rule::AuditFirst) {
        s.truth.audited[entry.id.life as usize] |= 1 << slot;
    }
    s.network.send(Message::Claim { id: entry.id, epoch, token: entry.token, before });
    true
}

/// An act must have something to change; an undo must find what its parent left, or it is left to a person.
fn is_worth_it(setup: &Setup, s: &State, slot: u8) -> bool {
    let mut writes = writes_of(setup, s, slot);
    if !is_undo(slot) {
        return writes.any(|w| s.sinks[w.sink as usize].content != w.content);
    }
    let parent = s.coordinator.entries[parent_of(slot) as usize].map(|p| p.id);
    let left = |sink: u8| {
        let target = s.sinks[sink as usize];
        let stamped = target.stamp.zip(parent).is_some_and(|(stamp, p)| stamp.looks_like(p, setup.rules));
        stamped && Some(target.content) == after_value(setup, s, parent_of(slot), sink)
    };
    !setup.rules.has(Rule::M5) || writes.all(|w| left(w.sink))
}

/// The audit record becomes durable late, where the rule is off.
pub fn audit_late(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(job) = s.actuators[actuator].job.filter(|_| !setup.rules.has(Rule::AuditFirst)) else { return false };
    s.truth.audited[job.id.life as usize] |= 1 << job.id.slot;
    true
}

/// A claim that can no longer be granted is forgotten.
pub fn give_up(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(job) = s.actuators[actuator].job.filter(|j| j.stage == Stage::Sent) else { return false };
    let granted = s.truth.claimed_by[job.id.life as usize][job.id.slot as usize] != 0;
    let hopeless = find(setup, s, job.id).is_none_or(|e| e.stand != Stand::Permitted || e.token != job.token);
    if granted || !hopeless {
        return false;
    }
    s.actuators[actuator].job = None;
    s.actuators[actuator].journal &= !(1 << job.id.slot);
    true
}

/// Memory is lost; the journal stays.
pub fn crash(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    if s.spent.crashes == setup.bounds.crashes || s.actuators[actuator].job.is_none() {
        return false;
    }
    s.spent.crashes += 1;
    s.actuators[actuator].epoch = 0;
    if let Some(job) = &mut s.actuators[actuator].job {
        job.stage = Stage::Crashed;
    }
    true
}

/// The write of this entry may still be on its way, as far as the ledger knows.
fn is_to_be_proven(setup: &Setup, s: &State, id: Id) -> bool {
    let unfenced = |e: crate::coordinator::Entry| e.claim.is_some() && !e.fenced;
    find(setup, s, id).is_some_and(|e| unfenced(e) && (e.stand == Stand::Claimed || setup.rules.has(Rule::Succession)))
}

/// A new process, or one that comes back, takes the office. What its journal holds is proven, and never written again.
pub fn register(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    if s.spent.registrations == setup.bounds.registrations || s.actuators[actuator].epoch == s.coordinator.actuator_epoch {
        return false;
    }
    s.spent.registrations += 1;
    let epoch = authority::register_actuator(setup, s);
    s.actuators[actuator].epoch = epoch;
    if let Some(mut job) = s.actuators[actuator].job.take() {
        let granted = find(setup, s, job.id).and_then(|e| e.claim).filter(|c| c.epoch != job.epoch);
        if let Some(other) = granted.filter(|_| setup.rules.has(Rule::ProveGranted)) {
            job.before = other.before;
        }
        job.epoch = epoch;
        take_up(setup, s, actuator, job);
    }
    true
}

/// The actuator in office takes up what another one claimed.
pub fn take_over(setup: &Setup, s: &mut State, actuator: usize, slot: u8) -> bool {
    let epoch = s.actuators[actuator].epoch;
    let Some(entry) = s.coordinator.entries[slot as usize] else { return false };
    let Some(claim) = entry.claim.filter(|c| c.epoch != epoch) else { return false };
    let busy = s.actuators[actuator].job.is_some() || s.network.has_report(entry.id, epoch);
    if epoch != s.coordinator.actuator_epoch || busy {
        return false;
    }
    let job = Job { id: entry.id, epoch, token: entry.token, before: claim.before, returned: 0, stage: Stage::Crashed };
    take_up(setup, s, actuator, job)
}

fn take_up(setup: &Setup, s: &mut State, actuator: usize, mut job: Job) -> bool {
    if !is_to_be_proven(setup, s, job.id) {
        return false;
    }
    if setup.rules.has(Rule::M4) {
        job.stage = Stage::Proving;
        s.actuators[actuator].job = Some(job);
    } else {
        super::writing::start(setup, s, actuator, job, 0);
    }
    true
}
