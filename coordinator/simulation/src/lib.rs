//! The coordinator in a deterministic simulation: its real state machine, log, API and Raft on a runtime, disk and network of this crate.
//!
//! One seed decides everything: the order of ready tasks, delays, losses, crashes, what a power failure leaves of unsynced writes, clock
//! jumps, and what the callers ask. The same seed gives the same trace, byte for byte (docs/decisions/0006).

pub mod actors;
mod campaign;
mod checks;
pub mod client;
mod disk;
pub mod executor;
mod finding;
mod happened;
pub mod history;
mod host;
#[cfg(test)]
mod log_tests;
mod nemesis;
mod network;
mod options;
mod run;
mod runtime;
mod trace;
pub mod world;

pub use campaign::{Summary, run_all, run_seeds};
pub use finding::{Finding, Kind};
pub use happened::{Happened, Happening};
pub use options::Options;
pub use run::{Cast, Outcome, run_seed, run_seed_of};
pub use world::World;
