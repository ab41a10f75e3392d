//! Adapters: one folder per outside system, each the implementation of a port of `picket_core`.

pub mod calendar;
pub mod candle;
pub mod clock;
pub mod conformance;
pub mod etcd;
pub mod in_memory;
pub mod journal;
pub mod kubernetes;
pub mod model;
pub mod nats;
pub mod otlp;
pub mod outer_lock;
#[cfg(feature = "redis")]
pub mod redis;
pub mod replay;
pub mod sqlite;
