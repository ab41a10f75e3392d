//! Signed requests to AWS, in its two older protocols: JSON 1.1 (ECS) and Query (Auto Scaling).

use super::credentials::Credentials;
use super::error::Failure;
use super::sign::{Scope, Unsigned, signature};
use super::sources::Sources;
use crate::clock::Clock;
use crate::error::CloudError;
use crate::http::{Answer, Http};
use crate::settings::{AwsEndpoints, CloudSettings};
use picket_core::ports::PortError;
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ECS_TARGET: &str = "AmazonEC2ContainerServiceV20141113";
const AUTOSCALING_VERSION: &str = "2011-01-01";

/// When a request is signed, and until when an answer is waited for.
#[derive(Copy, Clone, Debug)]
pub(super) struct Moment {
    /// Seconds since the Unix epoch, by this machine's clock. A write bears the time at which its act began, however late it is sent: so AWS
    /// refuses what was held up.
    pub signed_s: i64,
    /// By the monotonic clock.
    pub until: Instant,
}

/// What AWS said, and when by its own clock.
#[derive(Clone, Debug)]
pub(super) struct Reply<T> {
    /// `Date` of the answer: seconds since the Unix epoch.
    pub seen_s: i64,
    pub body: T,
}

/// The way to AWS.
#[derive(Debug)]
pub(super) struct Api {
    http: Http,
    credentials: Credentials,
    endpoints: AwsEndpoints,
    timeout: Duration,
}

impl Api {
    /// # Errors
    /// When the settings name credentials that are not there.
    pub(super) fn new(
        http: Http,
        settings: &CloudSettings,
        clock: Arc<dyn Clock>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CloudError> {
        let endpoints = settings.aws.endpoints.clone();
        let sources = Sources::new(http.clone(), &settings.aws.credentials, &endpoints, env)?;
        let timeout = Duration::from_millis(settings.timeout_ms);
        Ok(Self { http, credentials: Credentials::new(sources, clock), endpoints, timeout })
    }

    /// An operation of ECS.
    pub(super) async fn ecs(&self, region: &str, operation: &str, body: &Value, moment: Moment) -> Result<Reply<Value>, Failure> {
        let url = address(self.endpoints.ecs.as_deref(), "ecs", region);
        let headers = [("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amz-target", format!("{ECS_TARGET}.{operation}"))];
        let reply = self.call(&url, "ecs", region, &headers, body.to_string().into_bytes(), moment).await?;
        let body = serde_json::from_slice(&reply.body).map_err(|e| unreadable(operation, &e))?;
        Ok(Reply { seen_s: reply.seen_s, body })
    }

    /// An action of Auto Scaling; the answer is XML.
    pub(super) async fn autoscaling(
        &self,
        region: &str,
        action: &str,
        parameters: &[(&str, &str)],
        moment: Moment,
    ) -> Result<Reply<String>, Failure> {
        let url = address(self.endpoints.autoscaling.as_deref(), "autoscaling", region);
        let all = [&[("Action", action), ("Version", AUTOSCALING_VERSION)], parameters].concat();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let reply = self.call(&url, "autoscaling", region, &headers, super::form(&all).into_bytes(), moment).await?;
        let body = String::from_utf8(reply.body).map_err(|e| unreadable(action, &e))?;
        Ok(Reply { seen_s: reply.seen_s, body })
    }

    async fn call(
        &self,
        url: &str,
        service: &str,
        region: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        moment: Moment,
    ) -> Result<Reply<Vec<u8>>, Failure> {
        let keys = self.credentials.get().await.map_err(Failure::Here)?;
        let unsigned = Unsigned { method: "POST", url, headers, body: &body };
        let scope = Scope { region, service, at_s: moment.signed_s };
        let signed = signature(&unsigned, &scope, &keys)
            .map_err(|why| Failure::Here(PortError::Refused { what: format!("signing for {service}"), why }))?;
        let limit = self.timeout.min(moment.until.saturating_duration_since(Instant::now()));
        if limit.is_zero() {
            return Err(Failure::Here(PortError::Timeout { what: format!("{service}: nothing was sent, the time is up") }));
        }
        let mut request = self.http.request(Method::POST, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let answer = self.http.send(request, limit).await.map_err(Failure::Unanswered)?;
        if !(200..300).contains(&answer.status) {
            let failure = Failure::read(&answer);
            if failure.wants_new_keys() {
                self.credentials.discard(&keys).await;
            }
            return Err(failure);
        }
        let seen_s = date(&answer).ok_or_else(|| unreadable(service, &"it bears no date"))?;
        Ok(Reply { seen_s, body: answer.body })
    }
}

fn address(set: Option<&str>, service: &str, region: &str) -> String {
    match set {
        Some(url) => url.replace("{region}", region),
        None => format!("https://{service}.{region}.amazonaws.com/"),
    }
}

fn date(answer: &Answer) -> Option<i64> {
    let at = httpdate::parse_http_date(answer.header("date")?).ok()?;
    i64::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// A good answer that cannot be read: what was asked for was done.
fn unreadable(what: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::Unanswered(crate::http::Unanswered::Unknown(format!("the answer to {what} cannot be read: {why}")))
}
