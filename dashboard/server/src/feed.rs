//! The page's data as they change: the newest snapshot, and a bounded ring of numbered changes to resume from.

use crate::delta;
use crate::wire::Snapshot;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Changes kept: at two a second, more than eight minutes of a sleeping laptop.
const RING_MAX: usize = 1024;

/// What a reader gets who has seen everything up to some number.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// Everything: the reader is new, or has slept too long.
    Whole(u64, Arc<Snapshot>),
    /// Only what came after, in order: number and JSON of a change.
    Changes(Vec<(u64, Arc<str>)>),
}

struct Inner {
    snapshot: Arc<Snapshot>,
    ring: VecDeque<(u64, Arc<str>)>,
}

/// Takes snapshots, gives changes.
pub struct Feed {
    inner: Mutex<Inner>,
    newest: watch::Sender<u64>,
    first: u64,
}

impl Feed {
    /// Numbers start after `first`. Give it the time: numbers of an earlier process are then lower than all of this one's,
    /// so a reader who resumes across a restart gets everything.
    #[must_use]
    pub fn new(first: u64, snapshot: Snapshot) -> Self {
        Self { inner: Mutex::new(Inner { snapshot: Arc::new(snapshot), ring: VecDeque::new() }), newest: watch::Sender::new(first), first }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock leaves whole values behind: both fields are replaced, not edited.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner().snapshot.clone()
    }

    /// Takes a newer snapshot and numbers what changed.
    pub fn publish(&self, snapshot: Snapshot) {
        let mut inner = self.inner();
        let Some(delta) = delta::between(&inner.snapshot, &snapshot) else { return };
        let Ok(json) = serde_json::to_string(&delta) else { return };
        let number = *self.newest.borrow() + 1;
        inner.snapshot = Arc::new(snapshot);
        inner.ring.push_back((number, json.into()));
        while inner.ring.len() > RING_MAX {
            inner.ring.pop_front();
        }
        drop(inner);
        self.newest.send_replace(number);
    }

    /// What a reader misses who has seen everything up to `seen`.
    #[must_use]
    pub fn since(&self, seen: Option<u64>) -> Page {
        let inner = self.inner();
        let newest = inner.ring.back().map_or(self.first, |(number, _)| *number);
        let oldest = inner.ring.front().map_or(newest + 1, |(number, _)| *number);
        match seen {
            Some(seen) if seen <= newest && seen + 1 >= oldest => {
                Page::Changes(inner.ring.iter().filter(|(number, _)| *number > seen).cloned().collect())
            }
            _ => Page::Whole(newest, inner.snapshot.clone()),
        }
    }

    /// Rises with every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Clock;

    fn at(now_ms: i64) -> Snapshot {
        Snapshot { clock: Clock { now_ms, ..Clock::default() }, ..Snapshot::default() }
    }

    fn numbers(page: Page) -> Vec<u64> {
        match page {
            Page::Changes(changes) => changes.into_iter().map(|(number, _)| number).collect(),
            Page::Whole(..) => panic!("expected changes"),
        }
    }

    #[test]
    fn a_reader_resumes_where_it_was() {
        let feed = Feed::new(1000, at(0));
        assert_eq!(feed.since(None), Page::Whole(1000, Arc::new(at(0))));
        for now in 1..=3 {
            feed.publish(at(now));
        }
        feed.publish(at(3));
        assert_eq!(numbers(feed.since(Some(1000))), [1001, 1002, 1003]);
        assert_eq!(numbers(feed.since(Some(1002))), [1003]);
        assert!(numbers(feed.since(Some(1003))).is_empty());
        assert_eq!(*feed.watch().borrow(), 1003);
    }

    #[test]
    fn a_reader_of_an_earlier_process_or_from_the_future_gets_everything() {
        let feed = Feed::new(1000, at(0));
        feed.publish(at(1));
        for seen in [0, 998, 1002, u64::MAX - 1] {
            assert!(matches!(feed.since(Some(seen)), Page::Whole(1001, _)), "{seen}");
        }
    }

    #[test]
    fn the_ring_is_bounded() {
        let feed = Feed::new(0, at(0));
        for now in 1..=(RING_MAX as i64 + 50) {
            feed.publish(at(now));
        }
        assert!(matches!(feed.since(Some(10)), Page::Whole(..)));
        assert_eq!(numbers(feed.since(Some(RING_MAX as u64 + 48))).len(), 2);
    }
}
