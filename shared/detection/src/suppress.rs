//! From single breaches to an anomaly that lasts: consecutive-breach persistence with hysteresis.

use picket_core::time::Timestamp;

/// Windows without a breach until an anomaly is over.
const CLEAR_AFTER: u32 = 2;

/// Counts consecutive breaches of one thing.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    breaches: u32,
    quiet: u32,
    active: bool,
    onset: Timestamp,
    last_seen: Timestamp,
}

impl Gate {
    /// Takes one window. `needed` breaches in a row raise it; two windows without one end it. True while it is raised.
    pub fn step(&mut self, breach: bool, at: Timestamp, needed: u32) -> bool {
        if breach {
            if self.breaches == 0 && !self.active {
                self.onset = at;
            }
            self.breaches = self.breaches.saturating_add(1);
            self.quiet = 0;
            self.last_seen = at;
            self.active |= self.breaches >= needed.max(1);
        } else {
            self.breaches = 0;
            self.quiet = self.quiet.saturating_add(1);
            if self.quiet >= CLEAR_AFTER {
                self.active = false;
            }
        }
        self.active
    }

    /// True while raised.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// True from the first breach on.
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        self.active || self.breaches > 0
    }

    /// The first breach of the present row.
    #[must_use]
    pub const fn onset(&self) -> Timestamp {
        self.onset
    }

    /// The last breach.
    #[must_use]
    pub const fn last_seen(&self) -> Timestamp {
        self.last_seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flapping_never_raises_and_a_row_does() {
        let mut gate = Gate::default();
        for i in 0..50 {
            assert!(!gate.step(i % 2 == 0, Timestamp(i), 2));
        }
        gate.step(true, Timestamp(60), 3);
        gate.step(true, Timestamp(61), 3);
        assert!(gate.step(true, Timestamp(62), 3));
        assert_eq!((gate.onset(), gate.last_seen()), (Timestamp(60), Timestamp(62)));
        assert!(gate.step(false, Timestamp(63), 3), "one quiet window does not end it");
        assert!(gate.step(true, Timestamp(64), 3));
        assert_eq!(gate.onset(), Timestamp(60));
        gate.step(false, Timestamp(65), 3);
        assert!(!gate.step(false, Timestamp(66), 3));
    }
}
