//! Changes in the tree of a message: it stays JSON, and mostly a message.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Levels of a message that is nested for its own sake: more than any reader goes down.
const NESTED_MAX: usize = 200;

/// Nodes of a tree.
fn count(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The n-th node, parents before children.
fn node(tree: &mut Value, n: usize) -> &mut Value {
    if n == 0 {
        return tree;
    }
    let mut left = n - 1;
    // Two passes: the borrow checker does not let a loop hand a child out and go on with the next.
    let counts: Vec<usize> = match tree {
        Value::Array(items) => items.iter().map(count).collect(),
        Value::Object(fields) => fields.values().map(count).collect(),
        _ => Vec::new(),
    };
    let child = counts.iter().position(|size| {
        let here = left < *size;
        left -= if here { 0 } else { *size };
        here
    });
    let child = child.unwrap_or(0);
    match tree {
        Value::Array(items) => node(&mut items[child], left),
        Value::Object(fields) => match fields.values_mut().nth(child) {
            Some(value) => node(value, left),
            None => unreachable!("the child was counted"),
        },
        leaf => leaf,
    }
}

fn number(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..12) {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(i64::MIN),
        4 => json!(i64::MAX),
        5 => json!(u32::MAX),
        6 => json!(u64::from(u32::MAX) + 1),
        7 => json!(1e308),
        8 => json!(-0.0),
        9 => json!(f64::MIN_POSITIVE),
        10 => json!(1_u64 << rng.random_range(0..64)),
        _ => json!(rng.random::<i64>()),
    }
}

fn text(rng: &mut ChaCha8Rng) -> Value {
    let long = rng.random_range(0..5_000);
    match rng.random_range(0..8) {
        0 => json!(""),
        1 => json!("x".repeat(long)),
        2 => json!("\u{0}\u{1b}[2J\r\n"),
        3 => json!("ns:a/b/c"),
        4 => json!("ext:/"),
        5 => json!("é\u{202e}𐍈".repeat(long / 100)),
        6 => json!(format!("act-{}", rng.random::<u64>())),
        _ => json!("../../etc/passwd"),
    }
}

fn scalar(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..6) {
        0 => Value::Null,
        1 => json!(rng.random_bool(0.5)),
        2 => text(rng),
        _ => number(rng),
    }
}

/// Something of the same kind, with a value that is rare.
fn rare(rng: &mut ChaCha8Rng, old: &Value) -> Value {
    match old {
        Value::Number(_) => number(rng),
        Value::String(_) => text(rng),
        Value::Bool(old) => json!(!old),
        _ => scalar(rng),
    }
}

fn nested(rng: &mut ChaCha8Rng) -> Value {
    (0..rng.random_range(1..NESTED_MAX))
        .fold(json!(1), |inner, _| if rng.random_bool(0.5) { json!([inner]) } else { json!({ "a": inner }) })
}

/// Changes one place of `tree`; may take a part of `other` for it.
pub fn change(tree: &mut Value, other: &Value, rng: &mut ChaCha8Rng) {
    let place = node(tree, rng.random_range(0..count(tree)));
    match rng.random_range(0..10) {
        // Most often what still reads as a message.
        0..5 => *place = rare(rng, place),
        5 => *place = scalar(rng),
        6 => {
            let mut other = other.clone();
            let part = rng.random_range(0..count(&other));
            *place = node(&mut other, part).take();
        }
        7 => match place {
            Value::Array(items) => {
                let copies = rng.random_range(0..40);
                let first = items.first().cloned().unwrap_or(Value::Null);
                items.extend(std::iter::repeat_n(first, copies));
            }
            Value::Object(fields) => {
                let name = fields.keys().nth(rng.random_range(0..fields.len().max(1))).cloned();
                name.and_then(|name| fields.remove(&name));
            }
            other => *other = nested(rng),
        },
        8 => match place {
            Value::Array(items) => drop(items.pop()),
            Value::Object(fields) => drop(fields.insert(format!("k{}", rng.random::<u8>()), scalar(rng))),
            other => *other = Value::Object(Map::new()),
        },
        _ => *place = nested(rng),
    }
}
