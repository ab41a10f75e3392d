//! One call: the request as the provider wants it, tries with pauses, and what its answer means. All within one deadline.

use super::key::ApiKey;
use super::retry::{ATTEMPTS_MAX, asked, pause};
use super::{anthropic, openai};
use picket_core::config::ReasonerProvider;
use picket_core::opinion::{ModelReply, ModelRequest, Unusable};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// No answer that was asked for comes near this.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// Anthropic's status for "everybody is asking".
const OVERLOADED: u16 = 529;

/// Where calls go, and how.
pub(super) struct Line {
    pub http: reqwest::Client,
    pub provider: ReasonerProvider,
    /// Without a slash at its end.
    pub address: String,
    pub model: String,
    pub key: Option<ApiKey>,
    /// The address is the provider's own.
    pub own: bool,
    /// Draws from 0..1, for pauses.
    pub draw: fn() -> f64,
}

/// What became of one try.
enum Tried {
    Done(ModelReply),
    /// It may go better after a pause.
    Again {
        why: Unusable,
        after: Option<Duration>,
    },
}

fn failed(why: Unusable) -> Tried {
    Tried::Done(ModelReply { text: Err(why), usage: None })
}

impl Line {
    /// Calls until there is an answer, trying again cannot help, or `deadline` has come.
    pub(super) async fn call(&self, request: &ModelRequest, deadline: Instant) -> ModelReply {
        let timed_out = |_| ModelReply { text: Err(Unusable::TimedOut), usage: None };
        timeout_at(deadline, self.tries(request, deadline)).await.unwrap_or_else(timed_out)
    }

    async fn tries(&self, request: &ModelRequest, deadline: Instant) -> ModelReply {
        let body = match self.provider {
            ReasonerProvider::Anthropic => anthropic::body(&self.model, request),
            _ => openai::body(&self.model, request, self.own),
        };
        let mut attempt = 0;
        loop {
            let (why, after) = match self.try_once(&body).await {
                Tried::Done(reply) => return reply,
                Tried::Again { why, after } => (why, after),
            };
            let wait = pause(attempt, after, (self.draw)());
            attempt += 1;
            // A pause that ends after the deadline is not begun: the answer is known already.
            if attempt >= ATTEMPTS_MAX || Instant::now() + wait >= deadline {
                return ModelReply { text: Err(why), usage: None };
            }
            sleep(wait).await;
        }
    }

    async fn try_once(&self, body: &Value) -> Tried {
        let unreachable = |error: reqwest::Error| {
            // Without the address, which may hold more than it should.
            let why = if error.is_connect() { "no connection" } else { "the connection broke" };
            Unusable::Unavailable { why: why.to_owned() }
        };
        let request = match self.provider {
            ReasonerProvider::Anthropic => {
                let request =
                    self.http.post(format!("{}{}", self.address, anthropic::PATH)).header(anthropic::VERSION.0, anthropic::VERSION.1);
                self.key.iter().fold(request, |request, key| request.header("x-api-key", sensitive(key.reveal())))
            }
            _ => {
                let request = self.http.post(format!("{}{}", self.address, openai::PATH));
                let bearer = |key: &ApiKey| sensitive(&format!("Bearer {}", key.reveal()));
                self.key.iter().fold(request, |request, key| request.header(reqwest::header::AUTHORIZATION, bearer(key)))
            }
        };
        let mut response = match request.json(body).send().await {
            Ok(response) => response,
            Err(error) => return Tried::Again { why: unreachable(error), after: None },
        };
        let status = response.status().as_u16();
        let after = asked(|name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned));
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > ANSWER_MAX_BYTES => return failed(Unusable::TooLong),
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                // It was answered, and so billed: not asked for again.
                Err(error) => return failed(unreachable(error)),
            }
        }
        self.understand(status, after, &bytes)
    }

    fn understand(&self, status: u16, after: Option<Duration>, bytes: &[u8]) -> Tried {
        let answer: Option<Value> = serde_json::from_slice(bytes).ok();
        let code = answer.as_ref().and_then(error_code).unwrap_or_default();
        match (status, answer) {
            (200..=299, Some(answer)) => Tried::Done(match self.provider {
                ReasonerProvider::Anthropic => anthropic::reply(&self.model, &answer),
                _ => openai::reply(&answer),
            }),
            (200..=299, None) => failed(Unusable::Malformed { why: "its server's answer is not JSON".to_owned() }),
            // An account without money is not a matter of waiting.
            (429, _) if code == "insufficient_quota" => failed(Unusable::Rejected { why: format!("status 429 {code}") }),
            (429 | OVERLOADED, _) => Tried::Again { why: Unusable::RateLimited, after },
            (408 | 500..=599, _) => Tried::Again { why: Unusable::Unavailable { why: format!("status {status}") }, after },
            _ => failed(Unusable::Rejected { why: format!("status {status} {code}").trim_end().to_owned() }),
        }
    }
}

fn sensitive(text: &str) -> reqwest::header::HeaderValue {
    let mut value = reqwest::header::HeaderValue::from_str(text).unwrap_or(reqwest::header::HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The error's name in the provider's catalogue; its message may repeat what was sent, the key included.
fn error_code(answer: &Value) -> Option<String> {
    let error = &answer["error"];
    let name = error["code"].as_str().or_else(|| error["type"].as_str())?;
    (name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))).then(|| name.to_owned())
}
