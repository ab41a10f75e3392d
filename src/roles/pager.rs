//! Pages people: a log line always, and an HTTP POST when the configuration names where.

use picket_core::ports::{Notifier, PortError, PortResult};
use std::time::Duration;

/// Pages by the log and, when set, by HTTP.
#[derive(Clone, Debug)]
pub struct Pager {
    url: Option<String>,
    http: reqwest::Client,
}

/// Deadline of one page.
const TIMEOUT: Duration = Duration::from_secs(3);

impl Pager {
    /// `url` empty: the log alone.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: (!url.is_empty()).then(|| url.to_owned()), http: reqwest::Client::new() }
    }
}

impl Notifier for Pager {
    async fn notify(&self, key: &str, text: &str) -> PortResult<()> {
        tracing::warn!(key, text, "page");
        let Some(url) = &self.url else { return Ok(()) };
        let unavailable = |why: String| PortError::Unavailable { what: format!("the pager at {url}"), why };
        let answer = self.http.post(url).timeout(TIMEOUT).json(&serde_json::json!({ "key": key, "text": text })).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(unavailable(answer.status().to_string())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
}
