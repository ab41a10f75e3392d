//! Is there an order of the calls, each between its beginning and its end, that the lock could have gone through?
//!
//! Wing and Gong's search with Lowe's memory of what was tried: a call may come next if none that is left had ended before it began. A call
//! without an answer may come anywhere after its beginning, or not at all, so it is tried only after those that must find a place. Linearizability is
//! local: each scope is searched by itself.
//!
//! Three things keep the search short and lose no order. A call that may come next and leaves the lock as it is, comes next: nothing is gained
//! by waiting. Of the takes without an answer that have begun, one is as good as another, so the oldest stands for all. And what was tried is
//! remembered by the calls *with* an answer that were placed, and the lock: who came there with fewer takes of the other kind can do all that
//! others can (a release without an answer counts for its own token only, which never comes back).

use crate::history::{Asked, Operation};
use crate::lock_model::Lock;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// More than any history of a run needs that is in order.
pub const STEPS_MAX: u64 = 5_000_000;

/// What the search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is an order; how many steps it took to find it.
    Order {
        /// Calls that were tried.
        steps: u64,
    },
    /// There is none. As far as it went at best, and the calls that could not come next.
    None {
        /// Calls that had their place.
        placed: usize,
        /// The lock then.
        lock: Lock,
        /// What could not come next.
        stuck: Vec<Operation>,
    },
    /// Not known after [`STEPS_MAX`] steps.
    GaveUp,
}

/// One scope's calls, as the search walks over them.
struct Search<'a> {
    operations: &'a [Operation],
    /// Drawn for each call with an answer: their sum stands for the set of those placed.
    marks: Vec<u64>,
    placed: Vec<bool>,
    /// Nothing before this is left.
    first: usize,
    /// Sum of the marks of the placed.
    set: u64,
    /// Takes without an answer that were placed.
    silent_takes: usize,
}

/// A choice that can be taken back.
struct Choice {
    operation: usize,
    before: Lock,
    first: usize,
    left: Vec<usize>,
}

/// Whether it is a take that nobody heard of again.
fn is_silent_take(operation: &Operation) -> bool {
    operation.asked == Asked::Take && !operation.is_known()
}

impl Search<'_> {
    /// What is tried next: those with an answer first, the soonest ended first.
    fn candidates(&self, lock: Lock) -> Vec<usize> {
        let mut until_us = u64::MAX;
        let mut found = Vec::new();
        // In order of their beginnings, so nothing after one that began too late can begin in time.
        for index in self.first..self.operations.len() {
            let operation = &self.operations[index];
            if operation.began_us > until_us {
                break;
            }
            if !self.placed[index] {
                until_us = until_us.min(operation.ended_us);
                found.push(index);
            }
        }
        found.retain(|index| self.operations[*index].began_us <= until_us);
        let changes_nothing = |operation: &Operation| operation.is_known() && lock.after(operation) == Some(lock);
        if let Some(at_once) = found.iter().find(|index| changes_nothing(&self.operations[**index])) {
            return vec![*at_once];
        }
        let mut silent_takes = 0;
        found.retain(|index| {
            silent_takes += usize::from(is_silent_take(&self.operations[*index]));
            !is_silent_take(&self.operations[*index]) || silent_takes == 1
        });
        // The last is tried first.
        found.sort_by_key(|index| {
            let operation = &self.operations[*index];
            (operation.is_known(), std::cmp::Reverse(operation.ended_us))
        });
        found
    }

    fn place(&mut self, index: usize) {
        self.placed[index] = true;
        self.set = self.set.wrapping_add(self.marks[index]);
        self.silent_takes += usize::from(is_silent_take(&self.operations[index]));
        while self.placed.get(self.first) == Some(&true) {
            self.first += 1;
        }
    }

    fn take_back(&mut self, choice: &Choice) {
        self.placed[choice.operation] = false;
        self.set = self.set.wrapping_sub(self.marks[choice.operation]);
        self.silent_takes -= usize::from(is_silent_take(&self.operations[choice.operation]));
        self.first = choice.first;
    }

    fn digest(&self, lock: &Lock) -> (u64, u64) {
        let mut hasher = DefaultHasher::new();
        (self.set, lock).hash(&mut hasher);
        (self.set, hasher.finish())
    }
}

/// Searches for an order of one scope's calls.
#[must_use]
pub fn search(mut operations: Vec<Operation>) -> Found {
    operations.sort_by_key(|o| (o.began_us, o.ended_us));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut search = Search {
        operations: &operations,
        marks: operations.iter().map(|o| if o.is_known() { rng.random() } else { 0 }).collect(),
        placed: vec![false; operations.len()],
        first: 0,
        set: 0,
        silent_takes: 0,
    };
    let mut known_left = operations.iter().filter(|o| o.is_known()).count();
    let mut lock = Lock::default();
    let mut tried: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut taken: Vec<Choice> = Vec::new();
    let mut left = search.candidates(lock);
    let mut best = (0, lock, left.clone());
    let mut steps = 0;
    loop {
        if known_left == 0 {
            return Found::Order { steps };
        }
        let Some(next) = left.pop() else {
            let Some(choice) = taken.pop() else {
                let stuck = best.2.iter().map(|index| operations[*index]).collect();
                return Found::None { placed: best.0, lock: best.1, stuck };
            };
            search.take_back(&choice);
            known_left += usize::from(operations[choice.operation].is_known());
            (lock, left) = (choice.before, choice.left);
            continue;
        };
        steps += 1;
        if steps > STEPS_MAX {
            return Found::GaveUp;
        }
        let Some(after) = lock.after(&operations[next]) else { continue };
        let first = search.first;
        search.place(next);
        let choice = Choice { operation: next, before: lock, first, left: std::mem::take(&mut left) };
        let fewest = tried.entry(search.digest(&after)).or_insert(usize::MAX);
        let was_tried = *fewest <= search.silent_takes;
        *fewest = (*fewest).min(search.silent_takes);
        if was_tried {
            search.take_back(&choice);
            left = choice.left;
            continue;
        }
        known_left -= usize::from(operations[next].is_known());
        taken.push(choice);
        lock = after;
        left = search.candidates(lock);
        if taken.len() > best.0 {
            best = (taken.len(), lock, left.clone());
        }
    }
}
