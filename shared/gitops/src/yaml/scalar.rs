//! How a value is written as a scalar.

use super::{Told, resolve};
use granit_parser::ScalarStyle;
use serde_json::Value;

/// Words that older parsers (YAML 1.1, which Go's still read) take for something else than text.
const TAKEN: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];

/// The value, in the notation that stood there when that can hold it.
///
/// # Errors
/// When it is a list or a map, or nothing.
pub(super) fn text(value: &Value, stood: Option<ScalarStyle>) -> Told<String> {
    match (value, stood) {
        (Value::Number(number), _) => Ok(number.to_string()),
        (Value::Bool(flag), _) => Ok(flag.to_string()),
        (Value::String(text), Some(ScalarStyle::DoubleQuoted)) => Ok(quoted(text)),
        (Value::String(text), Some(ScalarStyle::SingleQuoted)) if text.chars().all(|c| !c.is_control()) => {
            Ok(format!("'{}'", text.replace('\'', "''")))
        }
        (Value::String(text), _) if is_plain(text) => Ok(text.clone()),
        (Value::String(text), _) => Ok(quoted(text)),
        _ => Err("it is no plain value".to_owned()),
    }
}

/// JSON's strings are YAML's double-quoted ones.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Whether every parser reads it as this text without quotes. What begins with a digit is one only as a quantity, `512Mi`: no number, no
/// date, no time.
pub(super) fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = begins && text.chars().all(safe) && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    (word || is_quantity(text)) && resolve::plain(text) == Value::String(text.to_owned())
}

fn is_quantity(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    end > 0 && matches!(&text[end..], "m" | "k" | "M" | "G" | "T" | "P" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi")
}

/// A key of a mapping.
pub(super) fn key(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}
