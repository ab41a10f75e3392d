//! A resource manager from its documented shapes: ETags that change with each write, `If-Match`, operations that take a while, conflicts with
//! them, throttling; and a login endpoint.

use crate::gate::{Gate, Way};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub struct Arm {
    pub url: String,
    pub gate: Gate,
    state: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    resources: BTreeMap<String, Value>,
    /// Answers about its operation, until it is over: 0 when none is under way.
    pending: BTreeMap<String, u32>,
    versions: u64,
    changes: BTreeMap<String, u64>,
    logins: u64,
    /// How long operations take, in answers, and how they end.
    length: u32,
    ends_badly: bool,
    may_write: bool,
    throttled: bool,
}

impl Arm {
    pub async fn start() -> Arc<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner { length: 1, may_write: true, ..Inner::default() };
        let url = format!("http://{}", listener.local_addr().unwrap());
        let arm = Arc::new(Self { url, gate: Gate::default(), state: Mutex::new(inner) });
        let app = axum::Router::new().fallback(enter).with_state(arm.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        arm
    }

    /// Puts a resource there, as somebody else.
    pub fn put(&self, path: &str, body: Value) {
        let mut inner = self.state.lock().unwrap();
        inner.resources.insert(path.to_owned(), body);
        inner.bump(path);
    }

    /// Somebody else changes it.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut inner = self.state.lock().unwrap();
        change(inner.resources.get_mut(path).unwrap());
        inner.bump(path);
    }

    pub fn read(&self, path: &str) -> Value {
        self.state.lock().unwrap().resources[path].clone()
    }

    pub fn remove(&self, path: &str) {
        self.state.lock().unwrap().resources.remove(path);
    }

    /// How often the size was changed by a request.
    pub fn changes(&self, path: &str) -> u64 {
        self.state.lock().unwrap().changes.get(path).copied().unwrap_or(0)
    }

    pub fn logins(&self) -> u64 {
        self.state.lock().unwrap().logins
    }

    pub fn operations_take(&self, answers: u32, ends_badly: bool) {
        let mut inner = self.state.lock().unwrap();
        (inner.length, inner.ends_badly) = (answers, ends_badly);
    }

    pub fn may_write(&self, may: bool) {
        self.state.lock().unwrap().may_write = may;
    }

    pub fn throttle(&self, throttled: bool) {
        self.state.lock().unwrap().throttled = throttled;
    }

    fn serve(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
        let path = uri.path();
        let mut inner = self.state.lock().unwrap();
        if let Some(tenant) = path.strip_suffix("/oauth2/v2.0/token") {
            return inner.login(tenant, body);
        }
        let known = |token: &str| token.strip_prefix("Bearer token-")?.parse().ok().filter(|n| (1..=inner.logins).contains(n));
        if headers.get("authorization").and_then(|token| known(token.to_str().ok()?)).is_none() {
            return failed(401, "InvalidAuthenticationToken");
        }
        if inner.throttled {
            return ([("retry-after", "7")], failed(429, "TooManyRequests")).into_response();
        }
        if let Some(of) = path.strip_prefix("/operations") {
            return inner.operation(of);
        }
        if let Some(of) = path.strip_suffix("/providers/Microsoft.Authorization/permissions") {
            assert!(inner.resources.contains_key(of));
            let actions = if inner.may_write { json!(["*"]) } else { json!(["*/read"]) };
            return Json(json!({"value": [{"actions": actions, "notActions": []}]})).into_response();
        }
        let asked = uri.query().unwrap_or_default();
        let expected = if path.contains("agentPools") { "api-version=2025-05-01" } else { "api-version=2024-07-01" };
        assert_eq!(asked, expected);
        if !inner.resources.contains_key(path) {
            return failed(404, "ResourceNotFound");
        }
        match *method {
            Method::GET => {
                // Time passes.
                inner.tick(path);
                Json(inner.resources[path].clone()).into_response()
            }
            Method::PUT | Method::PATCH => {
                let condition = headers.get("if-match").expect("every write is conditional").to_str().unwrap().to_owned();
                let body = serde_json::from_slice(body).unwrap();
                inner.write(&self.url, path, method, &condition, &body)
            }
            _ => failed(405, "MethodNotAllowed"),
        }
    }
}

impl Inner {
    fn login(&mut self, tenant: &str, body: &Bytes) -> Response {
        let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).unwrap())).unwrap();
        let form: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((tenant, form["client_id"].as_str(), form["grant_type"].as_str()), ("/tenant", "client", "client_credentials"));
        assert!(form["scope"].ends_with("/.default"));
        let proven = match form.get("client_assertion") {
            Some(assertion) => {
                form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && assertion == "hush"
            }
            None => form.get("client_secret").is_some_and(|secret| secret == "hush"),
        };
        if !proven {
            return failed(401, "invalid_client");
        }
        self.logins += 1;
        Json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("token-{}", self.logins)})).into_response()
    }

    fn operation(&mut self, path: &str) -> Response {
        self.tick(path);
        let failed = state(&self.resources[path]) == "Failed";
        let body = match (self.pending.get(path).is_some_and(|left| *left > 0), failed) {
            (true, _) => json!({"status": "InProgress"}),
            (false, false) => json!({"status": "Succeeded"}),
            (false, true) => json!({"status": "Failed", "error": {"code": "QuotaExceeded", "message": "as the test wants it"}}),
        };
        ([("retry-after", "0")], Json(body)).into_response()
    }

    fn write(&mut self, url: &str, path: &str, method: &Method, condition: &str, body: &Value) -> Response {
        if self.pending.get(path).is_some_and(|left| *left > 0) {
            return failed(409, "OperationNotAllowed");
        }
        let pool = path.contains("agentPools");
        let standing = self.resources[path].clone();
        if version(&standing) != condition {
            return failed(412, if pool { "EtagMismatch" } else { "ConditionNotMet" });
        }
        let mut made = standing.clone();
        match (pool, method) {
            (true, &Method::PUT) => {
                let given = body["properties"].as_object().unwrap();
                assert!(!given.contains_key("provisioningState") && !given.contains_key("eTag"), "read-only: {body}");
                assert_eq!(given["vmSize"], standing["properties"]["vmSize"], "a put names what stays");
                let properties = made["properties"].as_object_mut().unwrap();
                properties.extend(given.clone());
            }
            (false, &Method::PATCH) => {
                for (name, value) in body.as_object().unwrap() {
                    made[name] = value.clone();
                }
            }
            _ => return failed(405, "MethodNotAllowed"),
        }
        if size(&made) != size(&standing) {
            *self.changes.entry(path.to_owned()).or_default() += 1;
        }
        made["properties"]["provisioningState"] = json!("Updating");
        self.resources.insert(path.to_owned(), made);
        self.bump(path);
        self.pending.insert(path.to_owned(), self.length);
        let headers = [("azure-asyncoperation", format!("{url}/operations{path}")), ("retry-after", "0".to_owned())];
        let status = if pool { StatusCode::OK } else { StatusCode::ACCEPTED };
        (status, headers, Json(self.resources[path].clone())).into_response()
    }

    /// An operation comes nearer to its end.
    fn tick(&mut self, path: &str) {
        let Some(left) = self.pending.get_mut(path).filter(|left| **left > 0) else { return };
        *left -= 1;
        if *left == 0 {
            let end = if self.ends_badly { "Failed" } else { "Succeeded" };
            if let Some(resource) = self.resources.get_mut(path) {
                resource["properties"]["provisioningState"] = json!(end);
            }
        }
    }

    fn bump(&mut self, path: &str) {
        self.versions += 1;
        let version = json!(format!("\"{}\"", self.versions));
        let resource = self.resources.get_mut(path).unwrap();
        if path.contains("agentPools") {
            resource["properties"]["eTag"] = version;
        } else {
            resource["etag"] = version;
        }
    }
}

fn state(resource: &Value) -> &str {
    resource["properties"]["provisioningState"].as_str().unwrap_or_default()
}

fn version(resource: &Value) -> &str {
    resource["properties"]["eTag"].as_str().or_else(|| resource["etag"].as_str()).unwrap()
}

pub fn size(resource: &Value) -> u64 {
    resource["properties"]["count"].as_u64().or_else(|| resource["sku"]["capacity"].as_u64()).unwrap()
}

fn failed(status: u16, code: &str) -> Response {
    let body = json!({"error": {"code": code, "message": "as the test wants it"}});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn enter(State(arm): State<Arc<Arm>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    // Of its own: what is on its way stays so when its sender is gone.
    let task = tokio::spawn(async move {
        // Logins are not counted: whether one is needed depends on the executor's age.
        let way = if uri.path().ends_with("/token") { Way::Through } else { arm.gate.pass().await };
        let response = match way {
            Way::Lost => std::future::pending().await,
            Way::Back(status, code) => failed(status, code),
            Way::Through | Way::Unanswered | Way::Late => arm.serve(&method, &uri, &headers, &body),
        };
        match way {
            Way::Unanswered => {
                arm.gate.reach();
                std::future::pending().await
            }
            Way::Late => arm.gate.finish(),
            _ => {}
        }
        response
    });
    task.await.expect("the resource manager answers")
}
