//! Bytes that no friend would send: real messages, changed where it hurts, and plain garbage.

mod corpus;
mod json;
mod memory;
mod messages;
mod mutator;
mod panics;

pub use corpus::{Said, requests};
pub use memory::resident_mb;
pub use messages::{Message, frame, greeting, messages};
pub use mutator::Mutator;
pub use panics::Panics;

use rand::{RngExt as _, SeedableRng as _};
use std::hash::{BuildHasher as _, RandomState};

/// Inputs from these seeds are tried in every run.
pub const SEEDS: [u64; 3] = [1, 2, 3];

/// Those, and one that was never tried.
#[must_use]
pub fn seeds() -> Vec<u64> {
    let fresh = rand::rngs::SmallRng::seed_from_u64(RandomState::new().hash_one(0)).random_range(0..1 << 40);
    SEEDS.into_iter().chain([fresh]).collect()
}
