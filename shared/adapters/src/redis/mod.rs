//! The outer lock on one Redis server.

mod connection;
mod lock;
#[cfg(test)]
mod tests;

pub use connection::RedisError;
pub use lock::RedisLock;

/// What is weaker about this lock than about etcd's; said when a role starts with it.
pub const WEAKER_PROMISE: &str = "the outer lock on Redis promises less than etcd's: one server, replicated without waiting, so after a failover or \
    a restart without its data two holders may have the same lock; safety still rests on the raft ledger alone";
