//! What happened to a write that nobody answered: the stamp proves effect, the fence proves absence.

use super::writing::report;
use super::{Job, Stage};
use crate::id::Id;
use crate::invariant::Invariant;
use crate::message::{Message, Verdict};
use crate::rules::Rule;
use crate::setup::Setup;
use crate::state::State;
use crate::work::{Seen, look, unchanged_since, writes_of};

const fn applied(seen: Seen) -> Verdict {
    Verdict::Applied { by_content: seen.by_content }
}

/// What is said when nothing more can land.
const fn ended(landed: u8) -> Verdict {
    if landed == 0 { Verdict::Absent } else { Verdict::CannotTell { landed, rest_absent: true } }
}

/// Reads the targets; what is missing is asked of the fence.
pub fn prove(setup: &Setup, s: &mut State, actuator: usize) -> bool {
    let Some(mut job) = s.actuators[actuator].job.filter(|j| j.stage == Stage::Proving) else { return false };
    let seen = look(setup, s, job.id);
    let Some(missing) = seen.missing else {
        report(s, actuator, applied(seen));
        return true;
    };
    if !setup.rules.has(Rule::M1) || (seen.landed != 0 && !setup.rules.has(Rule::LaterWriteFence)) {
        report(s, actuator, ended(seen.landed));
        return true;
    }
    let Some((sink, precondition)) = condition(setup, s, &job, missing) else {
        // What the write before it left is gone, so it can land no more; whether it had landed, nobody can say.
        report(s, actuator, Verdict::CannotTell { landed: seen.landed, rest_absent: false });
        return true;
    };
    job.stage = Stage::Fencing { landed: seen.landed, sink, precondition, again: false };
    s.actuators[actuator].job = Some(job);
    s.network.send(Message::Fence { id: job.id, sink, token: job.token + 1, precondition });
    true
}

/// The version that the missing write would replace: the one before the claim, or, as long as it stands, what the write before it left.
fn condition(setup: &Setup, s: &State, job: &Job, missing: u8) -> Option<(u8, u8)> {
    let sink = writes_of(setup, s, job.id.slot).nth(missing as usize)?.sink;
    let target = s.sinks[sink as usize];
    match writes_of(setup, s, job.id.slot).take(missing as usize).filter(|w| w.sink == sink).last() {
        None => Some((sink, job.before[sink as usize].version)),
        Some(left) => (target.content == left.content).then_some((sink, target.version)),
    }
}

/// A fence reaches its target; its answer reaches the actuator, or does not.
pub fn deliver(setup: &Setup, s: &mut State, id: Id, sink: u8, token: u8, precondition: u8, answered: bool) -> bool {
    let accepted = s.sinks[sink as usize].accepts(setup.rules, token, precondition);
    let asked = |stage: Stage| matches!(stage, Stage::Fencing { sink: s, precondition: p, .. } if (s, p) == (sink, precondition));
    let waiting = (0..s.actuators.len()).find(|a| s.actuators[*a].job.is_some_and(|j| j.id == id && asked(j.stage)));
    if answered && waiting.is_none() {
        return false;
    }
    if accepted {
        s.broken.note(Invariant::I3, token < s.truth.accepted[sink as usize]);
        let target = &mut s.sinks[sink as usize];
        (target.token, target.version) = (token, target.version + 1);
        s.truth.accepted[sink as usize] = s.truth.accepted[sink as usize].max(token);
    }
    match waiting.filter(|_| answered) {
        Some(actuator) => answer(setup, s, actuator, sink, accepted),
        None => accepted,
    }
}

fn answer(setup: &Setup, s: &mut State, actuator: usize, sink: u8, accepted: bool) -> bool {
    let Some(mut job) = s.actuators[actuator].job else { return false };
    let Stage::Fencing { landed, again, .. } = job.stage else { return false };
    if accepted {
        report(s, actuator, ended(landed));
        return true;
    }
    // Somebody was faster: perhaps the write itself.
    let seen = look(setup, s, job.id);
    if seen.missing.is_none() {
        report(s, actuator, applied(seen));
    } else if seen.landed != landed {
        job.stage = Stage::Proving;
        s.actuators[actuator].job = Some(job);
    } else if setup.bounds.generation && !again && landed == 0 && unchanged_since(s, sink, &job.before) {
        // Nothing of substance has happened, so it has not landed; the fence on what stands now sees to it that it never will.
        let precondition = s.sinks[sink as usize].version;
        job.stage = Stage::Fencing { landed, sink, precondition, again: true };
        s.actuators[actuator].job = Some(job);
        s.network.send(Message::Fence { id: job.id, sink, token: job.token + 1, precondition });
    } else {
        report(s, actuator, Verdict::CannotTell { landed, rest_absent: false });
    }
    true
}
