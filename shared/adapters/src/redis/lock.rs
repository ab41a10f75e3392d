//! One key per scope with the holder's name and a time to live; every change is a script that looks at the name first.

use super::connection::{Connection, RedisError};
use crate::outer_lock::{Access, LockSettings, Tenures, scope_key, stopwatch};
use picket_core::ports::{OuterGrant, OuterLock, PortResult};
use picket_core::scope::Scope;
use std::fmt;
use std::sync::Arc;

/// Takes the key when it is free, prolongs it when it is the same holder's.
const ACQUIRE: &str = "local held = redis.call('GET', KEYS[1])
if not held then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
if held == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

/// Prolongs the holder's own key.
const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

/// Deletes the holder's own key.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

struct Inner {
    connection: Connection,
    tenures: Tenures,
    key_prefix: String,
}

/// An [`OuterLock`] on one Redis server: `SET key holder PX ttl` while it is free, as most automation locks in Redis. It has no fencing value:
/// a number kept in Redis would be lost with the lock.
#[derive(Clone)]
pub struct RedisLock {
    inner: Arc<Inner>,
}

impl fmt::Debug for RedisLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLock").field("server", &self.inner.connection.name()).finish_non_exhaustive()
    }
}

impl RedisLock {
    /// A lock at `redis://HOST:PORT/DATABASE` (`rediss://` for TLS). Connects on the first call.
    ///
    /// # Errors
    /// When the address or a certificate cannot be read.
    pub fn new(url: &str, access: &Access, settings: LockSettings) -> Result<Self, RedisError> {
        let connection = Connection::new(url, access, settings.call_timeout)?;
        let tenures = Tenures::new(stopwatch(), settings.drift);
        Ok(Self { inner: Arc::new(Inner { connection, tenures, key_prefix: settings.key_prefix }) })
    }

    /// Names are arguments of a script and never part of one.
    async fn run(&self, script: &str, scope: &Scope, holder: &str, ttl_ms: Option<u64>) -> PortResult<bool> {
        let mut command = ::redis::cmd("EVAL");
        command.arg(script).arg(1).arg(scope_key(&self.inner.key_prefix, scope)).arg(holder);
        if let Some(ttl_ms) = ttl_ms {
            // A time to live of 0 is an error in Redis.
            command.arg(ttl_ms.max(1));
        }
        self.inner.connection.call(&command).await.map(|answer| answer == 1)
    }

    /// Runs a script that takes or prolongs, and keeps the book.
    async fn hold(&self, script: &str, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<bool> {
        let tenures = &self.inner.tenures;
        let sent_ms = tenures.send(scope, holder, ttl_ms);
        let held = self.run(script, scope, holder, Some(ttl_ms)).await?;
        if held {
            tenures.confirm(scope, holder, sent_ms, ttl_ms);
        } else {
            tenures.end(scope, holder);
        }
        Ok(held)
    }
}

impl OuterLock for RedisLock {
    async fn acquire(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<Option<OuterGrant>> {
        Ok(self.hold(ACQUIRE, scope, holder, ttl_ms).await?.then_some(OuterGrant { fence: None }))
    }

    async fn renew(&self, scope: &Scope, holder: &str, ttl_ms: u64) -> PortResult<bool> {
        self.hold(RENEW, scope, holder, ttl_ms).await
    }

    async fn release(&self, scope: &Scope, holder: &str) -> PortResult<()> {
        self.inner.tenures.end(scope, holder);
        self.run(RELEASE, scope, holder, None).await.map(|_| ())
    }

    fn remaining_ms(&self, scope: &Scope, holder: &str) -> u64 {
        self.inner.tenures.remaining_ms(scope, holder)
    }
}
