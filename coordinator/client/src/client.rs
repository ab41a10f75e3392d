//! Calls with a deadline: retried by the same request id, on whichever node answers.

use crate::errors::Attempt;
use crate::identity;
use crate::line::{CallError, DIAL_TIMEOUT, Line, tls_for_lines};
use crate::once::OnceIds;
use crate::route::Route;
use bytes::Bytes;
use picket_coordinator_transport::client::{COMMAND_MAX_BYTES, answer, read_answer};
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerEntry, Request, WatchPage};
use picket_core::ids::{EntryId, Principal, RequestId};
use picket_core::membership::MemberRequest;
use picket_core::permit::Permit;
use picket_core::policy::Policy;
use picket_core::ports::{Coordinator, PortError, PortResult};
use rand::{RngExt as _, SeedableRng as _};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Longest pause between two attempts.
const BACKOFF_MAX_MS: u64 = 1_000;
/// First pause between two attempts.
const BACKOFF_MIN_MS: u64 = 20;
/// Longest that one attempt may take: a node that hangs must not eat the whole deadline.
const ATTEMPT_MAX_MS: u64 = 6_000;
/// Longest answer that is read.
const ANSWER_MAX_BYTES: usize = 64 << 20;

/// Whom to speak to, and as whom.
#[derive(Clone)]
pub struct ClientConfig {
    /// `host:port` of the nodes, in any order.
    pub endpoints: Vec<String>,
    /// The CA that nodes must have their certificate from.
    pub ca_pem: String,
    /// The caller's certificate: its common name is the principal.
    pub cert_pem: String,
    /// Its key.
    pub key_pem: String,
    /// Deadline of a call, retries included.
    pub request_timeout_ms: u64,
}

/// The coordinator over mutual TLS. Cheap to clone; clones share a connection to each node for commands, and one for everything else.
#[derive(Clone)]
pub struct CoordinatorClient {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for CoordinatorClient {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoordinatorClient").field("route", &self.inner.route).finish_non_exhaustive()
    }
}

struct Inner {
    http: reqwest::Client,
    /// One per node, in the route's order.
    lines: Vec<Line>,
    route: Route,
    timeout: Duration,
    jitter: Mutex<rand::rngs::SmallRng>,
    once: OnceIds,
}

/// One call, in all its attempts.
pub(crate) enum Call<'a> {
    Submit { id: &'a RequestId, text: Bytes },
    ChangeMembers(&'a MemberRequest),
    Read { path: &'a str, query: &'a [(&'a str, String)], server_waits_ms: u64 },
}

impl Call<'_> {
    fn path(&self) -> &str {
        match self {
            Self::Submit { .. } => "/v1/submit",
            Self::ChangeMembers(_) => "/v1/members",
            Self::Read { path, .. } => path,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Submit { id, .. } => format!("submit {id}"),
            Self::ChangeMembers(request) => request.change.to_string(),
            Self::Read { path, .. } => format!("read {path}"),
        }
    }
}

impl CoordinatorClient {
    /// Reads the certificates. Connects lazily, on the first call.
    ///
    /// # Errors
    /// `Refused` when a PEM cannot be read or there is no endpoint.
    pub fn connect(config: ClientConfig) -> PortResult<Self> {
        let refused = |why: String| PortError::Refused { what: "the coordinator's client".to_owned(), why };
        if config.endpoints.is_empty() {
            return Err(refused("no endpoint is configured; name at least one `host:port`".to_owned()));
        }
        let tls = identity::tls(&config.ca_pem, &config.cert_pem, &config.key_pem)?;
        let for_lines = tls_for_lines(&tls);
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .https_only(true)
            .no_proxy()
            // One connection is waited for, however many calls begin at once.
            .http2_prior_knowledge()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(DIAL_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(2))
            .http2_keep_alive_timeout(Duration::from_secs(3))
            .http2_keep_alive_while_idle(true)
            .build()
            .map_err(|e| refused(e.to_string()))?;
        let random = || {
            let mut bytes = [0; 8];
            let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
            filled.map(|()| u64::from_le_bytes(bytes)).map_err(|_| refused("no randomness".to_owned()))
        };
        let jitter = Mutex::new(rand::rngs::SmallRng::seed_from_u64(random()?));
        let timeout = Duration::from_millis(config.request_timeout_ms.max(1));
        let once = OnceIds::new(format!("once-{:016x}", random()?));
        let route = Route::new(&config.endpoints);
        let lines = route.addresses().map(|address| Line::new(address, for_lines.clone())).collect();
        Ok(Self { inner: Arc::new(Inner { http, lines, route, timeout, jitter, once }) })
    }

    /// As `principal`, with the files of a folder that `picket`'s PKI made; ten seconds per call.
    ///
    /// # Errors
    /// `NotFound` when a file cannot be read; otherwise as `connect`.
    pub fn from_pki_dir(dir: &Path, principal: &Principal, endpoints: Vec<String>) -> PortResult<Self> {
        let read = |name: String| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|e| PortError::NotFound { what: format!("{} ({e})", path.display()) })
        };
        let stem = principal.file_stem();
        Self::connect(ClientConfig {
            endpoints,
            ca_pem: read("ca.pem".to_owned())?,
            cert_pem: read(format!("{stem}.pem"))?,
            key_pem: read(format!("{stem}.key"))?,
            request_timeout_ms: 10_000,
        })
    }

    /// The signed permit of an entry that is Permitted now; actuators only.
    ///
    /// # Errors
    /// `NotFound` when the entry is not Permitted, `Refused` for anyone but its cluster's actuator.
    pub async fn permit(&self, entry: &EntryId) -> PortResult<Permit> {
        if !entry.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return Err(PortError::NotFound { what: format!("entry `{entry}`") });
        }
        let path = format!("/v1/permits/{entry}");
        self.call(&Call::Read { path: &path, query: &[], server_waits_ms: 0 }).await
    }

    /// A command that is asked in this call and never again: under an id of its own, retried within the deadline, and forgotten by the
    /// coordinator soon after its answer has come. After `Timeout` nobody can ask what became of it; a command that must be followed up
    /// takes [`Coordinator::submit`] and an id that the caller keeps.
    ///
    /// # Errors
    /// As [`Coordinator::submit`].
    pub async fn submit_once(&self, command: Command) -> PortResult<Answer> {
        let id = self.draw_id();
        let answer = self.submit(id.clone(), command).await?;
        self.is_answered(id);
        Ok(answer)
    }

    /// An id that nobody else has.
    pub(crate) fn draw_id(&self) -> RequestId {
        self.inner.once.draw()
    }

    /// Nobody will ask under this id again.
    pub(crate) fn is_answered(&self, id: RequestId) {
        if let Some(forget) = self.inner.once.answered(id) {
            let client = self.clone();
            // When it fails, the answers are forgotten by their age.
            let _forgetting = tokio::spawn(async move { client.submit(client.draw_id(), forget).await });
        }
    }

    /// Limits, approvals and caps that are in force.
    ///
    /// # Errors
    /// `Unavailable` or `Timeout` when no node answers.
    pub async fn policy(&self) -> PortResult<Policy> {
        self.call(&Call::Read { path: "/v1/policy", query: &[], server_waits_ms: 0 }).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> PortResult<T> {
        let answer = self.call_for_bytes(call, ANSWER_MAX_BYTES).await?;
        serde_json::from_slice(&answer)
            .map_err(|e| PortError::Damaged { what: format!("the answer to {}", call.name()), why: e.to_string() })
    }

    pub(crate) async fn call_for_bytes(&self, call: &Call<'_>, max_bytes: usize) -> PortResult<Vec<u8>> {
        let name = call.name();
        let waits_ms = if let Call::Read { server_waits_ms, .. } = call { *server_waits_ms } else { 0 };
        let deadline = Instant::now() + self.inner.timeout + Duration::from_millis(waits_ms);
        let mut pause_ms = BACKOFF_MIN_MS;
        let mut maybe_done = false;
        let route = &self.inner.route;
        let mut node = route.first(Instant::now());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.min(Duration::from_millis(ATTEMPT_MAX_MS + waits_ms));
            let attempt = match self.attempt(call, &name, node, left, max_bytes).await {
                Ok(answer) => return Ok(answer),
                Err(attempt) => attempt,
            };
            maybe_done |= attempt.maybe_done;
            if !attempt.retry {
                return Err(attempt.error);
            }
            let pause = self.pause(pause_ms, &attempt.error);
            if Instant::now() + pause >= deadline {
                // A command that may have been taken is not known to have failed.
                let unknown = maybe_done && !matches!(call, Call::Read { .. });
                return Err(if unknown { PortError::Timeout { what: name } } else { attempt.error });
            }
            tracing::debug!(call = name, endpoint = route.url(node), error = %attempt.error, "trying again");
            tokio::time::sleep(pause).await;
            pause_ms = (pause_ms * 2).min(BACKOFF_MAX_MS);
            node = route.after(node);
        }
    }

    fn pause(&self, pause_ms: u64, error: &PortError) -> Duration {
        let jitter = match self.inner.jitter.lock() {
            Ok(mut rng) => rng.random_range(0..=pause_ms),
            Err(_) => pause_ms,
        };
        let asked = if let PortError::Full { retry_after_ms, .. } = error { *retry_after_ms } else { 0 };
        Duration::from_millis(asked + pause_ms / 2 + jitter / 2)
    }

    async fn attempt(&self, call: &Call<'_>, name: &str, node: usize, timeout: Duration, max_bytes: usize) -> Result<Vec<u8>, Attempt> {
        let route = &self.inner.route;
        let url = format!("{}{}", route.url(node), call.path());
        let request = match call {
            Call::Submit { text, .. } => return self.attempt_command(text, name, node, timeout).await,
            Call::ChangeMembers(body) => self.inner.http.post(url).json(body),
            Call::Read { query, .. } => self.inner.http.get(url).query(query),
        };
        let broke_off = |e: reqwest::Error| {
            route.failed(node, Instant::now());
            Attempt::of_http(&e, name, route.url(node))
        };
        let mut response = request.timeout(timeout).send().await.map_err(broke_off)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broke_off)? {
            if body.len() + chunk.len() > max_bytes {
                let why = format!("the answer is longer than {max_bytes} bytes; ask for less");
                return Err(Attempt { error: PortError::Refused { what: name.to_owned(), why }, retry: false, maybe_done: true });
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(Attempt::of_status(status.as_u16(), &body, name));
        }
        route.answered(node, None, Instant::now());
        Ok(body)
    }

    async fn attempt_command(&self, text: &Bytes, name: &str, node: usize, timeout: Duration) -> Result<Vec<u8>, Attempt> {
        let route = &self.inner.route;
        let answered = self.inner.lines[node].submit(text, timeout).await.map_err(|error| {
            route.failed(node, Instant::now());
            match error {
                CallError::Dial(error) => Attempt::of_dial(&error, name, route.url(node)),
                CallError::Lost(lost) => Attempt::of_lost(lost, name, route.url(node)),
            }
        })?;
        let Some((leader, said)) = read_answer(answered.body) else {
            return Err(Attempt::of_status(502, &[], name));
        };
        if answered.kind != answer::DONE {
            let (status, problem) = said.split_first_chunk().map_or((502, &[][..]), |(status, json)| (u16::from_le_bytes(*status), json));
            return Err(Attempt::of_status(status, problem, name));
        }
        route.answered(node, leader.as_deref(), Instant::now());
        Ok(said.into())
    }
}

impl Coordinator for CoordinatorClient {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        let request = Request { request_id, command };
        let refused = |why: String| PortError::Refused { what: format!("submit {}", request.request_id), why };
        let text = serde_json::to_vec(&request).map_err(|e| refused(e.to_string()))?;
        if text.len() > COMMAND_MAX_BYTES {
            return Err(refused(format!("a command has at most {COMMAND_MAX_BYTES} bytes, and this one {}", text.len())));
        }
        self.call(&Call::Submit { id: &request.request_id, text: text.into() }).await
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        self.call(&Call::Read { path: "/v1/status", query: &[], server_waits_ms: 0 }).await
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        let query = [("settled_max", settled_max.to_string())];
        self.call(&Call::Read { path: "/v1/entries", query: &query, server_waits_ms: 0 }).await
    }

    async fn watch(&self, revision: u64, wait_ms: u64) -> PortResult<WatchPage> {
        let query = [("revision", revision.to_string()), ("wait_ms", wait_ms.to_string())];
        self.call(&Call::Read { path: "/v1/watch", query: &query, server_waits_ms: wait_ms.min(30_000) }).await
    }
}
