//! Requests under ids that nobody but one call knows: once it has its answer, nobody can ask again, so the coordinator need not keep it.
//!
//! The coordinator keeps a bounded number of answers per principal, for minutes. A caller that does thousands of things a second would reach
//! that bound; so the answers that have come are named to it, many at a time, and it forgets them.

use picket_core::coordination::Command;
use picket_core::ids::RequestId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Answers that are forgotten together: few enough that thousands fit below the coordinator's bound, many enough to cost next to nothing.
const FORGET_AT: usize = 512;

/// Draws request ids, and collects those that are answered.
#[derive(Debug)]
pub(crate) struct OnceIds {
    session: String,
    count: AtomicU64,
    answered: Mutex<Vec<RequestId>>,
}

impl OnceIds {
    /// `session` must differ from that of every other client in the name of the same principal.
    pub(crate) const fn new(session: String) -> Self {
        Self { session, count: AtomicU64::new(0), answered: Mutex::new(Vec::new()) }
    }

    /// An id that was never given before.
    pub(crate) fn draw(&self) -> RequestId {
        RequestId(format!("{}-{}", self.session, self.count.fetch_add(1, Ordering::Relaxed)))
    }

    /// Its answer has come. Now and then this is the time to say so: with the command given.
    pub(crate) fn answered(&self, id: RequestId) -> Option<Command> {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.push(id);
        (answered.len() >= FORGET_AT).then(|| Command::ForgetAnswers { requests: std::mem::take(&mut *answered) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_answered_id_is_named_once() {
        let ids = OnceIds::new("s".to_owned());
        let mut drawn = BTreeSet::new();
        let mut named = Vec::new();
        for _ in 0..FORGET_AT * 3 + 1 {
            let id = ids.draw();
            assert!(drawn.insert(id.clone()), "{id} was given before");
            if let Some(Command::ForgetAnswers { requests }) = ids.answered(id) {
                assert!(requests.len() <= 1024, "the coordinator takes no more at once");
                named.extend(requests);
            }
        }
        assert_eq!(named.len(), FORGET_AT * 3);
        assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
        assert!(named.iter().all(|id| drawn.contains(id)));
    }
}
