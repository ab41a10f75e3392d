//! Kubernetes writes points in time as RFC 3339 text, to the second.

use picket_core::time::Timestamp;

/// `2026-01-31T08:09:10Z`.
#[must_use]
pub fn format(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// As [`format`], with nanoseconds: what Falco prints.
#[must_use]
pub fn format_nanos(at: Timestamp) -> String {
    let whole = format(at);
    format!("{}.{:03}000000Z", &whole[..whole.len() - 1], at.0.rem_euclid(1000))
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian; eras of 400 years that start on 1 March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points() {
        assert_eq!(format(Timestamp(0)), "1970-01-01T00:00:00Z");
        assert_eq!(format(Timestamp(951_827_696_000)), "2000-02-29T12:34:56Z");
        assert_eq!(format_nanos(Timestamp(1_767_225_599_987)), "2025-12-31T23:59:59.987000000Z");
    }
}
