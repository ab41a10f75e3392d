//! Kubernetes quantities (the API reference, "Quantity"), written in the canonical form that the API server gives back.

use serde_json::Value;

const BINARY: [(&str, u64); 5] = [("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
const DECIMAL: [(&str, u64); 5] =
    [("P", 1_000_000_000_000_000), ("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)];

/// Bytes: the largest binary suffix without a remainder, else the largest decimal one.
#[must_use]
pub fn bytes(value: u64) -> String {
    let mut units = BINARY.iter().chain(&DECIMAL);
    let unit = units.find(|(_, unit)| value > 0 && value.is_multiple_of(*unit));
    unit.map_or_else(|| value.to_string(), |(suffix, unit)| format!("{}{suffix}", value / unit))
}

/// Thousandths of a core.
#[must_use]
pub fn millicores(value: u64) -> String {
    if value.is_multiple_of(1000) { (value / 1000).to_string() } else { format!("{value}m") }
}

/// Reads any quantity as a plain number (bytes, cores); `None` when it is none.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        _ => match BINARY.iter().chain(&DECIMAL).find(|(known, _)| *known == suffix) {
            Some((_, unit)) => *unit as f64,
            None => 10f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|e: &i32| e.abs() < 100)?),
        },
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// Reads a field that holds one, as text or as a number.
#[must_use]
pub fn of(field: &Value) -> Option<f64> {
    match field {
        Value::String(text) => parse(text),
        number => number.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_canonical_and_read_back() {
        for (value, text) in [
            (512 << 20, "512Mi"),
            (1 << 30, "1Gi"),
            (1536 << 20, "1536Mi"),
            (512_000_000, "500000Ki"),
            (1_000_000_001, "1000000001"),
            (3_000, "3k"),
            (0, "0"),
        ] {
            assert_eq!(bytes(value), text);
            assert_eq!(parse(text), Some(value as f64));
        }
        assert_eq!((millicores(1500), millicores(2000)), ("1500m".to_owned(), "2".to_owned()));
        assert_eq!((parse("250m"), parse("1e3"), parse("1.5Gi")), (Some(0.25), Some(1000.0), Some(1.5 * (1u64 << 30) as f64)));
        assert_eq!((of(&"250m".into()), of(&2.into()), of(&Value::Null)), (Some(0.25), Some(2.0), None));
        assert_eq!((parse("lots"), parse("1e999999999"), parse("")), (None, None, None));
    }
}
