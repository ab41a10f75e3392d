//! Kubernetes resource quantities: `250m`, `512Mi`, `10Gi`, `1.5`.

/// The value in base units (bytes, cores); `None` when it is no quantity.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("", 1.0),
    ];
    let text = text.trim();
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let value: f64 = text[..text.len() - suffix.len()].parse().ok()?;
    value.is_finite().then_some(value * factor)
}

/// The value of a JSON string or number.
#[must_use]
pub fn of_json(value: Option<&serde_json::Value>) -> Option<f64> {
    match value? {
        serde_json::Value::String(text) => parse(text),
        serde_json::Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_writes() {
        assert_eq!(parse("250m"), Some(0.25));
        assert_eq!(parse("512Mi"), Some(536_870_912.0));
        assert_eq!(parse("1.5"), Some(1.5));
        assert_eq!(parse("2G"), Some(2e9));
        assert_eq!(parse("1e3"), Some(1000.0));
        assert_eq!(parse("many"), None);
        assert_eq!(parse(""), None);
    }
}
