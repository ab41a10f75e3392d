//! OpenAI's Chat Completions API, and the servers that are compatible with it.

use picket_core::opinion::{ModelReply, ModelRequest, Unusable, Usage};
use serde_json::{Value, json};

pub(super) const PATH: &str = "/chat/completions";

/// `own` is OpenAI's server: its newer models know the limit by its new name alone, most compatible servers by the old one alone.
pub(super) fn body(model: &str, request: &ModelRequest, own: bool) -> Value {
    let limit = if own { "max_completion_tokens" } else { "max_tokens" };
    let mut body = json!({
        "model": model,
        "messages": [
            { "role": "system", "content": request.instructions },
            { "role": "user", "content": request.data },
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": { "name": "diagnosis", "strict": true, "schema": request.schema },
        },
    });
    body[limit] = json!(request.output_tokens_max);
    body
}

pub(super) fn reply(answer: &Value) -> ModelReply {
    let count = |name: &str| answer["usage"][name].as_u64().unwrap_or(0);
    let usage =
        answer["usage"].is_object().then(|| Usage { input_tokens: count("prompt_tokens"), output_tokens: count("completion_tokens") });
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let malformed = |why: &str| Err(Unusable::Malformed { why: why.to_owned() });
    let text = match (choice["finish_reason"].as_str(), message["refusal"].as_str(), message["content"].as_str()) {
        (_, Some(refusal), _) if !refusal.is_empty() => Err(Unusable::Refused),
        (Some("content_filter"), ..) => Err(Unusable::Refused),
        (Some("length"), ..) => Err(Unusable::Truncated),
        (Some("stop"), _, Some(content)) if !content.is_empty() => Ok(content.to_owned()),
        (Some("stop"), ..) => malformed("it is empty"),
        _ => malformed("it ended for a reason that is not known"),
    };
    ModelReply { text, usage }
}
