//! Timestamps as the set writes them: `2014-04-10 07:15:00`, perhaps with a fraction, in no time zone.

use crate::calendar::days;
use picket_core::time::Timestamp;

/// Reads a timestamp; `None` when it is none. Fractions below a millisecond are cut off.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (clock, fraction) = time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), "0"));
    let mut parts = clock.splitn(3, ':').map(|p| p.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let possible = (0..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !possible || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3.3}").parse().ok()?;
    Some(Timestamp((days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_the_set() {
        assert_eq!(timestamp("1970-01-01 00:00:00"), Some(Timestamp(0)));
        assert_eq!(timestamp("2014-04-10 07:15:00.000000"), Some(Timestamp(1_397_114_100_000)));
        assert_eq!(timestamp("2000-02-29 23:59:59.25"), Some(Timestamp(951_868_799_250)));
        assert_eq!(timestamp("2015-09-01 13:45"), Some(Timestamp(1_441_115_100_000)));
        for none in ["", "2014-04-10", "2014-13-10 00:00:00", "2014-04-10 24:00:00", "x-04-10 00:00:00", "2014-04-10 00:00:00.x"] {
            assert_eq!(timestamp(none), None, "{none}");
        }
    }
}
