//! Field terms in a reader's words.

use picket_core::action::Reversibility;
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;
use serde::Serialize;

/// `memory_limit_too_low` → `memory limit too low`: the snake-case name in JSON, with blanks.
#[must_use]
pub fn spaced<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text.replace('_', " "),
        _ => String::new(),
    }
}

/// A state, as the beginning of a title.
#[must_use]
pub const fn state(of: EntryState) -> &'static str {
    match of {
        EntryState::Denied => "Denied",
        EntryState::Shadowed => "Recorded only",
        EntryState::Queued => "Queued",
        EntryState::AwaitingApproval => "Approve?",
        EntryState::Approved => "Approved",
        EntryState::Permitted => "Permitted",
        EntryState::Claimed => "Being done",
        EntryState::Observing => "Done, watched",
        EntryState::Inconclusive => "Inconclusive, please look",
        EntryState::Undoing => "Being undone",
        EntryState::Indeterminate => "Not knowable, please resolve",
        EntryState::UndoFailed => "Undo failed, please resolve",
        EntryState::Settled => "Settled",
        EntryState::Failed => "Had no effect",
        EntryState::RolledBack => "Undone",
        EntryState::Expired => "Expired",
        EntryState::Cancelled => "Cancelled",
    }
}

/// Whether it can be taken back.
#[must_use]
pub const fn reversibility(kind: Reversibility) -> &'static str {
    match kind {
        Reversibility::Exact => "yes, exactly",
        Reversibility::Compensating => "by another act that makes up for it",
        Reversibility::None => "no",
    }
}

/// A length of time: `45 s`, `14 min 5 s`, `2 h 3 min`.
#[must_use]
pub fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// Year, month, day of a count of days since 1970-01-01 in the proleptic Gregorian calendar (years of 400 are cycles of 146,097 days).
fn date(days: i64) -> (i64, i64, i64) {
    // Counted from 1 March of year 0, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let in_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + cycle * 400 + i64::from(month <= 2), month, in_month)
}

/// `2026-07-01T10:15:00Z` (RFC 3339).
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let s = at.0.div_euclid(1000);
    let (year, month, day) = date(s.div_euclid(86_400));
    let in_day = s.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3600, in_day % 3600 / 60, in_day % 60)
}

/// `10:15:00 UTC`.
#[must_use]
pub fn time_of_day(at: Timestamp) -> String {
    let in_day = at.0.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02} UTC", in_day / 3600, in_day % 3600 / 60, in_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        for (s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(Timestamp(s * 1000)), text);
        }
        assert_eq!(time_of_day(Timestamp(45_296_000)), "12:34:56 UTC");
        // Any number at all is some date; none is a panic.
        let (_, _) = (rfc3339(Timestamp(i64::MAX)), rfc3339(Timestamp(i64::MIN)));
    }

    #[test]
    fn lengths_of_time_are_short() {
        assert_eq!([span(-5), span(59_999), span(845_000), span(7_380_000)], ["0 s", "59 s", "14 min 5 s", "2 h 3 min"]);
    }
}
