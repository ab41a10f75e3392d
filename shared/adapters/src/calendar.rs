//! Reads the two ways in which senders write a point in time: RFC 3339 and `YYYY-MM-DD HH:MM:SS` (taken as UTC).

use picket_core::time::Timestamp;

/// The point that a text names; `None` when it names none.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (date, rest) = text.split_at(10);
    if !rest.starts_with(['T', 't', ' ']) {
        return None;
    }
    let (clock, zone) = split_zone(&rest[1..])?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hms, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut hms = hms.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (hms.next()??, hms.next()??, hms.next()??);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range || hms.next().is_some() {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone;
    Some(Timestamp(seconds * 1_000 + milliseconds(fraction)?))
}

/// The clock's text and the zone's offset in seconds; no zone is UTC.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let offset = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
    Some((&text[..at], if text[at..].starts_with('-') { -offset } else { offset }))
}

fn milliseconds(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<3}").get(..3)?.parse().ok()
}

/// Days of the proleptic Gregorian calendar since 1970-01-01: years are counted from March, so that the leap day is the last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        for (text, at) in [
            ("1970-01-01 00:00:00", 0),
            ("2015-09-01 13:45:00", 1_441_115_100_000),
            ("2024-02-29T12:00:00Z", 1_709_208_000_000),
            ("2024-02-29T12:00:00.123456789Z", 1_709_208_000_123),
            ("2024-02-29T13:30:00.5+01:30", 1_709_208_000_500),
            ("2024-02-29T07:00:00-05:00", 1_709_208_000_000),
        ] {
            assert_eq!(parse_timestamp(text), Some(Timestamp(at)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "now", "2024-13-01 00:00:00", "2024-01-01 25:00:00", "2024-01-01", "2024-01-01T00:00:00+1", "é024-01-01 00:00:00"]
        {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }
}
