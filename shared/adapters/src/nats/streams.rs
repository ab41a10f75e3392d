//! The two streams, and the check that the server runs them as they were asked for.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use picket_core::ports::{PortError, PortResult};
use std::time::Duration;

/// The stream of telemetry.
pub(super) const TELEMETRY: &str = "TELEMETRY";
/// The stream of the latest words.
pub(super) const TOPICS: &str = "PICKET_TOPICS";

/// Bounds of the streams. Every process of a mesh uses the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Most bytes of telemetry on disk. When they are there, publishing is refused (`Full`) until the oldest grow too old.
    pub telemetry_max_bytes: i64,
    /// Telemetry older than this is dropped.
    pub telemetry_max_age_s: u64,
    /// A batch published again within this time is not stored again.
    pub duplicate_window_s: u64,
    /// Most bytes of topics on disk; beyond, the oldest words go.
    pub topics_max_bytes: i64,
    /// A topic not spoken of for this long is dropped.
    pub topics_max_age_s: u64,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            // Compressed telemetry of 40 services at 5 s and 20 times real time is about 0.2 MB/s: 0.7 GB in the hour it is kept.
            telemetry_max_bytes: 2 << 30,
            telemetry_max_age_s: 3_600,
            duplicate_window_s: 120,
            topics_max_bytes: 256 << 20,
            topics_max_age_s: 7 * 86_400,
        }
    }
}

impl StreamSettings {
    /// Telemetry leaves by age alone. A full stream refuses the newest (`DiscardPolicy::New`) instead of dropping the oldest: the
    /// refusal reaches the sender as a retry delay, while a drop would be silent.
    fn telemetry(&self) -> Config {
        Config {
            name: TELEMETRY.to_owned(),
            subjects: vec!["telemetry.>".to_owned(), "replay.>".to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_bytes: self.telemetry_max_bytes,
            max_age: Duration::from_secs(self.telemetry_max_age_s),
            duplicate_window: Duration::from_secs(self.duplicate_window_s),
            num_replicas: 1,
            ..Config::default()
        }
    }

    /// One word per topic, and direct reads: Debian's nats-server 2.9 refuses the key-value bucket of newer clients.
    fn topics(&self) -> Config {
        Config {
            name: TOPICS.to_owned(),
            subjects: vec!["topics.>".to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            max_messages_per_subject: 1,
            max_bytes: self.topics_max_bytes,
            max_age: Duration::from_secs(self.topics_max_age_s),
            duplicate_window: Duration::from_secs(self.duplicate_window_s.min(self.topics_max_age_s)),
            allow_direct: true,
            num_replicas: 1,
            ..Config::default()
        }
    }

    /// Creates or updates both streams and compares what the server says it runs with what was asked.
    pub(super) async fn ensure(&self, context: &Context) -> PortResult<(Stream, Stream)> {
        Ok((ensure(context, self.telemetry()).await?, ensure(context, self.topics()).await?))
    }
}

async fn ensure(context: &Context, wanted: Config) -> PortResult<Stream> {
    let name = wanted.name.clone();
    let unavailable = |why: String| PortError::Unavailable { what: format!("NATS stream {name}"), why };
    context.create_or_update_stream(wanted.clone()).await.map_err(|error| unavailable(error.to_string()))?;
    let stream = context.get_stream(&name).await.map_err(|error| unavailable(error.to_string()))?;
    let different = differences(&wanted, &stream.cached_info().config);
    if different.is_empty() {
        return Ok(stream);
    }
    let why = format!(
        "the server runs it with other settings than asked for ({}): use nats-server 2.9 or newer, or delete the stream",
        different.join("; ")
    );
    Err(PortError::Refused { what: format!("NATS stream {name}"), why })
}

/// A server silently ignores options it does not know: only its echo tells.
fn differences(wanted: &Config, got: &Config) -> Vec<String> {
    let pairs = [
        ("subjects", format!("{:?}", wanted.subjects), format!("{:?}", got.subjects)),
        ("storage", format!("{:?}", wanted.storage), format!("{:?}", got.storage)),
        ("retention", format!("{:?}", wanted.retention), format!("{:?}", got.retention)),
        ("discard", format!("{:?}", wanted.discard), format!("{:?}", got.discard)),
        ("max_bytes", wanted.max_bytes.to_string(), got.max_bytes.to_string()),
        ("max_age", format!("{:?}", wanted.max_age), format!("{:?}", got.max_age)),
        ("duplicate_window", format!("{:?}", wanted.duplicate_window), format!("{:?}", got.duplicate_window)),
        ("allow_direct", wanted.allow_direct.to_string(), got.allow_direct.to_string()),
        // 0 and -1 both mean "any number"; the server echoes -1.
        ("max_msgs_per_subject", wanted.max_messages_per_subject.max(0).to_string(), got.max_messages_per_subject.max(0).to_string()),
    ];
    pairs
        .into_iter()
        .filter(|(_, want, got)| want != got)
        .map(|(option, want, got)| format!("{option}: wanted {want}, found {got}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_a_server_ignored_is_named() {
        let wanted = StreamSettings::default().topics();
        let mut got = wanted.clone();
        assert!(differences(&wanted, &got).is_empty());
        got.allow_direct = false;
        assert_eq!(differences(&wanted, &got), ["allow_direct: wanted true, found false"]);
    }
}
