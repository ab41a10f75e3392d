//! When to try again: pure arithmetic.

/// Exponential waits with jitter, so many times.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// First wait, in milliseconds.
    pub base_ms: u64,
    /// No wait is longer, but for one that the other side asks for.
    pub cap_ms: u64,
    /// Tries, the first included.
    pub attempts: u32,
}

/// A longer wait than this is not sat out by a call: its caller decides.
const ASKED_MAX_MS: u64 = 60_000;

impl Backoff {
    /// Wait after `tried` failed tries (1 or more), in milliseconds; `None` when enough were made, or when the other side asks for more than
    /// a minute. `asked_ms`: what it asks for (`Retry-After`); never less than that. `draw`: a random number, 0..1.
    #[must_use]
    pub fn wait_ms(&self, tried: u32, asked_ms: Option<u64>, draw: f64) -> Option<u64> {
        if tried >= self.attempts || asked_ms.is_some_and(|asked| asked > ASKED_MAX_MS) {
            return None;
        }
        let draw = if draw.is_finite() { draw.clamp(0.0, 1.0) } else { 1.0 };
        let step = self.base_ms.saturating_mul(1 << tried.saturating_sub(1).min(20)).min(self.cap_ms);
        let half = step / 2;
        let jitter = (half as f64 * draw) as u64;
        // Jitter on top of what is asked for: many clients are told the same number.
        Some(asked_ms.map_or(step - half + jitter, |asked| asked.saturating_add(jitter)))
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3) as whole seconds; a date, which neither Slack nor PagerDuty sends, counts as absent.
#[must_use]
pub fn retry_after_ms(header: Option<&str>) -> Option<u64> {
    header?.trim().parse::<u32>().ok().map(|s| u64::from(s) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base_ms: 200, cap_ms: 1000, attempts: 5 };

    #[test]
    fn waits_grow_to_the_cap_and_end() {
        let waits: Vec<_> = (1..=5).map(|tried| BACKOFF.wait_ms(tried, None, 1.0)).collect();
        assert_eq!(waits, [Some(200), Some(400), Some(800), Some(1000), None]);
        assert_eq!(BACKOFF.wait_ms(2, None, 0.0), Some(200));
        assert_eq!(BACKOFF.wait_ms(1, None, f64::NAN), Some(200));
    }

    #[test]
    fn what_is_asked_for_is_kept_and_too_long_is_handed_on() {
        assert!(BACKOFF.wait_ms(1, Some(30_000), 0.0).unwrap() >= 30_000);
        assert_eq!(BACKOFF.wait_ms(1, Some(61_000), 0.0), None);
        assert_eq!([retry_after_ms(Some("7")), retry_after_ms(Some("x")), retry_after_ms(None)], [Some(7000), None, None]);
    }
}
