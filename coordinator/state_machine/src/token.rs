//! Fencing tokens: one counter for all scopes, so that a token rises on every scope even when its own past is forgotten.

use picket_core::scope::FencingToken;
use serde::{Deserialize, Serialize};

/// `restore_epoch << 40 | counter` (I2).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    restore_epoch: u64,
    counter: u64,
}

impl Tokens {
    pub(crate) const fn restore_epoch(self) -> u64 {
        self.restore_epoch
    }

    /// The next token (also the next epoch of an observer or actuator: every epoch carries `restore_epoch`).
    pub(crate) const fn next(&mut self) -> FencingToken {
        self.counter += 1;
        FencingToken::new(self.restore_epoch, self.counter)
    }

    pub(crate) const fn highest(self) -> FencingToken {
        FencingToken::new(self.restore_epoch, self.counter)
    }
}
