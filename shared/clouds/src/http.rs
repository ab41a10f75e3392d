//! One request, one answer: with a deadline, a limit, and without retries below it.

use crate::error::CloudError;
use std::time::{Duration, Instant};

/// No answer that an executor asks for comes near this.
const ANSWER_MAX_BYTES: usize = 2 << 20;
const CONNECT: Duration = Duration::from_secs(2);

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// No connection was made: nothing can have happened.
    NotSent(String),
    /// It was sent, or may have been; what became of it nobody knows.
    Unknown(String),
    /// None came within the deadline.
    InTime,
}

/// What a server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Retry-After` in whole seconds, the only form that Azure sends; at most an hour.
    #[cfg(feature = "azure")]
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse::<u64>().ok().map(|seconds| seconds.min(3600))
    }
}

/// Sends requests to the clouds.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// `None` where the settings name addresses of this machine only.
    far: Option<reqwest::Client>,
    /// For addresses of this machine or its host, in the clear: no proxy stands before them, and no certificate is trusted.
    near: reqwest::Client,
}

impl Http {
    /// `far`: whether anything beyond this machine is to be reached.
    ///
    /// # Errors
    /// When the TLS stack cannot be set up.
    pub(crate) fn new(far: bool) -> Result<Self, CloudError> {
        let build = |builder: reqwest::ClientBuilder| {
            let builder = builder.connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none());
            // A write is sent once; whether it may be sent again is not for a transport to decide.
            builder.retry(reqwest::retry::never()).build().map_err(|e| CloudError::new("the HTTP client", e.to_string()))
        };
        let far = far.then(|| build(reqwest::Client::builder())).transpose()?;
        Ok(Self { far, near: build(reqwest::Client::builder().no_proxy().tls_certs_only([]))? })
    }

    /// Starts a request.
    pub(crate) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let near = url.starts_with("http:") && is_near(url);
        self.far.as_ref().filter(|_| !near).unwrap_or(&self.near).request(method, url)
    }

    /// Sends it, and reads all of the answer within `limit`.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder, limit: Duration) -> Result<Answer, Unanswered> {
        let begun = Instant::now();
        let answer = tokio::time::timeout(limit, read(request)).await.unwrap_or(Err(Unanswered::InTime));
        // A process that was stopped finds the answer when it goes on; it is as late as none.
        if begun.elapsed() > limit + CONNECT { Err(Unanswered::InTime) } else { answer }
    }
}

/// Whether an address is of this machine, or link-local.
pub(crate) fn is_near(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip == std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
            Err(_) => false,
        },
        None => false,
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Answer, Unanswered> {
    let mut response = request.send().await.map_err(unanswered)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(Unanswered::Unknown("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// The address is left out: a query may hold what must not be logged.
fn unanswered(error: reqwest::Error) -> Unanswered {
    let error = error.without_url();
    let words = || {
        let mut words = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            words.push_str(": ");
            words.push_str(&inner.to_string());
            cause = inner.source();
        }
        words
    };
    if error.is_connect() || error.is_builder() {
        Unanswered::NotSent(words())
    } else if error.is_timeout() {
        Unanswered::InTime
    } else {
        Unanswered::Unknown(words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_host_are_near() {
        for near in ["http://localhost:1/", "http://127.0.0.1:8080/", "http://169.254.170.2/x", "http://[::1]/", "http://[fd00:ec2::23]/"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["https://ecs.eu-west-1.amazonaws.com/", "http://169.254.169.254.example.com/", "http://10.0.0.1/", "nonsense"] {
            assert!(!is_near(far), "{far}");
        }
    }
}
