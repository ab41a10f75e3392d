//! The outer lock on an etcd cluster, by its JSON gateway (docs/decisions/0004-etcd-without-protoc.md).

mod gateway;
mod lock;
#[cfg(test)]
mod tests;

pub use gateway::EtcdError;
pub use lock::EtcdLock;
