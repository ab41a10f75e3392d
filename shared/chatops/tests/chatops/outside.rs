//! A local server that plays Slack, Teams and PagerDuty: it keeps what it was sent, and answers as scripted.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use picket_chatops::http::Http;
use picket_chatops::retry::Backoff;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Long enough for any machine; nothing waits for it when things go well.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: String,
    pub bearer: Option<String>,
    pub content_type: String,
    pub body: Value,
    pub at: Instant,
}

/// An answer out of the ordinary.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub status: u16,
    pub header: Option<(&'static str, String)>,
    pub body: String,
}

/// The server.
#[derive(Clone)]
pub struct Outside {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    sent: Mutex<Vec<Sent>>,
    scripted: Mutex<BTreeMap<String, VecDeque<Scripted>>>,
    down: Mutex<Vec<String>>,
    arrived: Notify,
}

impl Outside {
    pub async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let router = Router::new().fallback(take).with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next answer at `path` is this.
    pub fn script(&self, path: &str, status: u16, header: Option<(&'static str, String)>, body: &str) {
        let answer = Scripted { status, header, body: body.to_owned() };
        self.inner.scripted.lock().unwrap().entry(path.to_owned()).or_default().push_back(answer);
    }

    /// Whether everything at `path` is answered 503.
    pub fn set_down(&self, path: &str, down: bool) {
        let mut all = self.inner.down.lock().unwrap();
        all.retain(|p| p != path);
        if down {
            all.push(path.to_owned());
        }
    }

    /// What was sent to paths that begin so.
    pub fn sent(&self, path: &str) -> Vec<Sent> {
        self.inner.sent.lock().unwrap().iter().filter(|s| s.path.starts_with(path)).cloned().collect()
    }

    /// Waits until so many were sent to paths that begin so.
    pub async fn wait(&self, path: &str, n: usize) -> Vec<Sent> {
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let arrived = self.inner.arrived.notified();
                let sent = self.sent(path);
                if sent.len() >= n {
                    return sent;
                }
                arrived.await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{path}: {n} wanted, {:?} came", self.sent(path)))
    }
}

async fn take(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let path = uri.path().to_owned();
    let count = {
        let mut sent = inner.sent.lock().unwrap();
        sent.push(Sent {
            path: path.clone(),
            bearer: text(header::AUTHORIZATION).strip_prefix("Bearer ").map(str::to_owned),
            content_type: text(header::CONTENT_TYPE),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            at: Instant::now(),
        });
        sent.len()
    };
    inner.arrived.notify_waiters();
    let scripted = inner.scripted.lock().unwrap().get_mut(&path).and_then(VecDeque::pop_front);
    let is_down = inner.down.lock().unwrap().iter().any(|down| path.starts_with(down));
    let answer = match (scripted, is_down) {
        (Some(answer), _) => answer,
        (None, true) => Scripted { status: 503, header: None, body: "down".into() },
        (None, false) => usual(&path, count),
    };
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = answer.header {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(answer.status).unwrap(), headers, answer.body)
}

fn usual(path: &str, count: usize) -> Scripted {
    let (status, body) = match path {
        "/api/chat.postMessage" => (200, json!({ "ok": true, "channel": "C1AB", "ts": format!("1700000000.{count:06}") }).to_string()),
        "/api/chat.update" => (200, json!({ "ok": true, "channel": "C1AB", "ts": "1" }).to_string()),
        "/pagerduty" => (202, json!({ "status": "success", "message": "Event processed", "dedup_key": "k" }).to_string()),
        "/teams" => (202, String::new()),
        _ => (200, "ok".to_owned()),
    };
    Scripted { status, header: None, body }
}

/// A client that does not wait long between tries.
pub fn quick_http() -> Http {
    Http::new(Duration::from_secs(5), Backoff { base_ms: 10, cap_ms: 40, attempts: 3 }).unwrap()
}

/// Looks until it holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
