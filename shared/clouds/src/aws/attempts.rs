//! What this process knows of its own writes: nobody else can have sent them.
//!
//! A claim is granted to one process and leaves it in no form. So where that process was told a clear no, or stopped before it sent, it
//! knows for good that the claim had no effect, without waiting for signatures to expire. A crash forgets all of it.

use picket_core::ids::EntryId;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Claims under way at once are a handful; older ones were proven long ago.
const KEPT_MAX: usize = 256;

/// The claims that this process has tried, and how they ended.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    tried: Mutex<VecDeque<Attempt>>,
}

#[derive(Debug)]
struct Attempt {
    entry: EntryId,
    /// Until this is known, its write may have landed.
    without_effect: bool,
}

impl Attempts {
    /// A claim is tried. `false` when it was before: it is not tried twice.
    pub(super) fn begin(&self, entry: &EntryId) -> bool {
        let mut tried = self.lock();
        if tried.iter().any(|attempt| attempt.entry == *entry) {
            return false;
        }
        if tried.len() == KEPT_MAX {
            tried.pop_front();
        }
        tried.push_back(Attempt { entry: entry.clone(), without_effect: false });
        true
    }

    /// Its only try came to an end, and the effect was not sent or was turned away.
    pub(super) fn had_no_effect(&self, entry: &EntryId) {
        if let Some(attempt) = self.lock().iter_mut().find(|attempt| attempt.entry == *entry) {
            attempt.without_effect = true;
        }
    }

    /// Whether that is known of it.
    pub(super) fn is_without_effect(&self, entry: &EntryId) -> bool {
        self.lock().iter().any(|attempt| attempt.entry == *entry && attempt.without_effect)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Attempt>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_tried_once_and_known_by_its_end() {
        let (attempts, entry) = (Attempts::default(), EntryId::from("act-1"));
        attempts.had_no_effect(&entry);
        assert!(!attempts.is_without_effect(&entry), "nothing is known of what was not tried here");
        assert!(attempts.begin(&entry));
        assert!(!attempts.is_without_effect(&entry), "while it lasts, it may have had one");
        attempts.had_no_effect(&entry);
        assert!(attempts.is_without_effect(&entry));
        assert!(!attempts.begin(&entry));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let attempts = Attempts::default();
        for i in 0..=KEPT_MAX {
            assert!(attempts.begin(&format!("act-{i}").into()));
            attempts.had_no_effect(&format!("act-{i}").into());
        }
        assert!(!attempts.is_without_effect(&"act-0".into()));
        assert!(attempts.is_without_effect(&format!("act-{KEPT_MAX}").into()));
    }
}
