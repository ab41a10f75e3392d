//! Fencing tokens: one counter for all scopes, so that a token rises on every scope even when its own past is forgotten.

use picket_core::scope::FencingToken;
use serde::{Deserialize, Serialize};

/// Tokens of one life are spent a million before its counter ends: a restore from backup begins a new one.
pub(crate) const COUNTER_MAX: u64 = (1 << FencingToken::COUNTER_BITS) - (1 << 20);
/// Ids sort by age up to here.
pub(crate) const RESTORE_EPOCH_MAX: u64 = 9_999;

/// `restore_epoch << 40 | counter` (I2).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    restore_epoch: u64,
    counter: u64,
}

impl Tokens {
    /// The tokens of a new life: every one is above every one before it.
    pub(crate) const fn restored(restore_epoch: u64) -> Self {
        Self { restore_epoch, counter: 0 }
    }

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

    /// Nothing new may be asked for; what is under way still finds a token.
    pub(crate) const fn are_spent(self) -> bool {
        self.counter >= COUNTER_MAX
    }

    #[cfg(test)]
    pub(crate) const fn spend_nearly_all(&mut self) {
        self.counter = COUNTER_MAX;
    }
}
