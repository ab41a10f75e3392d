//! An outer lock in memory: for tests and virtual time.

use crate::outer_lock::{Stopwatch, Tenures};
use picket_core::ports::{OuterGrant, OuterLock, PortError, PortResult};
use picket_core::scope::Scope;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct Held {
    holder: String,
    fence: u64,
    until_ms: u64,
}

#[derive(Debug, Default)]
struct Server {
    held: BTreeMap<Scope, Held>,
    fences: u64,
    stopped: bool,
}

/// A lock server in memory. Clones are the same server.
#[derive(Clone)]
pub struct InMemoryLockServer {
    server: Arc<Mutex<Server>>,
    stopwatch: Stopwatch,
}

impl fmt::Debug for InMemoryLockServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryLockServer").field("server", &self.server).finish_non_exhaustive()
    }
}

impl InMemoryLockServer {
    /// Nothing is locked. Time is what `stopwatch` says.
    #[must_use]
    pub fn new(stopwatch: Stopwatch) -> Self {
        Self { server: Arc::default(), stopwatch }
    }

    /// A client of its own: what one holds, another knows nothing of.
    #[must_use]
    pub fn client(&self) -> InMemoryOuterLock {
        InMemoryOuterLock { tenures: Arc::new(Tenures::new(Arc::clone(&self.stopwatch), 0.0)), server: self.clone() }
    }

    /// Takes the lock away from whoever holds it, as an administrator could.
    pub fn revoke(&self, scope: &Scope) {
        self.lock().held.remove(scope);
    }

    /// Answers no more, or again.
    pub fn set_stopped(&self, stopped: bool) {
        self.lock().stopped = stopped;
    }

    /// Who holds the scope now.
    #[must_use]
    pub fn holder(&self, scope: &Scope) -> Option<String> {
        let now_ms = (self.stopwatch)();
        self.lock().held.get(scope).filter(|held| held.until_ms > now_ms).map(|held| held.holder.clone())
    }

    /// A client that panicked left a whole map behind: every change is one call of it.
    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server, what has run out removed, and the time there; an error when it is stopped.
    fn answering(&self, scope: &Scope) -> PortResult<(MutexGuard<'_, Server>, u64)> {
        let now_ms = (self.stopwatch)();
        let mut server = self.lock();
        if server.stopped {
            return Err(PortError::Unavailable { what: "the lock server in memory".to_owned(), why: "it was stopped".to_owned() });
        }
        if server.held.get(scope).is_some_and(|held| held.until_ms <= now_ms) {
            server.held.remove(scope);
        }
        Ok((server, now_ms))
    }
}

/// A client of an [`InMemoryLockServer`].
#[derive(Clone, Debug)]
pub struct InMemoryOuterLock {
    server: InMemoryLockServer,
    tenures: Arc<Tenures>,
}

impl OuterLock for InMemoryOuterLock {
    async fn acquire(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<Option<OuterGrant>> {
        let sent_ms = self.tenures.send(scope, holder, ttl_ms);
        let (mut server, now_ms) = self.server.answering(scope)?;
        let fence = match server.held.get(scope) {
            Some(held) if held.holder != holder => {
                drop(server);
                self.tenures.end(scope, holder);
                return Ok(None);
            }
            Some(held) => held.fence,
            None => {
                server.fences += 1;
                server.fences
            }
        };
        server.held.insert(scope.clone(), Held { holder: holder.to_owned(), fence, until_ms: now_ms.saturating_add(ttl_ms) });
        drop(server);
        self.tenures.confirm(scope, holder, sent_ms, ttl_ms);
        Ok(Some(OuterGrant { fence: Some(fence) }))
    }

    async fn renew(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<bool> {
        let sent_ms = self.tenures.send(scope, holder, ttl_ms);
        let (mut server, now_ms) = self.server.answering(scope)?;
        let Some(held) = server.held.get_mut(scope).filter(|held| held.holder == holder) else {
            drop(server);
            self.tenures.end(scope, holder);
            return Ok(false);
        };
        held.until_ms = now_ms.saturating_add(ttl_ms);
        drop(server);
        self.tenures.confirm(scope, holder, sent_ms, ttl_ms);
        Ok(true)
    }

    async fn release(&self, scope: &Scope, holder: &str) -> PortResult<()> {
        self.tenures.end(scope, holder);
        let (mut server, _) = self.server.answering(scope)?;
        if server.held.get(scope).is_some_and(|held| held.holder == holder) {
            server.held.remove(scope);
        }
        Ok(())
    }

    fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64 {
        self.tenures.remaining_ms(scope, holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outer_lock::conformance::{LockBench, outer_lock};
    use crate::outer_lock::stopwatch;

    impl LockBench for InMemoryLockServer {
        type Lock = InMemoryOuterLock;

        fn ttl_ms(&self) -> u64 {
            150
        }

        fn client(&self) -> InMemoryOuterLock {
            Self::client(self)
        }

        async fn revoke(&self, scope: &Scope) {
            Self::revoke(self, scope);
        }

        async fn stop(&mut self) {
            self.set_stopped(true);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn conforms() {
        outer_lock(&mut InMemoryLockServer::new(stopwatch())).await;
    }
}
