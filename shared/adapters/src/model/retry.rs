//! When to try again.

use std::time::Duration;

/// Tries of one call, the first included.
pub(super) const ATTEMPTS_MAX: u32 = 4;
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// The pause before the try after `attempt` (from 0): doubling, and half of it drawn (`draw` in 0..1), so that those who were turned away
/// together do not come back together. Never less than the server asked for.
pub(super) fn pause(attempt: u32, retry_after: Option<Duration>, draw: f64) -> Duration {
    let step = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    let drawn = step.mul_f64(0.5 + 0.5 * draw.clamp(0.0, 1.0));
    retry_after.map_or(drawn, |asked| asked.saturating_add(drawn / 2))
}

/// What the server asked for: `retry-after-ms`, or `retry-after` in seconds (RFC 9110, 10.2.3; a date is not understood and counts as nothing).
pub(super) fn asked(header: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let number = |name: &str| header(name).and_then(|text| text.trim().parse::<f64>().ok()).filter(|n| n.is_finite() && *n >= 0.0);
    // Above an hour it makes no difference: no deadline is that long.
    number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))
        .map(|seconds| Duration::from_secs_f64(seconds.min(3600.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_drawn_and_respect_the_server() {
        let ms = |attempt, draw| pause(attempt, None, draw).as_millis();
        assert_eq!((ms(0, 0.0), ms(0, 1.0), ms(1, 1.0), ms(2, 0.0)), (250, 500, 1000, 1000));
        assert_eq!(pause(40, None, 1.0), LONGEST);
        let asked_for = Duration::from_secs(3);
        assert!(pause(0, Some(asked_for), 0.0) > asked_for && pause(0, Some(asked_for), 1.0) <= asked_for + FIRST / 2);
    }

    #[test]
    fn the_servers_wish_is_read_in_seconds_or_milliseconds() {
        let with = |name: &'static str, value: &'static str| asked(move |asked| (asked == name).then(|| value.to_owned()));
        assert_eq!(with("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(with("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        for nothing in ["Fri, 27 Nov 2026 12:00:00 GMT", "-1", "NaN", ""] {
            assert_eq!(with("retry-after", nothing), None, "{nothing}");
        }
        assert_eq!(with("retry-after", "1e300"), Some(Duration::from_secs(3600)));
    }
}
