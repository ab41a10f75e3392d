//! The coordinator in a deterministic simulation: its real state machine, log, API and Raft on a runtime, disk and network of this crate.
//!
//! One seed decides everything: the order of ready tasks, delays, losses, crashes, what a power failure leaves of unsynced writes, clock
//! jumps, and what the callers ask. The same seed gives the same trace, byte for byte (docs/decisions/0006).

mod actors;
mod campaign;
mod checks;
mod client;
mod disk;
mod executor;
mod finding;
mod happened;
mod history;
mod host;
#[cfg(test)]
mod log_tests;
mod nemesis;
mod network;
mod options;
mod run;
mod runtime;
mod trace;
mod world;

pub use campaign::{Summary, run_seeds};
pub use finding::{Finding, Kind};
pub use happened::{Happened, Happening};
pub use options::Options;
pub use run::{Outcome, run_seed};
