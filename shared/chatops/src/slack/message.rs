//! A message in Block Kit: pure, within Slack's limits (Slack, "Block Kit", "Formatting text").
//!
//! Texts from outside stand in `plain_text` objects, where no markup is read, with `&<>` escaped and without emoji codes. The one `mrkdwn`
//! text is picket's own.

use super::button::{ButtonKey, Question, Verb};
use super::interaction::OPEN_ACTION_ID;
use crate::bridge::decide::Say;
use crate::dashboard_link::Dashboard;
use crate::people::PersonName;
use crate::summary::Summary;
use crate::text::escaped;
use crate::words;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::time::Timestamp;
use serde_json::{Value, json};

/// Slack's limits, in UTF-16 units.
const HEADER_MAX: usize = 150;
const SECTION_MAX: usize = 3000;
const FIELD_MAX: usize = 2000;
const CONTEXT_MAX: usize = 2000;
/// Fields of one section.
const FIELDS_MAX: usize = 10;
/// The text of a notification; Slack cuts at 4000.
const TEXT_MAX: usize = 1000;
/// A question of which the coordinator gives no end is closed after its default time (`approval_ttl`).
const ANSWER_MS: i64 = 15 * 60_000;

/// What is posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// For notifications, where blocks are not shown.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
}

/// What a message needs beside the entry.
#[derive(Copy, Clone, Debug)]
pub struct Scene<'a> {
    /// Seals buttons; `None` where nobody listens for presses, and then there are none.
    pub key: Option<&'a ButtonKey>,
    /// Where the entry is on the dashboard.
    pub dashboard: &'a Dashboard,
    /// The stop epoch as of which the question is put.
    pub stop_epoch: u64,
    /// Run clock.
    pub now: Timestamp,
}

/// What `say` says about the entry. Buttons stand under a question alone.
#[must_use]
pub fn message(say: Say, entry: &LedgerEntry, scene: Scene<'_>) -> Message {
    let summary = Summary::of(say, entry, scene.now);
    let buttons = match (say, scene.key) {
        (Say::Ask, Some(key)) => answers(key, entry, scene),
        _ => Vec::new(),
    };
    rendered(&summary, &entry.id, buttons, scene.dashboard)
}

/// The ledger does not know the entry any more.
#[must_use]
pub fn gone(id: &EntryId, dashboard: &Dashboard) -> Message {
    rendered(&Summary::gone(id), id, Vec::new(), dashboard)
}

/// A decision about an entry that the board does not know.
#[must_use]
pub fn decided_by(verb: Verb, by: &PersonName, id: &EntryId, dashboard: &Dashboard) -> Message {
    let did = match verb {
        Verb::Approve => "Approved",
        Verb::Deny => "Denied",
    };
    let title = crate::text::clean(&format!("{did}: {id}"), HEADER_MAX);
    let facts = vec![("By", format!("human:{by}"))];
    rendered(&Summary { title, facts, body: String::new(), ..Summary::gone(id) }, id, Vec::new(), dashboard)
}

fn rendered(summary: &Summary, id: &EntryId, mut buttons: Vec<Value>, dashboard: &Dashboard) -> Message {
    let mut blocks = vec![json!({ "type": "header", "text": plain(&summary.title, HEADER_MAX) })];
    if !summary.body.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&summary.body, SECTION_MAX) }));
    }
    let fields: Vec<_> =
        summary.facts.iter().take(FIELDS_MAX).map(|(label, value)| plain(&format!("{label}\n{value}"), FIELD_MAX)).collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let mut context = vec![plain(&summary.foot, CONTEXT_MAX)];
    if let Some(until) = summary.until {
        context.push(json!({ "type": "mrkdwn", "verbatim": true, "text": local_time("Answer until ", until) }));
    }
    blocks.push(json!({ "type": "context", "elements": context }));
    buttons.extend(
        dashboard
            .entry(id)
            .map(|url| json!({ "type": "button", "action_id": OPEN_ACTION_ID, "text": plain("Open the dashboard", 75), "url": url })),
    );
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    Message { text: mild(&summary.title, TEXT_MAX), blocks }
}

fn answers(key: &ButtonKey, entry: &LedgerEntry, scene: Scene<'_>) -> Vec<Value> {
    let question = Question {
        entry: entry.id.clone(),
        digest: entry.digest.clone(),
        stop_epoch: scene.stop_epoch,
        expires: entry.deadline.unwrap_or(scene.now.plus_ms(ANSWER_MS)),
    };
    let button = |verb: Verb, text: &str, style: &str| {
        let value = key.seal(verb, &question)?;
        Some(json!({ "type": "button", "action_id": verb.action_id(), "text": plain(text, 75), "style": style, "value": value }))
    };
    let Some(mut approve) = button(Verb::Approve, "Approve", "primary") else { return Vec::new() };
    // Asked back once: a thumb on a telephone is quick.
    approve["confirm"] = json!({
        "title": plain("Approve this act?", 100),
        "text": plain(&crate::summary::act(entry), 300),
        "confirm": plain("Approve", 30),
        "deny": plain("Not yet", 30),
    });
    [Some(approve), button(Verb::Deny, "Deny", "danger")].into_iter().flatten().collect()
}

/// A text object in which nothing is read as markup.
fn plain(text: &str, max: usize) -> Value {
    json!({ "type": "plain_text", "emoji": false, "text": mild(text, max) })
}

/// Escapes what Slack's control sequences begin with.
fn mild(text: &str, max: usize) -> String {
    escaped(text, max, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// A time in the reader's own zone. Slack wants a positive number of seconds.
fn local_time(before: &str, at: Timestamp) -> String {
    let utc = words::time_of_day(at);
    match at.0.div_euclid(1000) {
        s @ 1..=4_102_444_800 => format!("{before}<!date^{s}^{{time_secs}}|{utc}>"),
        _ => format!("{before}{utc}"),
    }
}

/// Bodies of Slack's three ways in.
impl Message {
    /// For an incoming webhook or, with a channel, for `chat.postMessage`. Nothing in it is linked, unfurled or turned into a mention.
    #[must_use]
    pub fn to_post(&self, channel: Option<&str>) -> Value {
        let mut body = json!({
            "text": self.text, "blocks": self.blocks, "mrkdwn": false, "parse": "none", "link_names": false,
            "unfurl_links": false, "unfurl_media": false,
        });
        if let Some(channel) = channel {
            body["channel"] = channel.into();
        }
        body
    }

    /// For `chat.update`.
    #[must_use]
    pub fn to_update(&self, channel: &str, ts: &str) -> Value {
        json!({ "channel": channel, "ts": ts, "text": self.text, "blocks": self.blocks, "parse": "none", "link_names": false })
    }

    /// For a `response_url`: in place of the message whose button was pressed.
    #[must_use]
    pub fn to_replace(&self) -> Value {
        json!({ "replace_original": true, "text": self.text, "blocks": self.blocks, "parse": "none", "link_names": false })
    }
}

/// For a `response_url`: a line that only the one who pressed sees.
#[must_use]
pub fn whisper(text: &str) -> Value {
    let text = mild(&crate::text::clean(text, TEXT_MAX), TEXT_MAX);
    let block = json!({ "type": "section", "text": { "type": "plain_text", "emoji": false, "text": text } });
    json!({ "response_type": "ephemeral", "replace_original": false, "text": text, "blocks": [block], "mrkdwn": false, "parse": "none" })
}
