//! `2022-08-22 03:51:19.573905004 +0000 UTC m=+0.079858984`, or without zone: UTC.

use crate::calendar::days;

fn zone(text: &str) -> Option<f64> {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = text.get(1..5)?;
    let (hours, minutes) = (digits.get(..2)?.parse::<u8>().ok()?, digits.get(2..)?.parse::<u8>().ok()?);
    Some(sign * (f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0))
}

/// Seconds since the Unix epoch.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let (date, time) = (words.next()?, words.next()?);
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?.parse::<u8>().ok()?, time.next()?.parse::<u8>().ok()?, time.next()?.parse::<f64>().ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1..=9999).contains(&year) || !(0.0..61.0).contains(&second) {
        return None;
    }
    let offset = words.next().filter(|w| w.starts_with(['+', '-'])).map_or(Some(0.0), zone)?;
    Some(days(year, month, day) as f64 * 86_400.0 + f64::from(hour) * 3600.0 + f64::from(minute) * 60.0 + second - offset)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_with_and_without_zone() {
        assert_eq!(seconds("1970-01-02 00:00:01"), Some(86_401.0));
        assert_eq!(seconds("2022-08-22 03:51:19.5 +0000 UTC m=+0.07"), Some(1_661_140_279.5));
        assert_eq!(seconds("2023-01-29 16:43:04 +0800 CST"), seconds("2023-01-29 08:43:04"));
        for wrong in ["", "yesterday", "2023-13-01 00:00:00", "2023-01-01 00:00", "2023-01-01 00:00:00 +1"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
