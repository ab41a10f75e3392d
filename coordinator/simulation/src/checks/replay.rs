//! The log, applied once more from the beginning: every reply, sampled state, read and promise must come out the same.

use super::promises::Promises;
use crate::actors::fleet::Landed;
use crate::finding::{Finding, Kind};
use crate::history::{Asked, Ended, History, difference, digest_of};
use crate::options::Options;
use picket_core::invariants::Invariant;
use picket_state_machine::{State, apply};
use std::collections::BTreeMap;

/// One pass over the log.
pub fn check(history: &History, options: &Options, landed: &[Landed]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut reads: BTreeMap<u64, Vec<(&Asked, u64)>> = BTreeMap::new();
    for call in &history.calls {
        if let Some((_, Ended::Seen { index, digest })) = &call.ended {
            reads.entry(*index).or_default().push((&call.asked, *digest));
        }
    }
    let ends: BTreeMap<u64, u64> = history.states_at_end.iter().copied().collect();
    let mut state = State::new(options.settings.clone());
    let mut promises = Promises::new(&options.settings);
    let mut reported = 0;
    let first = history.log.keys().next().copied().unwrap_or(0);
    for (expected, (index, applied)) in (first..).zip(&history.log) {
        if expected != *index {
            found.push(Finding::new(Kind::Replicas, format!("nobody has applied entry {expected}, and somebody entry {index}")));
            return found;
        }
        if let Some(members) = &applied.members {
            state.set_members(members.clone());
        }
        if let Some((said, at)) = &applied.said {
            let before = promises.before(&state, said);
            let revision = state.revision();
            let response = apply(&mut state, said, *at);
            if applied.reply.as_ref() != Some(&response.answer) {
                let what = difference(&format!("{:?}", applied.reply), &format!("{:?}", Some(&response.answer)));
                let detail =
                    format!("entry {index}, {} of {}: a replay replies otherwise: {what}", said.request.request_id, said.principal);
                found.push(Finding::new(Kind::Replicas, detail));
            }
            watched(history, revision, &state, &mut found);
            // A retry does nothing but repeat the first answer: in the books it must not happen again.
            let is_retry = history.place_of(&said.principal, &said.request.request_id).is_some_and(|place| place < *index);
            if is_retry && !response.changed.is_empty() {
                let detail = format!("entry {index}, a retry of {} of {}, changed the ledger", said.request.request_id, said.principal);
                found.push(Finding::new(Kind::Linearizability, detail));
            }
            if !is_retry {
                promises.after(*index, &state, said, before, &response, &mut found);
            }
            let broken = picket_state_machine::check(&state);
            // What stays broken is said once.
            for (invariant, why) in broken.iter().skip(reported) {
                found.push(Finding::new(Kind::Invariant(*invariant), format!("after entry {index}: {why}")));
            }
            reported = broken.len();
        }
        for (what, known) in [("", history.states.get(index)), (" in the end", ends.get(index))] {
            if let Some(known) = known
                && *known != digest_of(&state)
            {
                let detail = format!("after entry {index} a node{what} holds another state than a replay");
                found.push(Finding::new(Kind::Replicas, detail));
            }
        }
        for (asked, digest) in reads.get(index).into_iter().flatten() {
            let now = match asked {
                Asked::Entries(settled_max) => digest_of(&state.entries(*settled_max)),
                Asked::Status | Asked::Submit { .. } => digest_of(&state.status()),
            };
            if *digest != now {
                let detail = format!("{asked:?} after entry {index} showed something else than a replay");
                found.push(Finding::new(Kind::Linearizability, detail));
            }
        }
        for write in landed.iter().filter(|write| write.index == *index) {
            found.extend(may_land(&state, write));
        }
        if found.len() > 10 {
            break;
        }
    }
    found
}

/// A write lands only while its claim holds its scopes and nobody has been told that nothing of it is on its way.
fn may_land(state: &State, write: &Landed) -> Option<Finding> {
    let (id, at_ms) = (&write.entry, write.at_ms);
    let broken = |invariant, why: String| Some(Finding::new(Kind::Invariant(invariant), format!("{id} landed at {at_ms} ms: {why}")));
    let Some(entry) = state.entry(id).filter(|entry| entry.waits_for_fence()) else {
        return broken(Invariant::I6, "its fence was confirmed before, or it was never claimed".to_owned());
    };
    let passed_on = entry.tokens.keys().find_map(|scope| state.lease(scope).filter(|lease| lease.holder != id.as_str()));
    if let Some(lease) = passed_on {
        return broken(Invariant::I1, format!("{} has passed to {}", lease.scope, lease.holder));
    }
    let stop = state.status().stop;
    if stop.set && !stop.stopping {
        return broken(Invariant::I9, format!("STOP {} is shown as done", stop.epoch));
    }
    None
}

/// What watchers saw of the revisions that one command made.
fn watched(history: &History, before: u64, state: &State, found: &mut Vec<Finding>) {
    let (changes, _) = state.changes_after(before, usize::MAX);
    for (revision, entry) in changes {
        if history.watched.get(&revision).is_some_and(|seen| *seen != digest_of(&entry)) {
            let detail = format!("a watcher saw another entry at revision {revision} than a replay makes");
            found.push(Finding::new(Kind::Linearizability, detail));
        }
    }
}
