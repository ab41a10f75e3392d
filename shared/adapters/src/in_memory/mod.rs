//! Ports without an outside system, for tests and one-process runs. Same conformance suites as the real adapters.

mod audit;
mod bus;
mod lock;

pub use audit::InMemoryAuditLog;
pub use bus::InMemoryBus;
pub use lock::{InMemoryLockServer, InMemoryOuterLock};
