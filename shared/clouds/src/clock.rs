//! The time that requests are signed with, and waiting for a later one.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A wall clock. Signatures and credentials live by it; tests bring their own.
pub trait Clock: Send + Sync {
    /// Seconds since the Unix epoch.
    fn now_s(&self) -> i64;
    /// Comes back after so many seconds of this clock.
    fn wait_s(&self, seconds: u64) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_s(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    fn wait_s(&self, seconds: u64) -> BoxFuture<'static, ()> {
        tokio::time::sleep(Duration::from_secs(seconds)).boxed()
    }
}
