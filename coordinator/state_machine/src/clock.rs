//! The replicated clock: the highest time that any leader has proposed.

use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// It never goes back: a new leader whose clock is behind stands still until it has caught up, so no lease is lengthened twice.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    now: Timestamp,
}

impl Clock {
    pub(crate) const fn now(self) -> Timestamp {
        self.now
    }

    pub(crate) fn advance(&mut self, proposed: Timestamp) {
        self.now = self.now.max(proposed);
    }
}
