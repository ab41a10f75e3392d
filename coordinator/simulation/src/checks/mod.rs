//! The verdict over a run, from what was seen of it and a replay of its log.
//!
//! Why this shows linearizability. Every acknowledged command stands in one log, which all replicas applied alike (`history`), so the log
//! is a sequential order of the commands. If (1) that order agrees with real time - a call that began after another had ended stands
//! after it, and a read shows a state that is not older than anything told before it began (`order`) - and (2) every answer is the one
//! that a sequential replay gives at that place (`replay`, `answers`), then the log, with each read put after the entry that it saw, is a
//! legal sequential history that agrees with real time: that is the definition. A call without an answer may stand anywhere after its
//! beginning, or nowhere; both are allowed, and the log itself says which it was. No search is needed, since the log is the witness.

mod answers;
mod fleet;
mod order;
mod promises;
mod replay;

use crate::history::History;
use crate::options::Options;
use crate::run::SETTLE_MS;
use crate::world::World;

/// Adds to the history's findings whatever does not hold.
pub fn check(history: &mut History, options: &Options, world: &World) {
    let mut found = order::check(history);
    found.extend(answers::check(history, &world.key));
    found.extend(replay::check(history, options, &world.fleet().landed));
    found.extend(fleet::check(history, &world.fleet()));
    found.extend(order::check_liveness(history, SETTLE_MS));
    for finding in found {
        history.find(finding.kind, finding.detail);
    }
}
