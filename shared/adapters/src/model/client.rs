//! The [`ModelClient`] over HTTP: each call is a task of its own, its reply kept until it is collected or its place is needed.

use super::call::Line;
use super::key::ApiKey;
use picket_core::action::Digest;
use picket_core::config::ReasonerProvider;
use picket_core::opinion::{ModelReply, ModelRequest, Unusable};
use picket_core::ports::ModelClient;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Calls remembered, those under way included; beyond these a call is not begun.
const CALLS_MAX: usize = 64;
/// Until a connection stands; the rest of the deadline is the model's.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a model is.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Whose API it is asked by.
    pub provider: ReasonerProvider,
    /// Up to and with the version, without a slash at its end.
    pub address: String,
    /// The model's name.
    pub model: String,
    /// The key, where the server asks for one.
    pub key: Option<ApiKey>,
    /// The server's CA in PEM; `None` trusts the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// The address is the provider's own.
    pub own: bool,
    /// From beginning a call to its end, whatever happens.
    pub deadline: Duration,
    /// Draws from 0..1, for the pauses between tries.
    pub draw: fn() -> f64,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("diagnostics.models: {why}")]
pub struct ModelError {
    why: String,
}

struct Call {
    begun: Instant,
    reply: watch::Receiver<Option<ModelReply>>,
}

/// A model behind an HTTP API.
pub struct HttpModel {
    line: Arc<Line>,
    deadline: Duration,
    calls: Mutex<BTreeMap<Digest, Call>>,
}

impl std::fmt::Debug for HttpModel {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpModel").field("model", &self.line.model).field("address", &self.line.address).finish_non_exhaustive()
    }
}

impl HttpModel {
    /// A client. Nothing is sent until a call is begun.
    ///
    /// # Errors
    /// [`ModelError`] when the address or the CA cannot be used, or a key would travel in the clear.
    pub fn new(settings: ModelSettings) -> Result<Self, ModelError> {
        let failed = |why: String| ModelError { why };
        let url = reqwest::Url::parse(&settings.address).map_err(|e| failed(format!("{}: {e}", settings.address)))?;
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if settings.key.is_some() && url.scheme() != "https" && !here {
            return Err(failed(format!("{}: a key is not sent in the clear; use https", settings.address)));
        }
        let connect = CONNECT.min(settings.deadline / 3);
        let mut builder = reqwest::Client::builder().connect_timeout(connect).redirect(reqwest::redirect::Policy::none());
        if here {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &settings.ca_pem {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| failed(format!("the CA cannot be read: {e}")))?;
            if roots.is_empty() {
                return Err(failed("the CA's file holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(roots);
        }
        let http = builder.build().map_err(|e| failed(e.to_string()))?;
        let ModelSettings { provider, address, model, key, own, deadline, draw, .. } = settings;
        Ok(Self { line: Arc::new(Line { http, provider, address, model, key, own, draw }), deadline, calls: Mutex::default() })
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<Digest, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModelClient for HttpModel {
    fn model(&self) -> &str {
        &self.line.model
    }

    fn begin(&self, key: &Digest, request: ModelRequest) {
        let mut calls = self.calls();
        if calls.contains_key(key) {
            return;
        }
        if calls.len() >= CALLS_MAX {
            let oldest = calls.iter().filter(|(_, c)| c.reply.borrow().is_some()).min_by_key(|(_, c)| c.begun).map(|(k, _)| k.clone());
            // All under way: whoever collects this one is told that there is none.
            let Some(oldest) = oldest else { return };
            calls.remove(&oldest);
        }
        let (sender, reply) = watch::channel(None);
        let begun = Instant::now();
        calls.insert(key.clone(), Call { begun, reply });
        let (line, deadline) = (self.line.clone(), begun + self.deadline);
        tokio::spawn(async move {
            let reply = line.call(&request, deadline).await;
            record(&line.model, &reply, begun.elapsed());
            sender.send_replace(Some(reply));
        });
    }

    async fn collect(&self, key: &Digest, wait_ms: u64) -> Option<ModelReply> {
        let lost = |why: &str| ModelReply { text: Err(Unusable::Unavailable { why: why.to_owned() }), usage: None };
        let Some((begun, mut reply)) = self.calls().get(key).map(|call| (call.begun, call.reply.clone())) else {
            return Some(lost("too many calls are under way"));
        };
        // However late the task is scheduled, the deadline is the deadline.
        let left = (begun + self.deadline).saturating_duration_since(Instant::now());
        let wait = left.min(Duration::from_millis(wait_ms));
        match timeout(wait, reply.wait_for(Option::is_some)).await {
            Ok(Ok(reply)) => reply.clone(),
            Ok(Err(_)) => Some(lost("the call was abandoned")),
            Err(_) if wait == left => Some(ModelReply { text: Err(Unusable::TimedOut), usage: None }),
            Err(_) => None,
        }
    }
}

fn record(model: &str, reply: &ModelReply, took: Duration) {
    let outcome = reply.text.as_ref().map_or_else(Unusable::as_str, |_| "answered");
    let model = model.to_owned();
    if let Err(why) = &reply.text {
        tracing::warn!(%model, %why, "a model was of no use; the built-in reasoner's answer stands");
    }
    metrics::counter!("picket_model_calls_total", "model" => model.clone(), "outcome" => outcome).increment(1);
    metrics::histogram!("picket_model_call_seconds", "model" => model.clone()).record(took.as_secs_f64());
    if let Some(usage) = reply.usage {
        metrics::counter!("picket_model_tokens_total", "model" => model.clone(), "direction" => "input").increment(usage.input_tokens);
        metrics::counter!("picket_model_tokens_total", "model" => model, "direction" => "output").increment(usage.output_tokens);
    }
}
