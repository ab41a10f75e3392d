//! Until when a lease may be relied on, decided from what was said and when it was asked; no clock is read here.
//!
//! **The rule.** An answer that grants or prolongs a lease for `ttl` may be relied on until
//! `sent + (min(ttl, notice) − clock_jump) · (1 − drift)`, where `sent` is the holder's monotonic clock when the request was *sent*.
//!
//! **Why it is safe.** The coordinator counts the TTL from when it applied the command, which was after the sending. Its replicated clock
//! follows the leaders' clocks; a change of leader may move it forward by `clock_jump` at the expense of a lease, and more than that is
//! given back. `drift` covers how much faster the leader's clock may run than the holder's. And the lease may end before its TTL when
//! somebody with precedence waits: the coordinator gives notice then, which the holder only hears of when it renews; so until an answer
//! that was sent later, it can rely on no more than the length of a notice: `ttl / 2` within `preempt_grace` and `preempt_grace_max`.
//! Once it has heard the notice, the lease ends when the notice says. That is coordinator time; an answer without a notice tells how the
//! two clocks stood at most, because `expires_at − ttl` is not before the coordinator's clock when it was asked.
//!
//! **What it does not cover.** A process that is paused between the look at the clock and the write, and a machine whose monotonic clock
//! stands still while it sleeps. Against those stand the fencing tokens: what is written to must refuse a lower one.

use picket_core::time::Timestamp;
use std::time::{Duration, Instant};

/// What the coordinator promises and how far clocks may be apart. The defaults are those of the coordinator's own settings.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Terms {
    /// Ratio by which the leader's clock may run faster than this machine's.
    pub drift: f64,
    /// `Settings::clock_jump_ms`.
    pub clock_jump_ms: i64,
    /// `Settings::preempt_grace_ms`.
    pub preempt_grace_ms: i64,
    /// `Settings::preempt_grace_max_ms`.
    pub preempt_grace_max_ms: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { drift: 0.01, clock_jump_ms: 2_000, preempt_grace_ms: 5_000, preempt_grace_max_ms: 60_000 }
    }
}

impl Terms {
    /// For how long after the sending an answer without a notice may be relied on; 0 when the TTL is too short for any.
    #[must_use]
    pub fn reliance(&self, ttl_ms: i64) -> Duration {
        let notice_ms = (ttl_ms / 2).clamp(self.preempt_grace_ms, self.preempt_grace_max_ms.max(self.preempt_grace_ms));
        self.shortened(ttl_ms.min(notice_ms))
    }

    /// Coordinator time that will surely not have passed sooner by this machine's clock.
    fn shortened(&self, ms: i64) -> Duration {
        let ms = ms.saturating_sub(self.clock_jump_ms).max(0);
        Duration::from_millis((ms as f64 * (1.0 - self.drift)).floor() as u64)
    }
}

/// An answer that grants or prolongs, as far as time is concerned.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Coordinator time.
    pub expires_at: Timestamp,
    /// Coordinator time.
    pub preempt_at: Option<Timestamp>,
}

/// One lease's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenure {
    terms: Terms,
    ttl_ms: i64,
    until: Instant,
    confirmed: Instant,
    /// At this instant the coordinator's clock said at most that.
    clock: (Instant, Timestamp),
    notice: Option<Instant>,
}

impl Tenure {
    /// A new lease, by the answer to a request that was sent at `sent`. It must be an answer to that request and to no earlier one.
    #[must_use]
    pub fn begin(terms: Terms, ttl_ms: i64, sent: Instant, granted: Granted) -> Self {
        let clock = (sent, granted.expires_at.plus_ms(ttl_ms.saturating_neg()));
        let mut tenure = Self { terms, ttl_ms, until: sent, confirmed: sent, clock, notice: None };
        tenure.confirm(sent, granted);
        tenure
    }

    /// The answer to a renewal that was sent at `sent`, for the same TTL.
    pub fn confirm(&mut self, sent: Instant, granted: Granted) {
        self.confirmed = sent;
        if let Some(at) = granted.preempt_at {
            let (when, said) = self.clock;
            let ends = when + self.terms.shortened(at.min(granted.expires_at).since_ms(said));
            self.notice = Some(ends);
            // What was promised before the notice stands.
            self.until = self.until.max(ends);
        } else {
            self.clock = (sent, granted.expires_at.plus_ms(self.ttl_ms.saturating_neg()));
            self.notice = None;
            self.until = self.until.max(sent + self.terms.reliance(self.ttl_ms));
        }
    }

    /// The lease may be relied on before this instant, and not after.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// Somebody with precedence waits: by then it has to be over, whatever is renewed.
    #[must_use]
    pub const fn notice(&self) -> Option<Instant> {
        self.notice
    }

    /// When to renew: often enough that two renewals may fail.
    #[must_use]
    pub fn renew_at(&self) -> Instant {
        self.confirmed + self.until.saturating_duration_since(self.confirmed) / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MS: i64 = 30_000;

    fn terms() -> Terms {
        Terms { drift: 0.1, clock_jump_ms: 1_000, preempt_grace_ms: 5_000, preempt_grace_max_ms: 60_000 }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// An answer that was applied when the coordinator's clock said so.
    fn at(now_ms: i64) -> Granted {
        Granted { expires_at: Timestamp(now_ms + TTL_MS), preempt_at: None }
    }

    #[test]
    fn time_counts_from_the_sending_less_jump_and_drift_and_no_longer_than_a_notice() {
        let terms = terms();
        assert_eq!(terms.reliance(TTL_MS), ms(12_600), "half the TTL, because of a notice that may be on its way; less 1 s, less a tenth");
        assert_eq!(terms.reliance(6_000), ms(3_600), "not shorter than the least notice");
        assert_eq!(terms.reliance(3_600_000), ms(53_100), "not longer than the longest notice");
        assert_eq!(terms.reliance(1_000), ms(0), "too short for any promise");
        let sent = Instant::now();
        let tenure = Tenure::begin(terms, TTL_MS, sent, at(1_000_000));
        assert_eq!(tenure.until(), sent + ms(12_600), "whenever the answer came");
        assert_eq!(tenure.renew_at(), sent + ms(4_200));
        assert_eq!(tenure.notice(), None);
    }

    #[test]
    fn a_renewal_counts_from_its_own_sending_and_never_takes_back_what_was_promised() {
        let sent = Instant::now();
        let mut tenure = Tenure::begin(terms(), TTL_MS, sent, at(1_000_000));
        tenure.confirm(sent + ms(4_000), at(1_004_100));
        assert_eq!(tenure.until(), sent + ms(16_600));
        // An answer that overtook the one before.
        tenure.confirm(sent + ms(3_000), at(1_003_000));
        assert_eq!(tenure.until(), sent + ms(16_600));
    }

    #[test]
    fn a_notice_sets_the_end_by_the_coordinators_clock() {
        let sent = Instant::now();
        let mut tenure = Tenure::begin(terms(), TTL_MS, sent, at(1_000_000));
        tenure.confirm(sent + ms(4_000), at(1_004_000));
        // Notice was given at 1_006_000 for 15 s.
        let noticed = Granted { expires_at: Timestamp(1_021_000), preempt_at: Some(Timestamp(1_021_000)) };
        tenure.confirm(sent + ms(8_000), noticed);
        let ends = sent + ms(4_000) + ms(14_400);
        assert_eq!((tenure.until(), tenure.notice()), (ends, Some(ends)), "17 s after 1_004_000, less 1 s, less a tenth");
        // Renewing makes it no longer.
        tenure.confirm(sent + ms(12_000), noticed);
        assert_eq!(tenure.until(), ends);
        // Whoever waited has gone.
        tenure.confirm(sent + ms(13_000), at(1_013_000));
        assert_eq!((tenure.until(), tenure.notice()), (sent + ms(25_600), None));
    }

    /// Whatever the delays, the jumps and the drift: at `until` the coordinator has not let go of the lease yet.
    #[test]
    fn the_coordinator_never_lets_go_first() {
        for case in 0..2_000u64 {
            let draw = |salt: u64, below: u64| {
                (case.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(salt * 1_442_695_040_888_963_407) >> 33) % below
            };
            let (delay, jump, fast) = (draw(1, 5_000), draw(2, 1_001), draw(3, 100));
            let ttl_ms = 1_000 + draw(4, 120_000) as i64;
            let sent = Instant::now();
            // The coordinator's clock at the sending, and how many of its milliseconds pass in one of ours.
            let clock = |after: Duration| 5_000_000.0 + after.as_secs_f64() * 1_000.0 * (1.0 + fast as f64 / 1_000.0);
            let applied = clock(ms(delay)) as i64;
            let granted = Granted { expires_at: Timestamp(applied + ttl_ms), preempt_at: None };
            let tenure = Tenure::begin(terms(), ttl_ms, sent, granted);
            let relied = tenure.until() - sent;
            // A notice at once after it was applied, and a leader that jumps forward.
            let notice_ms = (ttl_ms / 2).clamp(5_000, 60_000).min(ttl_ms);
            let at_until = clock(relied) + jump as f64;
            assert!(
                relied.is_zero() || at_until <= (applied + notice_ms) as f64 + 1.0,
                "case {case}: {at_until} > {applied} + {notice_ms}"
            );
        }
    }
}
