//! Topics as subjects: `graph.east` is kept under `topics.graph.east`.

use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use picket_core::ports::{PortError, PortResult, TopicValue};

const ROOT: &str = "topics.";

/// The subject of a topic: tokens of letters, digits, `-` and `_`, joined by dots.
///
/// # Errors
/// `Refused` for anything else.
pub fn topic_subject(topic: &str) -> PortResult<String> {
    let token = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if topic.len() <= 255 && topic.split('.').all(token) {
        return Ok(format!("{ROOT}{topic}"));
    }
    let why = "a topic is tokens of letters, digits, - and _, joined by dots, of at most 255 bytes".to_owned();
    Err(PortError::Refused { what: format!("topic `{topic}`"), why })
}

/// Words after `since` on topics that begin with `prefix`, oldest first. One request per word, and one that finds no more.
pub(super) async fn latest(stream: &Stream, prefix: &str, since: u64) -> PortResult<Vec<TopicValue>> {
    // The server matches whole tokens; the rest of the prefix is matched here.
    let filter = match prefix.rsplit_once('.') {
        Some((tokens, _)) => format!("{}.>", topic_subject(tokens)?),
        None => format!("{ROOT}>"),
    };
    let mut values = Vec::new();
    let mut after = since;
    loop {
        let message = match stream.direct_get_builder().sequence(after.saturating_add(1)).next_by_subject(filter.clone()).send().await {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), DirectGetErrorKind::NotFound) => return Ok(values),
            Err(error) if matches!(error.kind(), DirectGetErrorKind::TimedOut) => {
                return Err(PortError::Timeout { what: "NATS stream PICKET_TOPICS".to_owned() });
            }
            Err(error) => return Err(PortError::Unavailable { what: "NATS stream PICKET_TOPICS".to_owned(), why: error.to_string() }),
        };
        after = message.sequence;
        if let Some(topic) = message.subject.strip_prefix(ROOT).filter(|topic| topic.starts_with(prefix)) {
            values.push(TopicValue { topic: topic.to_owned(), value: message.payload.to_vec(), revision: message.sequence });
        }
    }
}
