//! A message as an Adaptive Card: pure, and small enough for a workflow (28 KB).

use crate::dashboard_link::Dashboard;
use crate::summary::Summary;
use crate::text::escaped;
use picket_core::ids::EntryId;
use serde_json::{Value, json};

/// Longest text of one element, in UTF-16 units; all of them together stay far below 28 KB.
const TEXT_MAX: usize = 2000;

/// The body of the webhook's POST. Texts from outside stand in text runs, where no Markdown is read; in facts, where it is, it is escaped.
#[must_use]
pub fn card(summary: &Summary, id: &EntryId, dashboard: &Dashboard) -> Value {
    let mut body = vec![run(&summary.title, "Large", "Bolder")];
    if !summary.body.is_empty() {
        body.push(run(&summary.body, "Default", "Default"));
    }
    let facts: Vec<_> = summary.facts.iter().map(|(label, value)| json!({ "title": label, "value": mild(value) })).collect();
    if !facts.is_empty() {
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    body.push(run(&summary.foot, "Small", "Lighter"));
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "fallbackText": mild(&summary.title), "body": body, "msteams": { "width": "Full" },
    });
    if let Some(url) = dashboard.entry(id) {
        content["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open the dashboard", "url": url }]);
    }
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": content });
    json!({ "type": "message", "attachments": [attachment] })
}

fn run(text: &str, size: &str, weight: &str) -> Value {
    let text = escaped(text, TEXT_MAX, |_| None);
    json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "size": size, "weight": weight }] })
}

/// Markdown's own characters, escaped; `<` too, because `<at>` names people.
fn mild(text: &str) -> String {
    escaped(text, TEXT_MAX, |c| match c {
        '\\' => Some("\\\\"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '(' => Some("\\("),
        ')' => Some("\\)"),
        '`' => Some("\\`"),
        '~' => Some("\\~"),
        '#' => Some("\\#"),
        '!' => Some("\\!"),
        '|' => Some("\\|"),
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}
