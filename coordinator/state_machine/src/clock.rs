//! The replicated clock. It never goes back, and a change of leader moves it by little.
//!
//! Bound on a lease's length, by the leaders' clocks: at least its TTL less `clock_jump_ms` (ε), at most its TTL and the time without a
//! leader. A new leader whose clock is behind goes on from where the clock stood (it does not stand still, which would lengthen every
//! lease); one whose clock is ahead takes the clock along, because permits, evidence and facts must never look younger than they are,
//! and what it was ahead by beyond ε is given back to the leases of others.

use picket_core::coordination::{Command, Proposer};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the leaders proposed, made monotonic.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    now: Timestamp,
    /// Raft term of the newest leader that was heard; 0 before the first.
    term: u64,
    /// Added to what this leader's clock says.
    offset_ms: i64,
    /// What the leader's last tick said. Ticks come one after the other, so an earlier one means that its clock was set back.
    ticked_at: Option<Timestamp>,
}

impl Clock {
    pub(crate) const fn now(self) -> Timestamp {
        self.now
    }

    /// Whether this proposer has been followed by another leader.
    pub(crate) fn is_deposed(self, proposer: Option<Proposer>) -> bool {
        proposer.is_some_and(|p| p.term < self.term)
    }

    /// Takes a proposed time. Returns by how much leases must be prolonged for it: above 0 only at a change of leader.
    pub(crate) fn advance(&mut self, proposer: Option<Proposer>, command: &Command, proposed: Timestamp, jump_ms: i64) -> i64 {
        let Some(proposer) = proposer else {
            self.now = self.now.max(proposed);
            return 0;
        };
        if proposer.term > self.term {
            let give_back_ms = self.take_over(proposer.term, proposed, jump_ms);
            self.ticked_at = matches!(command, Command::Tick).then_some(proposed);
            return give_back_ms;
        }
        if matches!(command, Command::Tick) {
            let back_ms = self.ticked_at.map_or(0, |last| last.since_ms(proposed)).max(0);
            self.offset_ms = self.offset_ms.saturating_add(back_ms);
            self.ticked_at = Some(proposed);
        }
        self.now = self.now.max(proposed.plus_ms(self.offset_ms));
        0
    }

    fn take_over(&mut self, term: u64, proposed: Timestamp, jump_ms: i64) -> i64 {
        let first = self.term == 0;
        let ahead_ms = proposed.since_ms(self.now);
        self.term = term;
        self.offset_ms = ahead_ms.saturating_neg().max(0);
        self.now = self.now.max(proposed);
        // Before the first leader there was no time to be ahead of.
        if first { 0 } else { ahead_ms.saturating_sub(jump_ms).max(0) }
    }

    /// A new cluster counts its terms anew, and its leaders' clocks owe nothing to those of the lost life.
    pub(crate) fn restored(self, at: Timestamp) -> Self {
        Self { now: self.now.max(at), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESUME: Command = Command::Resume { stop_epoch: 0 };

    fn by(term: u64) -> Option<Proposer> {
        Some(Proposer { node: term % 3 + 1, term })
    }

    #[test]
    fn a_leader_behind_goes_on_from_where_the_clock_stood() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(by(1), &RESUME, Timestamp(100_000), 2_000), 0);
        assert_eq!(clock.advance(by(2), &RESUME, Timestamp(40_000), 2_000), 0);
        assert_eq!(clock.now(), Timestamp(100_000));
        clock.advance(by(2), &Command::Tick, Timestamp(41_000), 2_000);
        assert_eq!(clock.now(), Timestamp(101_000), "a second is a second");
    }

    #[test]
    fn a_leader_ahead_takes_the_clock_along_and_leases_get_the_rest_back() {
        let mut clock = Clock::default();
        clock.advance(by(1), &RESUME, Timestamp(100_000), 2_000);
        assert_eq!(clock.advance(by(2), &RESUME, Timestamp(160_000), 2_000), 58_000);
        assert_eq!(clock.now(), Timestamp(160_000));
        assert_eq!(clock.advance(by(2), &RESUME, Timestamp(260_000), 2_000), 0, "within a term a jump is a pause");
    }

    #[test]
    fn a_leader_whose_clock_is_set_back_does_not_stop_time() {
        let mut clock = Clock::default();
        clock.advance(by(1), &Command::Tick, Timestamp(100_000), 2_000);
        clock.advance(by(1), &Command::Tick, Timestamp(10_000), 2_000);
        clock.advance(by(1), &Command::Tick, Timestamp(11_000), 2_000);
        assert_eq!(clock.now(), Timestamp(101_000));
        // A command that was held up says nothing of the clock.
        clock.advance(by(1), &RESUME, Timestamp(3_000), 2_000);
        clock.advance(by(1), &Command::Tick, Timestamp(12_000), 2_000);
        assert_eq!(clock.now(), Timestamp(102_000));
    }

    #[test]
    fn who_was_followed_is_deposed() {
        let mut clock = Clock::default();
        clock.advance(by(7), &RESUME, Timestamp(1), 0);
        assert!(clock.is_deposed(by(6)) && !clock.is_deposed(by(7)) && !clock.is_deposed(by(8)) && !clock.is_deposed(None));
        assert!(!clock.restored(Timestamp(5)).is_deposed(by(1)));
    }
}
