//! What an entry's writes are, and what a reading of their targets tells about them.

use crate::id::Id;
use crate::setup::{SINKS, Setup, is_undo, parent_of, value};
use crate::sink::Reading;
use crate::state::State;

/// One write: to which target, and what it leaves there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The target.
    pub sink: u8,
    /// What it leaves.
    pub content: u8,
}

/// An entry's writes, in order: an act's own, or for an undo one for each target that its parent changed.
pub fn writes_of(setup: &Setup, s: &State, slot: u8) -> impl Iterator<Item = Write> + Clone {
    let targets = setup.act(slot).writes;
    let parent = if is_undo(slot) { s.coordinator.entries[parent_of(slot) as usize] } else { None };
    let undo = is_undo(slot);
    (0..targets.len()).filter_map(move |write| {
        let sink = targets[write];
        if !undo {
            return Some(Write { sink, content: value(slot, write as u8) });
        }
        let parent = parent?;
        let again = targets[..write].contains(&sink);
        let landed = (0..targets.len()).any(|w| targets[w] == sink && parent.landed & (1 << w) != 0);
        let before = parent.claim?.before[sink as usize];
        (landed && !again).then_some(Write { sink, content: before.content })
    })
}

/// What a target says after the parent's writes that landed: the receipt's after-value.
#[must_use]
pub fn after_value(setup: &Setup, s: &State, parent: u8, sink: u8) -> Option<u8> {
    let landed = s.coordinator.entries[parent as usize]?.landed;
    let targets = setup.act(parent).writes;
    (0..targets.len() as u8).rev().find(|w| targets[*w as usize] == sink && landed & (1 << w) != 0).map(|w| value(parent, w))
}

/// What the targets tell of an entry's writes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Writes that landed, as bits.
    pub landed: u8,
    /// Some of them only by content equal to the target.
    pub by_content: bool,
    /// The first write that was not seen.
    pub missing: Option<u8>,
}

/// Reads all targets of an entry: the stamp, or content equal to the target, shows a write.
#[must_use]
pub fn look(setup: &Setup, s: &State, id: Id) -> Seen {
    let mut seen = Seen { landed: 0, by_content: false, missing: None };
    let writes = writes_of(setup, s, id.slot);
    for (index, write) in writes.clone().enumerate() {
        let target = s.sinks[write.sink as usize];
        let stamped = target.stamp.is_some_and(|stamp| stamp.looks_like(id, setup.rules));
        // Of several writes to one target the stamp shows the first; the last must be seen in the content.
        let follows = writes.clone().take(index).any(|w| w.sink == write.sink);
        let last = writes.clone().filter(|w| w.sink == write.sink).last();
        if last.is_some_and(|w| target.content == w.content) || (stamped && !follows) {
            seen.landed |= 1 << index;
            seen.by_content |= !stamped;
        } else if seen.missing.is_none() {
            seen.missing = Some(index as u8);
        }
    }
    seen
}

/// No target has changed in substance since it was read.
#[must_use]
pub fn unchanged_since(s: &State, sink: u8, before: &[Reading; SINKS]) -> bool {
    s.sinks[sink as usize].generation == before[sink as usize].generation
}
