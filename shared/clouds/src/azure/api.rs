//! Requests to the resource manager.

use super::credentials::Credentials;
use crate::clock::Clock;
use crate::error::{Call, unanswered};
use crate::http::{Answer, Http};
use crate::settings::CloudSettings;
use picket_core::ports::{PortError, PortResult};
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The way to Azure.
#[derive(Debug)]
pub(super) struct Api {
    http: Http,
    credentials: Credentials,
    management: String,
    timeout: Duration,
}

/// A conditional write.
pub(super) struct Write<'a> {
    pub method: Method,
    pub if_match: &'a str,
    pub body: &'a Value,
}

impl Api {
    pub(super) fn new(http: Http, settings: &CloudSettings, clock: Arc<dyn Clock>) -> Self {
        let management = settings.azure.endpoints.management.trim_end_matches('/').to_owned();
        let credentials = Credentials::new(http.clone(), settings.azure.clone(), clock);
        Self { http, credentials, management, timeout: Duration::from_millis(settings.timeout_ms) }
    }

    /// A resource by its path, whatever is answered.
    pub(super) async fn get(&self, what: &str, path: &str, version: &str, until: Instant) -> PortResult<Answer> {
        let request = self.http.request(Method::GET, &format!("{}{path}", self.management)).query(&[("api-version", version)]);
        self.send(what, Call::Read, request, until).await
    }

    /// The state of an operation, at the address that a write's answer named.
    pub(super) async fn follow(&self, what: &str, url: &str, until: Instant) -> PortResult<Answer> {
        if !self.is_ours(url) {
            return Err(PortError::Refused {
                what: what.to_owned(),
                why: "the operation is said to be followed at another host".to_owned(),
            });
        }
        self.send(what, Call::Read, self.http.request(Method::GET, url), until).await
    }

    /// One write, whatever is answered.
    pub(super) async fn write(&self, what: &str, path: &str, version: &str, write: Write<'_>, until: Instant) -> PortResult<Answer> {
        let request = self.http.request(write.method, &format!("{}{path}", self.management)).query(&[("api-version", version)]);
        self.send(what, Call::Write, request.header("if-match", write.if_match).json(write.body), until).await
    }

    async fn send(&self, what: &str, call: Call, request: reqwest::RequestBuilder, until: Instant) -> PortResult<Answer> {
        let token = self.credentials.get().await?;
        let limit = self.timeout.min(until.saturating_duration_since(Instant::now()));
        if limit.is_zero() {
            return Err(PortError::Timeout { what: format!("{what}: nothing was sent, the time is up") });
        }
        let answer = self.http.send(request.bearer_auth(token.reveal()), limit).await.map_err(|e| unanswered(what, call, e))?;
        if answer.status == 401 {
            self.credentials.discard(&token).await;
        }
        Ok(answer)
    }

    /// The bearer token goes to the configured host and to no other.
    fn is_ours(&self, url: &str) -> bool {
        let parse = |text: &str| reqwest::Url::parse(text).ok();
        parse(url).zip(parse(&self.management)).is_some_and(|(url, ours)| url.origin() == ours.origin() && url.username().is_empty())
    }
}
