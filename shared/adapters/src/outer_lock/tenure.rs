//! The holder's own count of its time: what it may rely on without asking anybody.

use picket_core::scope::Scope;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Milliseconds since some beginning; never goes back, whatever is done to the wall clock.
pub type Stopwatch = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A stopwatch on the machine's monotonic clock.
#[must_use]
pub fn stopwatch() -> Stopwatch {
    let started = Instant::now();
    Arc::new(move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
}

type Key = (Scope, String);

/// Until when each lock surely is held, by what the server confirmed.
pub struct Tenures {
    stopwatch: Stopwatch,
    drift: f64,
    until_ms: Mutex<BTreeMap<Key, u64>>,
}

impl fmt::Debug for Tenures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenures").field("drift", &self.drift).field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}

impl Tenures {
    /// None held. `drift`: ratio 0..1 of a TTL that is not counted on.
    #[must_use]
    pub fn new(stopwatch: Stopwatch, drift: f64) -> Self {
        Self { stopwatch, drift, until_ms: Mutex::default() }
    }

    /// To be called before a request for `ttl_ms` is sent; what it gives goes to [`Tenures::confirm`].
    ///
    /// From here on the server may have shortened the lock to this TTL, even if its answer is lost.
    #[must_use]
    pub fn send(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> u64 {
        let sent_ms = (self.stopwatch)();
        let end_ms = self.end_ms(sent_ms, ttl_ms);
        if let Some(until_ms) = self.lock().get_mut(&key(scope, holder)) {
            *until_ms = end_ms.min(*until_ms);
        }
        sent_ms
    }

    /// The server said yes to what was sent at `sent_ms`.
    pub fn confirm(&self, scope: &Scope, holder: &str, sent_ms: u64, ttl_ms: u64) {
        let now_ms = (self.stopwatch)();
        let mut held = self.lock();
        // Locks that were never given back end here: the book stays as small as what is held.
        held.retain(|_, until_ms| *until_ms > now_ms);
        held.insert(key(scope, holder), self.end_ms(sent_ms, ttl_ms));
    }

    /// It is lost, or about to be given back.
    pub fn end(&self, scope: &Scope, holder: &str) {
        self.lock().remove(&key(scope, holder));
    }

    /// For how long it may still be counted on; 0 when it may not.
    #[must_use]
    pub fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64 {
        let now_ms = (self.stopwatch)();
        self.lock().get(&key(scope, holder)).map_or(0, |until_ms| until_ms.saturating_sub(now_ms))
    }

    fn end_ms(&self, sent_ms: u64, ttl_ms: u64) -> u64 {
        sent_ms.saturating_add((ttl_ms as f64 * (1.0 - self.drift)).floor() as u64)
    }

    /// A writer that panicked left a whole map behind: every change is one call of it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, u64>> {
        self.until_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(scope: &Scope, holder: &str) -> Key {
    (scope.clone(), holder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn scope() -> Scope {
        Scope::Cluster("east".into())
    }

    fn book() -> (Arc<AtomicU64>, Tenures) {
        let now = Arc::new(AtomicU64::new(5_000));
        let read = Arc::clone(&now);
        (now, Tenures::new(Arc::new(move || read.load(Ordering::SeqCst)), 0.1))
    }

    #[test]
    fn time_counts_from_the_sending_less_the_drift() {
        let (now, book) = book();
        let sent_ms = book.send(&scope(), "a", 1_000);
        assert_eq!(book.remaining_ms(&scope(), "a"), 0, "nothing is confirmed yet");
        now.store(5_300, Ordering::SeqCst);
        book.confirm(&scope(), "a", sent_ms, 1_000);
        assert_eq!(book.remaining_ms(&scope(), "a"), 600, "0.9 of the TTL, less the 300 ms that the answer took");
        assert_eq!(book.remaining_ms(&scope(), "b"), 0);
        now.store(5_900, Ordering::SeqCst);
        assert_eq!(book.remaining_ms(&scope(), "a"), 0);
        now.store(9_000, Ordering::SeqCst);
        assert_eq!(book.remaining_ms(&scope(), "a"), 0, "and it never comes back by itself");
    }

    #[test]
    fn an_unanswered_request_for_less_time_counts_as_done_and_one_for_more_as_not() {
        let (_now, book) = book();
        let sent_ms = book.send(&scope(), "a", 1_000);
        book.confirm(&scope(), "a", sent_ms, 1_000);
        let _unanswered = book.send(&scope(), "a", 10_000);
        assert_eq!(book.remaining_ms(&scope(), "a"), 900);
        let _unanswered = book.send(&scope(), "a", 100);
        assert_eq!(book.remaining_ms(&scope(), "a"), 90);
    }

    #[test]
    fn what_is_over_leaves_the_book() {
        let (now, book) = book();
        book.confirm(&scope(), "a", 5_000, 1_000);
        book.confirm(&scope(), "b", 5_000, 1_000);
        book.end(&scope(), "b");
        assert_eq!(book.remaining_ms(&scope(), "b"), 0);
        now.store(7_000, Ordering::SeqCst);
        book.confirm(&scope(), "c", 7_000, 1_000);
        assert_eq!(book.lock().len(), 1);
    }
}
