//! JSON over HTTP to one configured server: bearer token, deadline, bounded answers, no redirects.

use picket_core::ports::{PortError, PortResult};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// An Application with many resources has some hundred KiB.
const ANSWER_MAX_BYTES: usize = 8 << 20;
/// Of a server's words in an error.
const WORDS_MAX: usize = 300;

/// How the token is shown to the server.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Credential {
    /// `Authorization: Bearer`.
    Bearer,
    /// `PRIVATE-TOKEN`, GitLab's.
    PrivateToken,
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: Url,
    token_file: PathBuf,
    credential: Credential,
    what: &'static str,
}

impl Api {
    /// From checked settings. The CA's file is read now, the token's at every call: it may be renewed.
    ///
    /// # Errors
    /// In words, when the CA or the address cannot be used.
    pub(crate) fn new(
        what: &'static str,
        url: &str,
        token_file: &str,
        ca_file: &str,
        credential: Credential,
        timeout: Duration,
    ) -> Result<Self, String> {
        let base = Url::parse(url).map_err(|e| format!("{url}: {e}"))?;
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(timeout).user_agent("picket");
        if matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            builder = builder.no_proxy();
        }
        if !ca_file.is_empty() {
            let pem = std::fs::read(ca_file).map_err(|e| format!("{ca_file}: cannot be read: {e}"))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| format!("{ca_file}: {e}"))?;
            if roots.is_empty() {
                return Err(format!("{ca_file}: it holds no certificate"));
            }
            builder = builder.tls_certs_only(roots);
        }
        let http = builder.build().map_err(|e| format!("{url}: {e}"))?;
        Ok(Self { http, base, token_file: token_file.into(), credential, what })
    }

    /// The address of a path; each step is escaped.
    pub(crate) fn at(&self, steps: &[&str]) -> PortResult<Url> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(steps)),
            Err(()) => return Err(self.refused("its address takes no path")),
        }
        Ok(url)
    }

    /// A read: what fails can be tried again.
    pub(crate) async fn get(&self, url: Url, headers: &[(&'static str, &'static str)]) -> PortResult<Value> {
        self.call(self.http.request(Method::GET, url), headers, false).await
    }

    /// A write: when no answer comes, nobody knows.
    pub(crate) async fn send(&self, method: Method, url: Url, headers: &[(&'static str, &'static str)], body: &Value) -> PortResult<Value> {
        self.call(self.http.request(method, url).json(body), headers, true).await
    }

    async fn call(&self, mut request: RequestBuilder, headers: &[(&'static str, &'static str)], is_write: bool) -> PortResult<Value> {
        let token = self.token().await?;
        request = match self.credential {
            Credential::Bearer => request.bearer_auth(token),
            Credential::PrivateToken => request.header("PRIVATE-TOKEN", token),
        };
        let mut request = request.build().map_err(|e| self.refused(&e.without_url().to_string()))?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, reqwest::header::HeaderValue::from_static(value));
        }
        let answer = self.http.execute(request).await.map_err(|e| self.unanswered(&e, is_write))?;
        let status = answer.status();
        let body = self.body(answer, is_write).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.unavailable("its answer is no JSON"));
        }
        Err(self.by_status(status, &words(&body), is_write))
    }

    async fn token(&self) -> PortResult<String> {
        let file = &self.token_file;
        let text = tokio::fs::read_to_string(file).await;
        let text = text.map_err(|e| self.refused(&format!("{}: cannot be read: {e}", file.display())))?;
        let token = text.trim().to_owned();
        if token.is_empty() || token.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(self.refused(&format!("{}: it holds no token", file.display())));
        }
        Ok(token)
    }

    async fn body(&self, mut answer: reqwest::Response, is_write: bool) -> PortResult<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.unanswered(&e, is_write))? {
            if body.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(self.refused("its answer is larger than 8 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn by_status(&self, status: StatusCode, words: &str, is_write: bool) -> PortError {
        let why = format!("{status}: {words}");
        match status.as_u16() {
            404 => PortError::NotFound { what: format!("what was asked of {}", self.what) },
            409 => PortError::Conflict { what: format!("what was asked of {}", self.what) },
            408 | 425 | 429 => self.unavailable(&why),
            500.. if is_write => PortError::Timeout { what: format!("{} ({why})", self.what) },
            500.. => self.unavailable(&why),
            _ => self.refused(&why),
        }
    }

    fn unanswered(&self, error: &reqwest::Error, is_write: bool) -> PortError {
        if is_write && !error.is_connect() {
            return PortError::Timeout { what: self.what.to_owned() };
        }
        let why = if error.is_timeout() { "no answer within its deadline" } else { "no connection" };
        self.unavailable(why)
    }

    /// The server, in an error.
    pub(crate) fn refused(&self, why: &str) -> PortError {
        PortError::Refused { what: self.what.to_owned(), why: why.to_owned() }
    }

    /// The server, in an error.
    pub(crate) fn unavailable(&self, why: &str) -> PortError {
        PortError::Unavailable { what: self.what.to_owned(), why: why.to_owned() }
    }
}

/// The server's words, short and printable. JSON answers of all servers here have a `message` or an `error`.
fn words(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = ["message", "error"].iter().find_map(|key| json.get(key)).map_or_else(
        || String::from_utf8_lossy(body).into_owned(),
        |value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned),
    );
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

/// A text field of an answer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
