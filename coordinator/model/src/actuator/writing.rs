//! The write itself: one compare-and-set each, on the version that the claim named.

use super::{Job, Stage};
use crate::coordinator::entries::may_take_effect;
use crate::coordinator::limits::judge_disruption;
use crate::coordinator::stop::is_shown_stopped;
use crate::coordinator::{Entry, Holder};
use crate::id::Id;
use crate::invariant::Invariant;
use crate::message::{Message, Verdict};
use crate::rules::Rule;
use crate::setup::{ACTS, SCOPES, SLOTS, Setup, is_undo, parent_of};
use crate::state::State;
use crate::work::{after_value, writes_of};

/// The answer to the claim arrives, however late: the first write goes out.
pub fn act(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(job) = s.actuators[actuator].job.filter(|j| j.stage == Stage::Sent) else { return false };
    let granted = s.truth.claimed_by[job.id.life as usize][job.id.slot as usize] == job.epoch;
    if granted {
        start(setup, s, actuator, job, 0);
    }
    granted
}

/// Sends a write.
pub(super) fn start(setup: &Setup, s: &mut State, actuator: usize, mut job: Job, write: u8) {
    let Some(work) = writes_of(setup, s, job.id.slot).nth(write as usize) else { return };
    let follows = write > 0 && writes_of(setup, s, job.id.slot).nth(write as usize - 1).is_some_and(|w| w.sink == work.sink);
    let precondition = if !setup.rules.has(Rule::M3) {
        s.sinks[work.sink as usize].version
    } else if follows {
        job.returned
    } else {
        job.before[work.sink as usize].version
    };
    job.stage = Stage::Writing { write };
    s.actuators[actuator].job = Some(job);
    let (id, token) = (job.id, job.token);
    s.network.send(Message::Write { id, write, sink: work.sink, token, precondition, content: work.content });
}

/// A write as it travels.
#[derive(Copy, Clone, Debug)]
pub struct Travelling {
    /// The entry.
    pub id: Id,
    /// Which of its writes.
    pub write: u8,
    /// The target.
    pub sink: u8,
    /// The token.
    pub token: u8,
    /// The version it may replace.
    pub precondition: u8,
    /// What it leaves.
    pub content: u8,
}

/// A write reaches its target; its answer reaches the actuator, or does not.
pub fn deliver(setup: &Setup, s: &mut State, write: Travelling, answered: bool) -> bool {
    let accepted = s.sinks[write.sink as usize].accepts(setup.rules, write.token, write.precondition);
    let waiting = (0..s.actuators.len())
        .find(|a| s.actuators[*a].job.is_some_and(|j| j.id == write.id && j.stage == Stage::Writing { write: write.write }));
    if answered && waiting.is_none() {
        return false;
    }
    if accepted {
        judge(setup, s, &write);
        land(setup, s, &write);
    }
    match waiting.filter(|_| answered) {
        Some(actuator) => answer(setup, s, actuator, &write, accepted),
        None => accepted,
    }
}

fn land(setup: &Setup, s: &mut State, write: &Travelling) {
    let target = &mut s.sinks[write.sink as usize];
    target.written_by_others(write.content);
    (target.token, target.stamp) = (write.token, Some(write.id));
    let accepted = &mut s.truth.accepted[write.sink as usize];
    *accepted = (*accepted).max(write.token);
    s.truth.landed[write.id.life as usize][write.id.slot as usize] |= 1 << write.write;
    if setup.act(write.id.slot).cost > 0 {
        s.truth.down |= 1 << (write.id.slot as usize % ACTS);
        judge_disruption(setup, s);
    }
}

fn judge(setup: &Setup, s: &mut State, write: &Travelling) {
    let (life, slot, bit) = (write.id.life as usize, write.id.slot as usize, 1 << write.write);
    s.broken.note(Invariant::I3, write.token < s.truth.accepted[write.sink as usize]);
    s.broken.note(Invariant::I6, s.truth.landed[life][slot] & bit != 0 || s.truth.absent[life][slot] & bit != 0);
    let entry = s.coordinator.entries[slot].filter(|e| e.id == write.id);
    let forgotten = s.coordinator.gates.is_none() && entry.is_none_or(|e| e.claim.is_none());
    s.broken.note(Invariant::I6, forgotten);
    s.broken.note(Invariant::I1, passed_on(setup, s, write.id.slot));
    s.broken.note(Invariant::Stop, is_shown_stopped(setup, s));
    if is_undo(write.id.slot) {
        let parent = parent_of(write.id.slot);
        let target = s.sinks[write.sink as usize];
        let parents = target.stamp.is_some_and(|stamp| stamp.slot == parent && stamp.life == write.id.life);
        s.broken.note(Invariant::Undo, !parents || after_value(setup, s, parent, write.sink) != Some(target.content));
    }
}

/// One of its scopes is held by an act that is neither it nor its parent or child.
fn passed_on(setup: &Setup, s: &State, slot: u8) -> bool {
    let scopes = setup.act(slot).scopes;
    (0..SCOPES).filter(|i| scopes & (1 << i) != 0).any(|i| match s.coordinator.leases[i] {
        Some(Holder::Entry(holder)) => holder as usize % ACTS != slot as usize % ACTS,
        Some(Holder::Other(_)) => true,
        None => false,
    })
}

/// I1 in the ledger: no two acts that may still take effect share a scope, and whoever may begin holds its scopes.
pub fn judge_scopes(setup: &Setup, s: &mut State) {
    let live = |slot: usize| s.coordinator.entries[slot].filter(may_take_effect).map(|e: Entry| e.id.slot);
    let mut broken = false;
    for one in (0..SLOTS).filter_map(live) {
        for other in (0..one as usize).filter_map(live) {
            broken |= setup.act(one).scopes & setup.act(other).scopes != 0;
        }
    }
    s.broken.note(Invariant::I1, broken);
}

fn answer(setup: &Setup, s: &mut State, actuator: usize, write: &Travelling, accepted: bool) -> bool {
    let Some(mut job) = s.actuators[actuator].job else { return false };
    if accepted {
        job.returned = s.sinks[write.sink as usize].version;
        if writes_of(setup, s, job.id.slot).count() > write.write as usize + 1 {
            start(setup, s, actuator, job, write.write + 1);
        } else {
            report(s, actuator, Verdict::Applied { by_content: false });
        }
    } else if setup.rules.has(Rule::M2) {
        job.stage = Stage::Proving;
        s.actuators[actuator].job = Some(job);
    } else {
        report(s, actuator, Verdict::Absent);
    }
    true
}

/// No answer came in time.
pub fn time_out(s: &mut State, actuator: usize) -> bool {
    match &mut s.actuators[actuator].job {
        Some(job) if matches!(job.stage, Stage::Writing { .. }) => {
            job.stage = Stage::Proving;
            true
        }
        _ => false,
    }
}

/// The verdict goes to the journal, and to the coordinator.
pub(super) fn report(s: &mut State, actuator: usize, verdict: Verdict) {
    if let Some(job) = s.actuators[actuator].job.take() {
        let epoch = s.actuators[actuator].epoch;
        s.network.send(Message::Report { id: job.id, epoch, verdict });
    }
}
