//! The coordinator, met from outside: over mutual TLS, commands as JSON in frames, everything else over HTTP. Who speaks is decided by the
//! certificate.

mod backup;
mod client;
mod errors;
pub mod guard;
mod identity;
mod line;
mod membership;
mod once;
mod route;
mod watch;

pub use client::{ClientConfig, CoordinatorClient};
pub use guard::{LeaseGuard, LeaseOptions, Loss};
pub use watch::{LedgerWatch, WatchEvent};
