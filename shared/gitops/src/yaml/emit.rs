//! New documents.

use super::scalar;
use serde_json::Value;

/// A JSON object as a YAML document in block notation, keys in their order; empty maps and lists with brackets.
pub(crate) fn emit(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => entries(&mut text, value, 0),
        other => text += &format!("{}\n", leaf(other)),
    }
    text
}

fn entries(text: &mut String, value: &Value, indent: usize) {
    let Value::Object(map) = value else { return };
    for (key, part) in map {
        *text += &format!("{}{}:", " ".repeat(indent), scalar::key(key));
        below(text, part, indent);
    }
}

fn below(text: &mut String, part: &Value, indent: usize) {
    match part {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            entries(text, part, indent + 2);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            for item in list {
                self::item(text, item, indent);
            }
        }
        other => *text += &format!(" {}\n", leaf(other)),
    }
}

/// `- ` and, for a map, its first entry in the same line.
fn item(text: &mut String, item: &Value, indent: usize) {
    let blanks = " ".repeat(indent);
    match item {
        Value::Object(map) if !map.is_empty() => {
            let mut inner = String::new();
            entries(&mut inner, item, indent + 2);
            *text += &format!("{blanks}- {}", inner.trim_start());
        }
        // A list in a list: JSON is YAML.
        other => *text += &format!("{blanks}- {}\n", leaf(other)),
    }
}

fn leaf(value: &Value) -> String {
    scalar::text(value, None).unwrap_or_else(|_| value.to_string())
}
