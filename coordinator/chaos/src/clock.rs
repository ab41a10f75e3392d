//! One clock for every process of a run: it never goes back, and nobody sets it.

use nix::time::{ClockId, clock_gettime};
use picket_core::time::Timestamp;

/// Microseconds since the machine started.
#[must_use]
pub fn now_us() -> u64 {
    // CLOCK_MONOTONIC is there on every Linux; without it nothing here means anything.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() as u64 * 1_000_000 + t.tv_nsec() as u64 / 1_000)
}

/// What the nodes propose as the time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp((now_us() / 1_000) as i64)
}
