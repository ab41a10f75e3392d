//! Swings that come back at the same time of the day: they are load, not trouble.
//!
//! A sparse profile: per slot of the period, the deviation from the rolling baseline that was seen there, by cycle. A breach is excused
//! when deviations like it were seen in the same slot of at least two earlier cycles. Used for load alone: a nightly failure stays one.

use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// Slots per period (of a day: 5 minutes each).
const SLOTS: i64 = 288;
/// Earlier cycles that must have shown it.
const CYCLES_MIN: u32 = 2;
/// How much larger than before it may be.
const SLACK: f64 = 1.3;
/// Weight of the newest cycle.
const WEIGHT: f64 = 0.4;

#[derive(Clone, Debug)]
struct Slot {
    offset: f64,
    cycles: u32,
    cycle: i64,
    peak: f64,
}

/// The recurring deviations of one series.
#[derive(Clone, Debug)]
pub struct Season {
    period_ms: i64,
    slots: BTreeMap<i64, Slot>,
}

impl Season {
    /// A profile that knows nothing.
    #[must_use]
    pub fn new(period_ms: i64) -> Self {
        Self { period_ms: period_ms.max(SLOTS), slots: BTreeMap::new() }
    }

    fn place(&self, at: Timestamp) -> (i64, i64) {
        (at.0.div_euclid(self.period_ms), at.0.rem_euclid(self.period_ms) * SLOTS / self.period_ms)
    }

    /// True when a deviation of this size has been seen at this time of earlier cycles.
    #[must_use]
    pub fn excuses(&self, at: Timestamp, deviation: f64) -> bool {
        let (cycle, slot) = self.place(at);
        self.slots.get(&slot).is_some_and(|s| {
            let earlier = s.cycles - u32::from(s.cycle == cycle);
            earlier >= CYCLES_MIN && s.offset * deviation > 0.0 && deviation.abs() <= SLACK * s.offset.abs()
        })
    }

    /// Notes a deviation; `large` says whether it is worth a slot of its own.
    pub fn note(&mut self, at: Timestamp, deviation: f64, large: bool) {
        let (cycle, slot) = self.place(at);
        if !deviation.is_finite() {
            return;
        }
        let Some(known) = self.slots.get_mut(&slot) else {
            if large {
                self.slots.insert(slot, Slot { offset: deviation, cycles: 1, cycle, peak: deviation });
            }
            return;
        };
        if known.cycle == cycle {
            // Within one cycle only its largest deviation counts; the first cycle's is the profile.
            if deviation.abs() > known.peak.abs() {
                known.peak = deviation;
                if known.cycles == 1 {
                    known.offset = deviation;
                }
            }
            return;
        }
        if cycle > known.cycle {
            if known.cycles > 1 {
                known.offset += WEIGHT * (known.peak - known.offset);
            }
            let missed = cycle - known.cycle > 2;
            known.cycles = if missed { 1 } else { known.cycles.saturating_add(1) };
            known.cycle = cycle;
            known.peak = deviation;
        }
        if known.cycles > 3 && !large && known.offset.abs() < 1e-3 {
            self.slots.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn what_came_twice_at_this_hour_is_excused_the_third_time() {
        let mut season = Season::new(DAY);
        for day in 0..3 {
            let at = Timestamp(day * DAY + 7_200_000);
            assert_eq!(season.excuses(at, 0.8), day >= 2, "day {day}");
            assert!(!season.excuses(at, -0.8));
            season.note(at, 0.8, true);
        }
        let fourth = Timestamp(3 * DAY + 7_200_000);
        assert!(season.excuses(fourth, 0.9));
        assert!(!season.excuses(fourth, 2.0), "larger than ever before");
        assert!(!season.excuses(Timestamp(3 * DAY + 14_400_000), 0.8), "another hour");
    }
}
