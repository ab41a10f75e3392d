//! Kubernetes quantities, written in the canonical form that the API server gives back.

/// Bytes: the largest binary suffix without a remainder, else the largest decimal one.
pub(super) fn bytes(value: u64) -> String {
    for (suffix, unit) in [("Ti", 1u64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
        if value > 0 && value.is_multiple_of(unit) {
            return format!("{}{suffix}", value / unit);
        }
    }
    for (suffix, unit) in [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)] {
        if value > 0 && value.is_multiple_of(unit) {
            return format!("{}{suffix}", value / unit);
        }
    }
    value.to_string()
}

/// Thousandths of a core.
pub(super) fn millicores(value: u64) -> String {
    if value.is_multiple_of(1000) { (value / 1000).to_string() } else { format!("{value}m") }
}

/// The plain number of a quantity; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * factor)
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
        ] {
            assert_eq!(bytes(value), text);
            assert_eq!(parse(text), Some(value as f64));
        }
        assert_eq!(millicores(1500), "1500m");
        assert_eq!(millicores(2000), "2");
        assert_eq!(parse("250m"), Some(0.25));
        assert_eq!(parse("1e3"), Some(1000.0));
        assert_eq!(parse("lots"), None);
    }
}
