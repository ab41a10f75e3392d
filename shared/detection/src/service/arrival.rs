//! How a service's telemetry arrives: how late its metrics come, and how far its clock is off.
//!
//! Metrics that come a minute late speak of a minute ago; logs and events of the same service may be in time. Nothing here guesses what a
//! single report means: both figures are medians over the last reports, so that one bad timestamp moves neither.

use picket_core::time::Timestamp;
use std::collections::VecDeque;

/// Reports that a delay is the median of.
const REPORTS: usize = 12;
/// A delay beyond this, either way, is no delay but a broken stamp; it counts as this.
const DELAY_MAX_MS: i64 = 7 * 86_400_000;

/// One way that telemetry takes: all metrics, or everything else.
#[derive(Clone, Debug, Default)]
struct Way {
    /// The newest stamp since the last look.
    newest: Option<Timestamp>,
    delays_ms: VecDeque<i64>,
    /// Their median; `None` before the first.
    delay_ms: Option<i64>,
}

impl Way {
    fn close(&mut self, now: Timestamp) {
        let Some(newest) = self.newest.take() else { return };
        if self.delays_ms.len() >= REPORTS {
            self.delays_ms.pop_front();
        }
        self.delays_ms.push_back(now.since_ms(newest).clamp(-DELAY_MAX_MS, DELAY_MAX_MS));
        self.delay_ms = median(self.delays_ms.iter().copied().collect());
    }
}

/// What is known of a service's reports on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    metrics: Way,
    others: Way,
    /// What must be added to its stamps to make them ours, in ms.
    clock_ms: i64,
    /// How long after their time its metrics come, by our clock, in ms; 0 when they come as they are made.
    late_ms: i64,
}

impl Arrival {
    /// A signal of it, by its own clock.
    pub fn see(&mut self, is_metric: bool, at: Timestamp) {
        let way = if is_metric { &mut self.metrics } else { &mut self.others };
        way.newest = way.newest.max(Some(at));
    }

    /// Takes what came until `now`; returns the shorter of its delays, which no stamp of a right clock exceeds by much.
    pub fn close(&mut self, now: Timestamp) -> Option<i64> {
        self.metrics.close(now);
        self.others.close(now);
        self.least_ms()
    }

    fn least_ms(&self) -> Option<i64> {
        self.metrics.delay_ms.into_iter().chain(self.others.delay_ms).min()
    }

    /// Judges its clock by `usual_ms`, the median of [`Self::close`] over the cluster: what all services have in common is the way, what
    /// one has of its own is its clock. Differences of a report's interval and less are chance.
    pub fn judge(&mut self, usual_ms: i64, interval_ms: i64) {
        let Some(least) = self.least_ms() else { return };
        let off_ms = least - usual_ms;
        // Of a service that sends nothing but metrics, a long delay is more likely the way's than the clock's.
        let is_clock = off_ms.abs() > interval_ms && (off_ms < 0 || self.others.delay_ms.is_some());
        self.clock_ms = if is_clock { off_ms } else { 0 };
        let late_ms = self.metrics.delay_ms.unwrap_or(0) - self.clock_ms;
        self.late_ms = if late_ms >= 2 * interval_ms { late_ms } else { 0 };
    }

    /// How long after their time its metrics come, in ms.
    pub const fn late_ms(&self) -> i64 {
        self.late_ms
    }

    /// Whether metrics have come at all.
    pub const fn has_metrics(&self) -> bool {
        self.metrics.delay_ms.is_some()
    }

    /// A stamp of its own by our clock.
    pub const fn ours(&self, at: Timestamp) -> Timestamp {
        at.plus_ms(self.clock_ms)
    }

    /// What its metrics that come `now` are stamped with.
    pub const fn stamped(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-self.late_ms - self.clock_ms)
    }

    /// When metrics so stamped come.
    pub const fn comes(&self, at: Timestamp) -> Timestamp {
        at.plus_ms(self.late_ms + self.clock_ms)
    }

    /// When what its metrics show `now` was so, by our clock.
    pub const fn seen(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-self.late_ms)
    }
}

/// The lower median: a delay that was measured, never one between two ways that telemetry takes.
pub(crate) fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_MS: i64 = 5_000;

    fn arrival(metrics_ms: i64, others_ms: Option<i64>, usual_ms: i64) -> Arrival {
        let mut arrival = Arrival::default();
        for report in 1..=20 {
            let now = Timestamp(report * INTERVAL_MS);
            arrival.see(true, now.plus_ms(-metrics_ms));
            if let Some(others_ms) = others_ms {
                arrival.see(false, now.plus_ms(-others_ms));
            }
            arrival.close(now);
            arrival.judge(usual_ms, INTERVAL_MS);
        }
        arrival
    }

    #[test]
    fn what_comes_in_time_is_left_as_it_is() {
        let prompt = arrival(4_000, Some(1_000), 2_000);
        assert_eq!((prompt.clock_ms, prompt.late_ms), (0, 0));
    }

    #[test]
    fn late_metrics_and_a_wrong_clock_are_told_apart() {
        let late = arrival(60_000, Some(0), 0);
        assert_eq!((late.clock_ms, late.late_ms), (0, 60_000));
        // Twelve seconds behind: what it stamps now looks old.
        let behind = arrival(72_000, Some(12_000), 0);
        assert_eq!((behind.clock_ms, behind.late_ms), (12_000, 60_000));
        let ahead = arrival(-14_000, Some(-14_000), 0);
        assert_eq!((ahead.clock_ms, ahead.late_ms), (-14_000, 0));
        let now = Timestamp(200_000);
        assert_eq!(behind.stamped(now), Timestamp(128_000));
        assert_eq!(behind.comes(Timestamp(128_000)), now);
        assert_eq!((behind.seen(now), behind.ours(Timestamp(128_000))), (Timestamp(140_000), Timestamp(140_000)));
    }

    #[test]
    fn a_service_that_only_measures_is_late_rather_than_wrong() {
        let metrics_only = arrival(60_000, None, 0);
        assert_eq!((metrics_only.clock_ms, metrics_only.late_ms), (0, 60_000));
    }

    #[test]
    fn one_bad_stamp_moves_nothing() {
        let mut arrival = arrival(0, Some(0), 0);
        let now = Timestamp(1_000_000);
        arrival.see(true, Timestamp(now.0 + 86_400_000 * 365));
        arrival.close(now);
        arrival.judge(0, INTERVAL_MS);
        assert_eq!((arrival.clock_ms, arrival.late_ms), (0, 0));
    }
}
