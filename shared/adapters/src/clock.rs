//! The run clock: event time, shared by all processes of a run by way of one environment variable.

use picket_core::time::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// `event = event0 + (real - real0) * speed`. Speed 1 from now is the wall clock.
///
/// It reads the machine's wall clock, not a monotonic one, because processes of one run must agree.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct RunClock {
    event0_ms: i64,
    real0_ms: i64,
    speed: f64,
}

/// Why a text is no run clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no run clock: expected EVENT0_MS,REAL0_MS,SPEED with a speed above 0 (as `RunClock::to_env_string` writes it)")]
pub struct BadClock {
    /// What was found.
    pub text: String,
}

impl RunClock {
    /// Starts at `event0` now and runs `speed` times as fast as real time.
    ///
    /// # Panics
    /// When `speed` is not a positive number: a clock that stands still would hang every deadline.
    #[must_use]
    pub fn new(event0: Timestamp, speed: f64) -> Self {
        assert!(speed.is_finite() && speed > 0.0, "a run clock needs a speed above 0, not {speed}");
        Self { event0_ms: event0.0, real0_ms: real_now_ms(), speed }
    }

    /// The wall clock.
    #[must_use]
    pub fn real() -> Self {
        let now = real_now_ms();
        Self { event0_ms: now, real0_ms: now, speed: 1.0 }
    }

    /// Reads the clock of this run from the environment; the wall clock when the variable is not set.
    ///
    /// # Errors
    /// [`BadClock`] when the variable is set to something else.
    pub fn from_env(variable: &str) -> Result<Self, BadClock> {
        match std::env::var(variable) {
            Ok(text) => text.parse(),
            Err(std::env::VarError::NotPresent) => Ok(Self::real()),
            Err(std::env::VarError::NotUnicode(raw)) => Err(BadClock { text: raw.to_string_lossy().into_owned() }),
        }
    }

    /// What a child process reads by [`RunClock::from_env`].
    #[must_use]
    pub fn to_env_string(&self) -> String {
        self.to_string()
    }

    /// Event time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let real_ms = real_now_ms().saturating_sub(self.real0_ms) as f64;
        Timestamp(self.event0_ms.saturating_add((real_ms * self.speed) as i64))
    }

    /// The real time (ms since the Unix epoch) at which event time reaches `event_ms`.
    #[must_use]
    pub fn real_ms_for(&self, event_ms: i64) -> i64 {
        let event = event_ms.saturating_sub(self.event0_ms) as f64;
        self.real0_ms.saturating_add((event / self.speed).ceil() as i64)
    }

    /// How long in real time until event time reaches `event`; zero when it has passed.
    #[must_use]
    pub fn wait_for(&self, event: Timestamp) -> std::time::Duration {
        let wait_ms = self.real_ms_for(event.0).saturating_sub(real_now_ms());
        std::time::Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
    }

    /// Event seconds per real second.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed
    }
}

impl fmt::Display for RunClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.event0_ms, self.real0_ms, self.speed)
    }
}

impl FromStr for RunClock {
    type Err = BadClock;

    fn from_str(text: &str) -> Result<Self, BadClock> {
        let bad = || BadClock { text: text.to_owned() };
        let mut parts = text.split(',').map(str::trim);
        let event0_ms = parts.next().and_then(|p| p.parse().ok()).ok_or_else(bad)?;
        let real0_ms = parts.next().and_then(|p| p.parse().ok()).ok_or_else(bad)?;
        let speed: f64 = parts.next().and_then(|p| p.parse().ok()).ok_or_else(bad)?;
        if parts.next().is_some() || !speed.is_finite() || speed <= 0.0 {
            return Err(bad());
        }
        Ok(Self { event0_ms, real0_ms, speed })
    }
}

fn real_now_ms() -> i64 {
    // A wall clock before 1970 is a broken machine; 0 keeps arithmetic sane there.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_process_reads_the_same_clock() {
        let clock = RunClock::new(Timestamp(1_000_000), 20.0);
        let child: RunClock = clock.to_env_string().parse().unwrap();
        assert_eq!(child, clock);
        assert!(child.now() >= Timestamp(1_000_000));
    }

    #[test]
    fn real_time_of_an_event_is_the_inverse_of_event_time() {
        let clock = RunClock { event0_ms: 5_000, real0_ms: 100_000, speed: 10.0 };
        assert_eq!(clock.real_ms_for(5_000), 100_000);
        assert_eq!(clock.real_ms_for(15_000), 101_000);
        assert_eq!(clock.wait_for(Timestamp(15_000)), std::time::Duration::ZERO);
    }

    #[test]
    fn a_clock_that_stands_still_is_refused() {
        for text in ["", "1,2", "1,2,0", "1,2,-1", "1,2,NaN", "1,2,3,4", "a,b,c"] {
            assert_eq!(text.parse::<RunClock>(), Err(BadClock { text: text.to_owned() }), "{text}");
        }
    }
}
