//! What the outer locks have in common: names of keys, the holder's own count of its time, access to a server.

mod access;
#[cfg(test)]
pub mod conformance;
mod key;
#[cfg(test)]
pub mod server_child;
mod tenure;
#[cfg(test)]
pub mod test_pki;

pub use access::{Access, AccessError};
pub use key::scope_key;
pub use tenure::{Stopwatch, Tenures, stopwatch};

use std::time::Duration;

/// What every outer lock is told.
#[derive(Clone, Debug, PartialEq)]
pub struct LockSettings {
    /// What its keys begin with, without a slash at the end.
    pub key_prefix: String,
    /// Deadline of one call, whatever number of servers it asks.
    pub call_timeout: Duration,
    /// Drift between the server's clock and this machine's, ratio 0..1: so much of a TTL is not counted on.
    pub drift: f64,
}

impl Default for LockSettings {
    fn default() -> Self {
        Self { key_prefix: "picket/locks".to_owned(), call_timeout: Duration::from_secs(2), drift: 0.01 }
    }
}
