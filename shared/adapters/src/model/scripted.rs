//! A model server for tests: it remembers what it was sent and answers as its script says.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What is done with a request.
pub(super) enum Act {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, &'static str)>, String),
    /// It is taken and never answered.
    Stall,
}

pub(super) fn ok(body: &Value) -> Act {
    Act::Answer(200, Vec::new(), body.to_string())
}

type Script = dyn Fn(&Seen, usize) -> Act + Send + Sync;

#[derive(Clone)]
struct Desk {
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Sender<usize>,
    script: Arc<Script>,
}

/// The server; it goes with its runtime.
pub(super) struct Scripted {
    /// Up to and with the version.
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
}

impl Scripted {
    /// Listens. The script is given the request and how many came before it.
    pub(super) async fn start(script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let desk = Desk { seen: Arc::default(), count: watch::Sender::new(0), script: Arc::new(script) };
        let (seen, count) = (desk.seen.clone(), desk.count.subscribe());
        let router = axum::Router::new().route("/v1/messages", post(serve)).route("/v1/chat/completions", post(serve)).with_state(desk);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen, count }
    }

    /// Until so many requests have come.
    pub(super) async fn arrived(&self, requests: usize) {
        self.count.clone().wait_for(|count| *count >= requests).await.expect("the server goes last");
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let seen = Seen { path: uri.path().to_owned(), headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) };
    let before = {
        let mut all = desk.seen.lock().unwrap();
        all.push(seen.clone());
        desk.count.send_replace(all.len());
        all.len() - 1
    };
    match (desk.script)(&seen, before) {
        Act::Stall => std::future::pending().await,
        Act::Answer(status, headers, body) => {
            let response = headers.into_iter().fold(Response::builder().status(status), |r, (name, value)| r.header(name, value));
            response.body(Body::from(body)).unwrap()
        }
    }
}

/// Anthropic's answer.
pub(super) fn message(text: &str, stop_reason: &str) -> Value {
    json!({
        "type": "message",
        "content": [{ "type": "text", "text": text }],
        "stop_reason": stop_reason,
        "usage": { "input_tokens": 900, "cache_read_input_tokens": 100, "output_tokens": 50 },
    })
}

/// OpenAI's answer.
pub(super) fn completion(text: &str, finish_reason: &str) -> Value {
    json!({
        "choices": [{ "message": { "role": "assistant", "content": text, "refusal": null }, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050 },
    })
}

/// What the model was sent as data, whichever API it came by.
pub(super) fn data_of(seen: &Seen) -> Value {
    let messages = seen.body["messages"].as_array().cloned().unwrap_or_default();
    let text = messages.last().and_then(|m| m["content"].as_str()).unwrap_or_default();
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// An answer that cites everything it was shown.
pub(super) fn answer(seen: &Seen, cause: &str, service: &str, action: &str) -> String {
    let data = data_of(seen);
    let list = |name: &str| data[name].as_array().cloned().unwrap_or_default();
    let named = |one: &&Value| one["name"].as_str().is_some_and(|name| name.ends_with(service));
    let place = list("services").iter().find(named).map_or(Value::Null, |one| one["id"].clone());
    let cited: Vec<_> = list("evidence").iter().chain(&list("runbooks")).map(|one| one["id"].clone()).collect();
    json!({ "cause": cause, "service": place, "probability": 0.9, "citations": cited, "action": action }).to_string()
}
