//! Objects of a real API server.

use super::error::{Call, Unanswered, port_error};
use super::objects::{Kind, Mode, Objects};
use axum::http::Request;
use picket_core::outcome::ObjectRef;
use picket_core::ports::{PortError, PortResult};
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;

/// Who the API server says wrote a field.
pub(super) const FIELD_MANAGER: &str = "picket";
/// Objects that one page of a list holds.
const PAGE_LIMIT: usize = 500;
/// Pages after which a list is given up: an API server that repeats its `continue` must not hold the reader for ever.
const PAGES_MAX: usize = 1000;

/// The way to an API server.
pub trait ApiWay: Send + Sync {
    /// Sends one request, once, and reads the JSON of a good answer. MUST come to an end within the deadline of a call.
    fn send(&self, request: Request<Vec<u8>>) -> impl Future<Output = Result<Value, Unanswered>> + Send;
}

/// By a client of the `kube` crate.
#[derive(Clone)]
pub struct KubeClient {
    client: kube::Client,
    timeout: Duration,
}

impl ApiWay for KubeClient {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Value, Unanswered> {
        match tokio::time::timeout(self.timeout, self.client.request::<Value>(request)).await {
            Ok(answer) => answer.map_err(Unanswered::from),
            Err(_) => Err(Unanswered::InTime),
        }
    }
}

/// The API server of one cluster. Each call has one deadline and is sent once.
#[derive(Clone)]
pub struct ApiObjects<W = KubeClient> {
    way: W,
}

impl ApiObjects {
    /// `timeout_ms` is real time, for one call (2000 is usual).
    #[must_use]
    pub const fn new(client: kube::Client, timeout_ms: u64) -> Self {
        Self { way: KubeClient { client, timeout: Duration::from_millis(timeout_ms) } }
    }
}

impl<W: ApiWay> ApiObjects<W> {
    /// By another way than the `kube` crate's.
    #[must_use]
    pub const fn by(way: W) -> Self {
        Self { way }
    }

    async fn call(&self, what: String, call: Call, method: &str, path: String, content_type: &str, body: Vec<u8>) -> PortResult<Value> {
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("accept", "application/json")
            .header("content-type", content_type)
            .body(body)
            .map_err(|e| PortError::Refused { what: what.clone(), why: format!("{path} is no path: {e}") })?;
        self.way.send(request).await.map_err(|e| port_error(&what, call, e))
    }

    async fn write(&self, at: &ObjectRef, mode: Mode, method: &str, path: String, content_type: &str, body: &Value) -> PortResult<Value> {
        let (call, dry_run, verb) = match mode {
            Mode::DryRun => (Call::Read, "&dryRun=All", "dry run on"),
            Mode::Commit => (Call::Write, "", "write to"),
        };
        let path = format!("{path}?fieldManager={FIELD_MANAGER}{dry_run}");
        self.call(format!("{verb} {}", name(at)), call, method, path, content_type, body.to_string().into_bytes()).await
    }
}

fn name(at: &ObjectRef) -> String {
    format!("{} {}/{}", at.kind, at.namespace, at.name)
}

/// Names go into paths: only what Kubernetes allows in a name may.
fn checked(at: &ObjectRef) -> PortResult<Kind> {
    let refused = |why: &str| PortError::Refused { what: name(at), why: why.to_owned() };
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
    };
    let kind = Kind::of(&at.kind).ok_or_else(|| refused("picket handles no objects of this kind"))?;
    let placed = if kind == Kind::Namespace { at.namespace.is_empty() } else { plain(&at.namespace) };
    if !placed || !plain(&at.name) {
        return Err(refused("not a name of Kubernetes (small letters, digits, `-` and `.`)"));
    }
    Ok(kind)
}

/// The path of its collection.
fn collection(at: &ObjectRef) -> PortResult<String> {
    Ok(checked(at)?.path(Some(at.namespace.as_str()).filter(|namespace| !namespace.is_empty())))
}

impl<W: ApiWay> Objects for ApiObjects<W> {
    async fn get(&self, at: &ObjectRef) -> PortResult<Value> {
        // Without `resourceVersion` the API server reads from its store by quorum, not from its cache.
        let path = format!("{}/{}", collection(at)?, at.name);
        self.call(name(at), Call::Read, "GET", path, "application/json", Vec::new()).await
    }

    async fn list(&self, kind: Kind, namespace: Option<&str>) -> PortResult<Vec<Value>> {
        let what = format!("list of {}", kind.plural());
        let mut items = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES_MAX {
            let path = format!("{}?limit={PAGE_LIMIT}{next}", kind.path(namespace));
            let mut page = self.call(what.clone(), Call::Read, "GET", path, "application/json", Vec::new()).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => next = format!("&continue={}", escaped(token)),
                _ => return Ok(items),
            }
        }
        Err(PortError::Refused { what, why: format!("more than {PAGES_MAX} pages") })
    }

    async fn patch(&self, at: &ObjectRef, patch: &Value, mode: Mode) -> PortResult<Value> {
        let path = format!("{}/{}", collection(at)?, at.name);
        self.write(at, mode, "PATCH", path, "application/merge-patch+json", patch).await
    }

    async fn create(&self, at: &ObjectRef, object: &Value, mode: Mode) -> PortResult<Value> {
        let path = collection(at)?;
        self.write(at, mode, "POST", path, "application/json", object).await
    }

    async fn may(&self, verb: &str, at: &ObjectRef) -> PortResult<bool> {
        let kind = checked(at)?;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": at.namespace, "verb": verb, "group": kind.group(), "resource": kind.plural(), "name": at.name,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
        let what = "access review".to_owned();
        let answer = self.call(what, Call::Read, "POST", path, "application/json", review.to_string().into_bytes()).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }
}

/// Percent-encodes a query value.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_path() {
        assert!(checked(&Kind::Secret.named("shop", "tls")).is_ok());
        for bad in ["", "a/b", "..%2f", "A", "a?x=1"] {
            assert!(checked(&Kind::Secret.named("shop", bad)).is_err(), "{bad}");
        }
        assert_eq!(collection(&Kind::namespace("shop")).unwrap(), "/api/v1/namespaces");
        assert!(checked(&Kind::Namespace.named("shop", "shop")).is_err() && checked(&Kind::Secret.named("", "tls")).is_err());
        assert!(checked(&ObjectRef { kind: "Node".into(), namespace: "a".into(), name: "b".into() }).is_err());
        assert_eq!(escaped("a=b&c"), "a%3Db%26c");
    }

    #[tokio::test]
    async fn a_write_that_is_not_answered_is_a_timeout_and_is_sent_once() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};
        let sent = Arc::new(AtomicU32::new(0));
        let count = sent.clone();
        let router = axum::Router::new().fallback(move || {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<&'static str>()
        });
        let objects = ApiObjects::new(super::super::client_from_router(router, "t"), 50);
        let at = Kind::Deployment.named("shop", "cart");
        let answer = objects.patch(&at, &json!({}), Mode::Commit).await;
        assert!(matches!(answer, Err(PortError::Timeout { .. })), "{answer:?}");
        assert_eq!(sent.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nobody_there_is_unavailable() {
        let access = super::super::ClusterAccess { url: "http://127.0.0.1:1".into(), token: "t".into(), ca_pem: None };
        let objects = ApiObjects::new(super::super::client(&access).unwrap(), 2000);
        let answer = objects.patch(&Kind::Deployment.named("shop", "cart"), &json!({}), Mode::Commit).await;
        assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{answer:?}");
    }
}
