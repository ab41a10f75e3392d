//! Load on a lease service: one client program, whatever service it speaks to.

mod cycles;
mod failover;
mod fill;
mod latencies;

pub use cycles::{CycleReport, Load, run_cycles};
pub use failover::{FailoverReport, measure_failover};
pub use fill::{FillReport, fill};

use std::future::Future;

/// What is measured. Each client of a load has one of its own; what they share (connections) is theirs to share.
pub trait LeaseService: Send + Sync + 'static {
    /// What a release needs to know of its acquire.
    type Held: Send;

    /// Takes a name that nobody holds. An error leaves open whether it is held now.
    fn acquire(&self, name: &str) -> impl Future<Output = Result<Self::Held, String>> + Send;

    /// Gives it back.
    fn release(&self, name: &str, held: Self::Held) -> impl Future<Output = Result<(), String>> + Send;
}
