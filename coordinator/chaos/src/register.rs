//! Where the work is done: a register that remembers the highest token it took and refuses every lower one.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A write that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// By which lease.
    pub token: u64,
    /// Whose.
    pub client: u32,
    /// What was written.
    pub value: u64,
}

/// An access that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By which lease.
    pub token: u64,
    /// Whose.
    pub client: u32,
    /// The highest token that it had taken by then.
    pub highest: u64,
    /// When.
    pub at_us: u64,
}

/// What a register has seen.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The highest token it took.
    pub highest: u64,
    /// What was written last.
    pub value: u64,
    /// Every write that it took, in order.
    pub taken: Vec<Taken>,
    /// What it refused.
    pub refused: Vec<Refused>,
}

/// A fenced register.
#[derive(Debug, Default)]
pub struct Register(Mutex<Contents>);

impl Register {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fenced<T>(&self, client: u32, token: u64, at_us: u64, access: impl FnOnce(&mut Contents) -> T) -> Option<T> {
        let mut contents = self.contents();
        if token < contents.highest {
            let highest = contents.highest;
            contents.refused.push(Refused { token, client, highest, at_us });
            return None;
        }
        contents.highest = token;
        Some(access(&mut contents))
    }

    /// The value; from now on lower tokens are refused. Nothing when this one is.
    pub fn read(&self, client: u32, token: u64, at_us: u64) -> Option<u64> {
        self.fenced(client, token, at_us, |contents| contents.value)
    }

    /// Writes. False when the token is too low.
    pub fn write(&self, client: u32, token: u64, value: u64, at_us: u64) -> bool {
        let written = self.fenced(client, token, at_us, |contents| {
            contents.value = value;
            contents.taken.push(Taken { token, client, value });
        });
        written.is_some()
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Contents {
        self.contents().clone()
    }
}
