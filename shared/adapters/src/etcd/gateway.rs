//! etcd's v3 API in JSON: each call goes to one member after the other until one answers.

use crate::outer_lock::Access;
use picket_core::ports::PortError;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("orchestration.distributed_locks.etcd: {why}")]
pub struct EtcdError {
    why: String,
}

/// gRPC status codes that the lock tells apart.
pub(super) mod code {
    pub(in crate::etcd) const DEADLINE_EXCEEDED: i64 = 4;
    pub(in crate::etcd) const NOT_FOUND: i64 = 5;
    pub(in crate::etcd) const RESOURCE_EXHAUSTED: i64 = 8;
    pub(in crate::etcd) const FAILED_PRECONDITION: i64 = 9;
    pub(in crate::etcd) const UNAVAILABLE: i64 = 14;
    pub(in crate::etcd) const UNAUTHENTICATED: i64 = 16;
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Failed {
    /// A member said no, with a gRPC status code.
    Said { code: i64, message: String },
    /// No member answered.
    Silent(String),
}

impl Failed {
    pub(super) fn port_error(self, etcd: &str) -> PortError {
        match self {
            Self::Silent(why) => PortError::Unavailable { what: etcd.to_owned(), why },
            Self::Said { code, message } if is_passing(code) => PortError::Unavailable { what: etcd.to_owned(), why: message },
            Self::Said { code, message } => PortError::Refused { what: etcd.to_owned(), why: format!("{message} (code {code})") },
        }
    }
}

/// Another member, or the same one later, may say otherwise.
fn is_passing(code: i64) -> bool {
    matches!(code, code::DEADLINE_EXCEEDED | code::RESOURCE_EXHAUSTED | code::UNAVAILABLE)
}

pub(super) struct Gateway {
    http: reqwest::Client,
    endpoints: Vec<String>,
    /// The member that answered last is asked first.
    preferred: AtomicUsize,
    account: Option<(String, String)>,
    token: Mutex<Option<String>>,
    attempt_timeout: Duration,
}

/// No answer that the lock asks for comes near this.
const ANSWER_MAX_BYTES: usize = 1 << 20;

impl Gateway {
    pub(super) fn new(endpoints: &[String], access: &Access, timeout: Duration) -> Result<Self, EtcdError> {
        let failed = |why: String| EtcdError { why };
        if endpoints.is_empty() {
            return Err(failed("name at least one endpoint".to_owned()));
        }
        let mut builder = reqwest::Client::builder().no_proxy().http1_only().redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &access.ca_pem {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| failed(format!("the CA cannot be read: {e}")))?;
            if roots.is_empty() {
                return Err(failed("the CA's file holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(roots);
        }
        if let Some((certificate, key)) = &access.identity_pem {
            let pem = [certificate.as_slice(), b"\n", key].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|e| failed(format!("the client's certificate: {e}")))?);
        }
        let http = builder.build().map_err(|e| failed(e.to_string()))?;
        // A member that hangs must leave time for the others.
        let members = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
        Ok(Self {
            http,
            endpoints: endpoints.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            preferred: AtomicUsize::new(0),
            account: access.account.clone(),
            token: Mutex::default(),
            attempt_timeout: timeout / members,
        })
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        format!("etcd at {}", self.endpoints.join(", "))
    }

    /// Calls a member; the next when it does not answer or cannot serve. Only for calls that may be made twice.
    pub(super) async fn call(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = Failed::Silent("no endpoint".to_owned());
        for index in (0..self.endpoints.len()).map(|n| (first + n) % self.endpoints.len()) {
            match self.member(&self.endpoints[index], path, body).await {
                Err(failed @ Failed::Silent(_)) => last = failed,
                Err(Failed::Said { code, message }) if is_passing(code) => last = Failed::Said { code, message },
                answer => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(last)
    }

    /// One member, signed in when it asks for that.
    async fn member(&self, endpoint: &str, path: &str, body: &Value) -> Result<Value, Failed> {
        let Some((name, password)) = &self.account else {
            return self.post(endpoint, path, body, None).await;
        };
        if let Some(token) = self.token(None) {
            match self.post(endpoint, path, body, Some(&token)).await {
                // Tokens end after some minutes, and when accounts change.
                Err(Failed::Said { code, message }) if code == code::UNAUTHENTICATED || message.contains("auth store is old") => {}
                answer => return answer,
            }
        }
        let credentials = json!({ "name": name, "password": password });
        let answer = self.post(endpoint, "/v3/auth/authenticate", &credentials, None).await?;
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        self.token(Some(token.clone()));
        self.post(endpoint, path, body, Some(&token)).await
    }

    /// The token in use, after putting a new one in its place.
    fn token(&self, new: Option<String>) -> Option<String> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_some() {
            *token = new;
        }
        token.clone()
    }

    async fn post(&self, endpoint: &str, path: &str, body: &Value, token: Option<&str>) -> Result<Value, Failed> {
        let silent = |error: reqwest::Error| Failed::Silent(format!("{endpoint}: {}", root_of(&error)));
        let mut request = self.http.post(format!("{endpoint}{path}")).json(body).timeout(self.attempt_timeout);
        if let Some(token) = token {
            request = request.header(reqwest::header::AUTHORIZATION, token);
        }
        let mut response = request.send().await.map_err(silent)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            if bytes.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(Failed::Silent(format!("{endpoint}: its answer to {path} is longer than {ANSWER_MAX_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let unreadable = || Failed::Silent(format!("{endpoint}: status {status} and no JSON; is this etcd 3.4 or later?"));
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        // Streamed calls wrap what they say.
        let fault = [&answer, &answer["error"]].into_iter().find(|fault| !fault["code"].is_null() || !fault["grpc_code"].is_null());
        match fault {
            Some(fault) => {
                let code = fault["code"].as_i64().or_else(|| fault["grpc_code"].as_i64()).unwrap_or_default();
                Err(Failed::Said { code, message: fault["message"].as_str().unwrap_or("no reason given").to_owned() })
            }
            None if status.is_success() => Ok(answer),
            None => Err(unreadable()),
        }
    }
}

/// The innermost cause says what happened; the outer ones say where, which the caller knows.
fn root_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
