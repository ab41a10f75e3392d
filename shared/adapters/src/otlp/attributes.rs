//! Attributes as bounded text.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use std::collections::BTreeMap;

/// Attributes kept of one set; the rest is cut. With the lengths below, one signal stays far under a batch's bound.
pub(super) const ATTRIBUTES_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 1_024;
/// Nested values deeper than this are cut.
const DEPTH_MAX: usize = 8;

/// Attributes by name, cut to their bounds.
pub(super) fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for pair in pairs {
        insert(&mut map, &pair.key, || text_of(pair.value.as_ref(), VALUE_BYTES_MAX));
    }
    map
}

/// Adds one attribute within the bounds of a set.
pub(super) fn insert(map: &mut BTreeMap<String, String>, key: &str, value: impl FnOnce() -> String) {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || (map.len() >= ATTRIBUTES_MAX && !map.contains_key(key)) {
        return;
    }
    map.insert(cleaned(key, KEY_BYTES_MAX), value());
}

/// Adds one attribute of plain text within the bounds of a set.
pub(super) fn insert_text(map: &mut BTreeMap<String, String>, key: &str, value: &str) {
    insert(map, key, || cleaned(value, VALUE_BYTES_MAX));
}

/// Text cut to `bytes_max`, without control characters (each would take six bytes as JSON).
pub(super) fn cleaned(text: &str, bytes_max: usize) -> String {
    let cut = text.floor_char_boundary(bytes_max);
    text[..cut].chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// A value as text: strings as they are, the rest as JSON would write it.
pub(super) fn text_of(value: Option<&AnyValue>, bytes_max: usize) -> String {
    let text = match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(Value::StringValue(text)) => return cleaned(text, bytes_max),
        Some(value) => {
            let mut text = String::new();
            write_value(&mut text, value, bytes_max, 0);
            text
        }
    };
    cleaned(&text, bytes_max)
}

fn write_value(out: &mut String, value: &Value, bytes_max: usize, depth: usize) {
    if out.len() >= bytes_max || depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::StringValue(text) if depth == 0 => out.push_str(text),
        Value::StringValue(text) => out.push_str(&serde_json::Value::from(cleaned(text, bytes_max)).to_string()),
        Value::BoolValue(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::IntValue(number) => out.push_str(&number.to_string()),
        Value::DoubleValue(number) => out.push_str(&number.to_string()),
        Value::BytesValue(bytes) => out.push_str(&hex::encode(&bytes[..bytes.len().min(bytes_max)])),
        Value::StringValueStrindex(_) => {}
        Value::ArrayValue(array) => {
            out.push('[');
            for (n, item) in array.values.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_item(out, item, bytes_max, depth);
            }
            out.push(']');
        }
        Value::KvlistValue(list) => {
            out.push('{');
            for (n, pair) in list.values.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(cleaned(&pair.key, KEY_BYTES_MAX)).to_string());
                out.push(':');
                match &pair.value {
                    Some(item) => write_item(out, item, bytes_max, depth),
                    None => out.push_str("null"),
                }
                if out.len() >= bytes_max {
                    break;
                }
            }
            out.push('}');
        }
    }
}

fn write_item(out: &mut String, item: &AnyValue, bytes_max: usize, depth: usize) {
    match &item.value {
        Some(value) => write_value(out, value, bytes_max, depth + 1),
        None => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    #[test]
    fn sets_keys_and_values_are_bounded() {
        let many: Vec<_> = (0..200).map(|n| pair(&format!("k{n:03}"), Value::StringValue("é".repeat(2_000)))).collect();
        let map = attributes(&many);
        assert_eq!(map.len(), ATTRIBUTES_MAX);
        assert!(map.values().all(|v| v.len() <= VALUE_BYTES_MAX && v.chars().all(|c| c == 'é')));
        assert!(attributes(&[pair(&"k".repeat(129), Value::BoolValue(true)), pair("", Value::BoolValue(true))]).is_empty());
    }

    #[test]
    fn values_of_every_kind_become_text() {
        use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
        let any = |value| AnyValue { value: Some(value) };
        let list = Value::KvlistValue(KeyValueList {
            values: vec![pair(
                "a\"",
                Value::ArrayValue(ArrayValue {
                    values: vec![any(Value::IntValue(-3)), any(Value::StringValue("x".into())), AnyValue { value: None }],
                }),
            )],
        });
        assert_eq!(text_of(Some(&any(list)), 99), r#"{"a\"":[-3,"x",null]}"#);
        assert_eq!(text_of(Some(&any(Value::DoubleValue(0.5))), 99), "0.5");
        assert_eq!(text_of(Some(&any(Value::BytesValue(vec![0, 255]))), 99), "00ff");
        assert_eq!(text_of(Some(&any(Value::StringValue("a\u{0}b".into()))), 99), "a b");
        assert_eq!(text_of(None, 99), "");
    }
}
