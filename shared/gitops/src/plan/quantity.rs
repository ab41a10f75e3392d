//! Kubernetes quantities (the API reference, "Quantity").

const BINARY: [(&str, u64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

/// Bytes with the largest binary suffix that leaves no remainder; plain when none does.
pub(super) fn bytes(value: u64) -> String {
    let unit = BINARY.iter().find(|(_, unit)| value > 0 && value.is_multiple_of(*unit));
    unit.map_or_else(|| value.to_string(), |(suffix, unit)| format!("{}{suffix}", value / unit))
}

/// Thousandths of a core.
pub(super) fn millicores(value: u64) -> String {
    if value.is_multiple_of(1000) { (value / 1000).to_string() } else { format!("{value}m") }
}

/// The plain number; `None` when it is no quantity.
pub(super) fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let decimal = |exponent: i32| Some(10f64.powi(exponent));
    let factor = match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "Pi" => Some(1024f64.powi(5)),
        _ => BINARY.iter().find(|(known, _)| *known == suffix).map(|(_, unit)| *unit as f64).or_else(|| {
            let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|e: &i32| e.abs() < 100)?;
            decimal(exponent)
        }),
    };
    Some(number.parse::<f64>().ok()? * factor?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_and_read() {
        for (value, text) in [(512 << 20, "512Mi"), (1 << 30, "1Gi"), (1536 << 20, "1536Mi"), (1_000_000_001, "1000000001"), (0, "0")] {
            assert_eq!(bytes(value), text);
            assert_eq!(parse(text), Some(value as f64));
        }
        assert_eq!((millicores(1500), millicores(2000)), ("1500m".to_owned(), "2".to_owned()));
        assert_eq!((parse("250m"), parse("1e3"), parse("1.5Gi")), (Some(0.25), Some(1000.0), Some(1.5 * (1u64 << 30) as f64)));
        assert_eq!((parse("lots"), parse("1e999999999"), parse("")), (None, None, None));
    }
}
