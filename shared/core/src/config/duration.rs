//! Lengths of time as people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A length of time: `250ms`, `30s`, `15m`, `2h`, `7d`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    ms: i64,
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

impl Span {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self { ms }
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_s(s: i64) -> Self {
        Self { ms: s * 1000 }
    }

    /// In milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.ms
    }
}

const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS.into_iter().find(|(_, size)| self.ms % size == 0 && self.ms >= *size).unwrap_or(("ms", 1));
        write!(f, "{}{unit}", self.ms / size)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bad = || format!("`{text}` is not a length of time: write a whole number and ms, s, m, h or d, as in `30s`");
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| bad())?;
        let size = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1;
        number.checked_mul(size).map(|ms| Self { ms }).ok_or_else(bad)
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_and_print() {
        for (text, ms) in [("250ms", 250), ("30s", 30_000), ("15m", 900_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!((span.ms(), span.to_string().as_str()), (ms, text));
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "30 s", "99999999999999999d"] {
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
