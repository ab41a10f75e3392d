//! Anthropic's Messages API, version 2023-06-01.

use picket_core::opinion::{ModelReply, ModelRequest, Unusable, Usage};
use serde_json::{Value, json};

pub(super) const PATH: &str = "/messages";
pub(super) const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const TOOL: &str = "answer";

/// Models from before structured outputs: they are made to call a tool whose input is the answer.
const BY_TOOL: [&str; 6] = ["claude-2", "claude-3", "claude-instant", "claude-sonnet-4-0", "claude-sonnet-4-2025", "claude-opus-4-2025"];

fn answers_by_tool(model: &str) -> bool {
    BY_TOOL.iter().any(|beginning| model.starts_with(beginning))
}

pub(super) fn body(model: &str, request: &ModelRequest) -> Value {
    let mut body = json!({
        "model": model,
        "max_tokens": request.output_tokens_max,
        "system": request.instructions,
        "messages": [{ "role": "user", "content": request.data }],
    });
    if answers_by_tool(model) {
        body["tools"] = json!([{ "name": TOOL, "description": "Gives the answer.", "input_schema": request.schema }]);
        body["tool_choice"] = json!({ "type": "tool", "name": TOOL });
    } else {
        body["output_config"] = json!({ "format": { "type": "json_schema", "schema": request.schema } });
    }
    body
}

pub(super) fn reply(model: &str, answer: &Value) -> ModelReply {
    let count = |name: &str| answer["usage"][name].as_u64().unwrap_or(0);
    let usage = answer["usage"].is_object().then(|| Usage {
        input_tokens: count("input_tokens") + count("cache_creation_input_tokens") + count("cache_read_input_tokens"),
        output_tokens: count("output_tokens"),
    });
    let text = match answer["stop_reason"].as_str() {
        Some("end_turn" | "stop_sequence" | "tool_use") => content(model, answer),
        Some("refusal") => Err(Unusable::Refused),
        Some("max_tokens" | "model_context_window_exceeded") => Err(Unusable::Truncated),
        _ => Err(Unusable::Malformed { why: "it ended for a reason that is not known".to_owned() }),
    };
    ModelReply { text, usage }
}

fn content(model: &str, answer: &Value) -> Result<String, Unusable> {
    let blocks = answer["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let called = || blocks.iter().find(|b| b["type"] == "tool_use" && b["name"] == TOOL).map(|b| b["input"].to_string());
    let said = || -> String { blocks.iter().filter(|b| b["type"] == "text").filter_map(|b| b["text"].as_str()).collect() };
    let text = if answers_by_tool(model) { called().unwrap_or_default() } else { said() };
    if text.is_empty() { Err(Unusable::Malformed { why: "it is empty".to_owned() }) } else { Ok(text) }
}
