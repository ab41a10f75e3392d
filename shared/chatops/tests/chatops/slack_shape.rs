//! Slack's documented shapes and limits, written from the documentation and not from the code: whatever is posted must pass.

use serde_json::Value;

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn keys<'a>(value: &'a Value, allowed: &[&str], at: &str) -> &'a serde_json::Map<String, Value> {
    let map = value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}"));
    for key in map.keys() {
        assert!(allowed.contains(&key.as_str()), "{at} has an unknown key {key}");
    }
    map
}

/// Control sequences begin with `<`: outside of picket's own times there must be none, and every `&` must begin an entity.
fn is_inert(text: &str) -> bool {
    let rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
    !rest.contains(['<', '>', '&']) && !text.contains("://")
}

fn text_object(value: &Value, max: usize, only_plain: bool, at: &str) {
    let map = keys(value, &["type", "text", "emoji", "verbatim"], at);
    let text = map["text"].as_str().unwrap();
    assert!((1..=max).contains(&units(text)), "{at}: {} units: {text}", units(text));
    match map["type"].as_str().unwrap() {
        "plain_text" => {
            assert!(!map.contains_key("verbatim"), "{at}: verbatim belongs to mrkdwn");
            assert_eq!(map["emoji"], false, "{at}");
            assert!(is_inert(text), "{at}: {text}");
        }
        "mrkdwn" => {
            assert!(!only_plain && !map.contains_key("emoji"), "{at} must be plain_text");
            assert_eq!(map["verbatim"], true, "{at}: nothing may be linked by itself");
            let date = text.strip_prefix("Answer until ").unwrap_or_else(|| panic!("{at} is not picket's own text: {text}"));
            assert!(date.starts_with("<!date^") && date.ends_with("UTC>") && date.matches('<').count() == 1, "{text}");
        }
        other => panic!("{at}: {other}"),
    }
}

fn button(value: &Value, at: &str) {
    let map = keys(value, &["type", "text", "action_id", "url", "value", "style", "confirm"], at);
    assert_eq!(map["type"], "button");
    text_object(&map["text"], 75, true, at);
    assert!((1..=255).contains(&map["action_id"].as_str().unwrap().len()));
    if let Some(value) = map.get("value") {
        assert!(units(value.as_str().unwrap()) <= 2000, "{at}");
    }
    if let Some(url) = map.get("url") {
        assert!(url.as_str().unwrap().len() <= 3000 && url.as_str().unwrap().starts_with("http"), "{at}");
    }
    if let Some(style) = map.get("style") {
        assert!(style == "primary" || style == "danger");
    }
    if let Some(confirm) = map.get("confirm") {
        let confirm = keys(confirm, &["title", "text", "confirm", "deny", "style"], at);
        for (key, max) in [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)] {
            text_object(&confirm[key], max, true, key);
        }
    }
}

/// Checks the blocks of a message.
pub fn check_blocks(blocks: &Value) {
    let blocks = blocks.as_array().expect("blocks are a list");
    assert!((1..=50).contains(&blocks.len()));
    for (n, block) in blocks.iter().enumerate() {
        let at = format!("block {n}");
        match block["type"].as_str().unwrap() {
            "header" => text_object(&keys(block, &["type", "text"], &at)["text"], 150, true, &at),
            "section" => {
                let map = keys(block, &["type", "text", "fields"], &at);
                assert!(map.contains_key("text") || map.contains_key("fields"), "{at} says nothing");
                map.get("text").into_iter().for_each(|t| text_object(t, 3000, false, &at));
                if let Some(fields) = map.get("fields") {
                    let fields = fields.as_array().unwrap();
                    assert!((1..=10).contains(&fields.len()), "{at}");
                    fields.iter().for_each(|f| text_object(f, 2000, false, &at));
                }
            }
            "context" => {
                let elements = keys(block, &["type", "elements"], &at)["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()), "{at}");
                elements.iter().for_each(|e| text_object(e, 2000, false, &at));
            }
            "actions" => {
                let elements = keys(block, &["type", "elements"], &at)["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()), "{at}");
                elements.iter().for_each(|e| button(e, &at));
                let mut ids: Vec<_> = elements.iter().map(|e| e["action_id"].as_str().unwrap()).collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), elements.len(), "{at}: an action_id stands twice");
            }
            other => panic!("{at}: {other}"),
        }
    }
}

/// Checks a whole body that is posted.
pub fn check_body(body: &Value) {
    check_blocks(&body["blocks"]);
    let text = body["text"].as_str().unwrap();
    assert!((1..=4000).contains(&units(text)) && is_inert(text), "{text}");
    assert_eq!(body["parse"], "none");
}

/// The `value` of the button with this `action_id`.
pub fn value_of(blocks: &Value, action_id: &str) -> Option<String> {
    let blocks = blocks.as_array()?;
    let elements = blocks.iter().filter_map(|b| b["elements"].as_array()).flatten();
    elements.filter(|e| e["action_id"] == action_id).find_map(|e| e["value"].as_str().map(str::to_owned))
}

/// Every text in it, joined.
pub fn all_text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(all) => all.iter().map(all_text).collect(),
        Value::Object(map) => map.values().map(all_text).collect(),
        _ => String::new(),
    }
}
