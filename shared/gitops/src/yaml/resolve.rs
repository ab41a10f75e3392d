//! What a part means: JSON by the core schema (YAML 1.2.2, chapter 10.3).

use super::Told;
use super::tree::{Kind, Node};
use granit_parser::ScalarStyle;
use serde_json::{Map, Value};

/// The part as JSON.
///
/// # Errors
/// When it holds a reference, an anchor, a tag, or a merge key: its meaning stands elsewhere too.
pub(crate) fn value(node: &Node) -> Told<Value> {
    if node.is_marked {
        return Err("it uses an anchor, an alias or a tag".to_owned());
    }
    match &node.kind {
        Kind::Scalar(text, ScalarStyle::Plain) => Ok(plain(text)),
        Kind::Scalar(text, _) => Ok(Value::String(text.clone())),
        Kind::List(items) => items.iter().map(value).collect::<Told<Vec<_>>>().map(Value::Array),
        Kind::Map(entries) => {
            let mut map = Map::new();
            for (key, part) in entries {
                match key.text() {
                    Some("<<") => return Err("it uses a merge key".to_owned()),
                    Some(text) if !key.is_marked => map.insert(text.to_owned(), value(part)?),
                    _ => return Err("it has a key that is no plain text".to_owned()),
                };
            }
            Ok(Value::Object(map))
        }
        Kind::Alias => Err("it uses an alias".to_owned()),
    }
}

/// A plain scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok();
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = text.parse::<f64>().ok().filter(|number| is_float && number.is_finite())?;
    serde_json::Number::from_f64(number).map(Value::Number)
}
