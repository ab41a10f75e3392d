//! One way out: a JSON body is posted, with a deadline, a bounded answer, and retries where the other side may do better next time.

use crate::retry::{Backoff, retry_after_ms};
use crate::secret::Secret;
use picket_core::ports::{PortError, PortResult};
use reqwest::{StatusCode, Url, header};
use serde_json::Value;
use std::time::Duration;

/// Answers are a few words; what is beyond this is not read.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// Longest part of an answer that is repeated in an error.
const SAID_CHARS_MAX: usize = 200;

/// Posts to the outside.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    deadline: Duration,
    backoff: Backoff,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// What it asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Body, at most 64 KiB of it.
    pub body: Vec<u8>,
}

/// What a reply means.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// Taken.
    Done,
    /// Not taken; the same may be taken later.
    Again(String),
    /// Not taken, and never will be.
    Never(PortError),
}

impl Reply {
    /// The beginning of the body, for an error.
    #[must_use]
    pub fn said(&self) -> String {
        crate::text::clean(&String::from_utf8_lossy(&self.body), SAID_CHARS_MAX)
    }

    /// By status alone: 2xx is taken; 408, 429 and 5xx may be taken later; anything else never.
    #[must_use]
    pub fn by_status(&self, what: &str) -> Judged {
        let why = || format!("{} {}", self.status.as_u16(), self.said());
        match self.status {
            s if s.is_success() => Judged::Done,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Judged::Again(why()),
            s if s.is_server_error() => Judged::Again(why()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Judged::Never(PortError::NotFound { what: format!("{what} ({})", why()) }),
            _ => Judged::Never(PortError::Refused { what: what.to_owned(), why: why() }),
        }
    }
}

impl Http {
    /// `deadline`: of one try. Redirects are not followed: where to post is checked before, and nobody may send it elsewhere.
    ///
    /// # Errors
    /// `Unavailable` when the system gives no TLS client.
    pub fn new(deadline: Duration, backoff: Backoff) -> PortResult<Self> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may be first; either is the same provider.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(deadline)
            .timeout(deadline)
            .build()
            .map_err(|e| PortError::Unavailable { what: "the HTTP client".into(), why: e.without_url().to_string() })?;
        Ok(Self { client, deadline, backoff })
    }

    /// Deadline of one try, in milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX)
    }

    /// Posts until it is taken, refused for good, or tried often enough. `what` names the other side in errors, which never hold the
    /// address: an incoming webhook's address is its secret.
    ///
    /// # Errors
    /// As judged; `Full` when the other side asks for a longer wait than a call sits out; `Unavailable` or `Timeout` when the tries are used up.
    pub async fn post(
        &self,
        what: &str,
        to: &Url,
        bearer: Option<&Secret>,
        body: &Value,
        judge: impl Fn(&Reply) -> Judged + Send + Sync,
    ) -> PortResult<Reply> {
        let mut tried = 0;
        loop {
            let sent = self.once(what, to, bearer, body).await;
            tried += 1;
            let (failed, asked_ms) = match sent {
                Ok(reply) => match judge(&reply) {
                    Judged::Done => return Ok(reply),
                    Judged::Never(error) => return Err(error),
                    Judged::Again(why) => (PortError::Unavailable { what: what.to_owned(), why }, reply.retry_after_ms),
                },
                Err(error) => (error, None),
            };
            match (self.backoff.wait_ms(tried, asked_ms, rand::random()), asked_ms) {
                (Some(wait_ms), _) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                (None, Some(retry_after_ms)) => return Err(PortError::Full { what: what.to_owned(), retry_after_ms }),
                (None, None) => return Err(failed),
            }
        }
    }

    async fn once(&self, what: &str, to: &Url, bearer: Option<&Secret>, body: &Value) -> PortResult<Reply> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                PortError::Timeout { what: what.to_owned() }
            } else {
                PortError::Unavailable { what: what.to_owned(), why: causes(&error.without_url()) }
            }
        };
        let mut request = self.client.post(to.clone()).header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        if let Some(token) = bearer {
            request = request.bearer_auth(token.expose());
        }
        let mut response = request.body(body.to_string()).send().await.map_err(failed)?;
        let status = response.status();
        let retry_after_ms = retry_after_ms(response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()));
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = REPLY_BYTES_MAX - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Reply { status, retry_after_ms, body: read })
    }
}

/// An error with what caused it: "error sending request" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Checks an address that secrets and texts are sent to: https, no user or password in it; plain http on loopback alone (tests, a local relay).
///
/// # Errors
/// In words, without the address.
pub fn outside_url(text: &str) -> Result<Url, String> {
    const CHARS_MAX: usize = 2048;
    if text.len() > CHARS_MAX {
        return Err(format!("is longer than {CHARS_MAX} characters"));
    }
    let url = Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or password".to_owned());
    }
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" if url.host_str().is_some() => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err("must be https (http on 127.0.0.1 alone)".to_owned()),
    }
}
