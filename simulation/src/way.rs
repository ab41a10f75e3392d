//! The way to the cluster's API server: requests are delayed and lost, writes travel by themselves and may land when nobody waits any more.
//!
//! This is also where it is seen what landed, whatever anybody says about it.

use crate::planted::{self, Fault};
use crate::site::{Site, Write};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Request};
use picket_adapters::kubernetes::{ACTION_ID, ApiWay, FENCING_TOKEN, Unanswered};
use picket_coordinator_simulation::actors::fleet::Landed;
use picket_coordinator_simulation::executor::{self, WORLD};
use picket_coordinator_simulation::{Happening, Kind, World};
use picket_core::ids::{EntryId, ServiceId};
use picket_core::invariants::Invariant;
use picket_core::outcome::ObjectRef;
use picket_core::scope::FencingToken;
use picket_loadtest::kubernetes_api::{self, ApiTokens};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tower::ServiceExt as _;

/// A call's deadline.
pub const CALL_MS: u64 = 1_500;
const BODY_BYTES_MAX: usize = 64 << 20;

/// With whose credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    Read,
    Write,
}

/// One caller's way.
#[derive(Clone)]
pub struct SimWay {
    world: Arc<World>,
    site: Arc<Site>,
    router: Router,
    bearer: &'static str,
    rng: Arc<Mutex<ChaCha8Rng>>,
    /// The last write that was sent; for a fault that sends it again.
    sent: Arc<Mutex<Option<Request<Vec<u8>>>>>,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy(request: &Request<Vec<u8>>) -> Request<Vec<u8>> {
    let mut copied = Request::new(request.body().clone());
    *copied.method_mut() = request.method().clone();
    *copied.uri_mut() = request.uri().clone();
    *copied.headers_mut() = request.headers().clone();
    copied
}

impl SimWay {
    pub fn new(world: &Arc<World>, site: &Arc<Site>, credentials: Credentials, seed: u64) -> Self {
        let tokens = ApiTokens { read: "read".into(), write: "write".into() };
        Self {
            world: world.clone(),
            site: site.clone(),
            router: kubernetes_api::router(site.sim.clone(), tokens),
            bearer: match credentials {
                Credentials::Read => "Bearer read",
                Credentials::Write => "Bearer write",
            },
            rng: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))),
            sent: Arc::default(),
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut lock(&self.rng))
    }

    /// Trouble of this kind, with this probability, until everything is healed.
    fn trouble(&self, probability: f64, happening: Happening) -> bool {
        let troubled = self.draw(|rng| rng.random_bool(probability)) && self.world.history().healed_ms.is_none();
        if troubled {
            self.world.history().happened(happening);
        }
        troubled
    }

    /// The request meets the server.
    async fn arrive(&self, request: Request<Vec<u8>>) -> Result<Value, Unanswered> {
        let (mut parts, body) = request.into_parts();
        if let Ok(bearer) = self.bearer.parse() {
            parts.headers.insert(AUTHORIZATION, bearer);
        }
        // The router answers everything, with a status when it must.
        let Ok(response) = self.router.clone().oneshot(Request::from_parts(parts, Body::from(body))).await;
        let code = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), BODY_BYTES_MAX).await.map_err(|e| Unanswered::Unknown(e.to_string()))?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|e| Unanswered::Unknown(e.to_string()))?;
        if code < 400 {
            return Ok(answer);
        }
        if code == 409 {
            self.world.history().happened(Happening::WriteConflicted);
        }
        Err(Unanswered::Status { code, message: answer["message"].as_str().unwrap_or_default().to_owned() })
    }

    /// What landed, by the server's own answer.
    fn note(&self, body: &Value, answer: &Value) {
        let asked = |key: &str| body.pointer(&format!("/metadata/annotations/{}", key.replace('/', "~1"))).and_then(Value::as_str);
        let Some(entry) = asked(ACTION_ID).map(EntryId::from) else { return };
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let object = ObjectRef { kind: text("/kind"), namespace: text("/metadata/namespace"), name: text("/metadata/name") };
        let token = asked(FENCING_TOKEN).and_then(|token| token.parse().ok()).map(FencingToken);
        let on_version = body.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.world.trace(format_args!("{entry} lands on {object:?} version {on_version} token {token:?}"));
        let landed = Landed {
            entry: entry.clone(),
            token: token.unwrap_or_default(),
            service: ServiceId::new(self.site.name.as_str(), &object.namespace, &format!("{}:{}", object.kind, object.name)),
            at_ms: executor::elapsed_ms(),
            index: self.world.history().newest(),
        };
        self.world.fleet().landed.push(landed);
        self.world.history().happened(Happening::ActLanded);
        self.site.writes().push(Write { entry, object, on_version });
    }

    /// Every write that bears an act's id bears a token.
    fn leaves(&self, body: &mut Value) {
        let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else { return };
        if !annotations.contains_key(ACTION_ID) {
            return;
        }
        if planted::is(Fault::TokenNotStamped) {
            annotations.remove(FENCING_TOKEN);
        }
        if annotations.get(FENCING_TOKEN).is_none_or(Value::is_null) {
            let entry = annotations.get(ACTION_ID).map(Value::to_string).unwrap_or_default();
            self.world.history().find(Kind::Invariant(Invariant::I3), format!("the write of {entry} leaves without a token"));
        }
    }

    async fn write(&self, request: Request<Vec<u8>>) -> Result<Value, Unanswered> {
        *lock(&self.sent) = Some(copy(&request));
        let (mut parts, bytes) = request.into_parts();
        let mut body: Value = serde_json::from_slice(&bytes).map_err(|e| Unanswered::NotSent(e.to_string()))?;
        self.leaves(&mut body);
        // Another length by now, perhaps: the server reads what comes.
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        let late = self.trouble(0.08, Happening::WriteLate);
        let delay_ms = self.draw(|rng| if late { rng.random_range(CALL_MS..9_000) } else { rng.random_range(1..80) });
        let lost = self.trouble(0.08, Happening::AnswerLost);
        let (sender, answer) = oneshot::channel();
        let way = self.clone();
        executor::spawn_for(WORLD, async move {
            executor::sleep_ms(delay_ms).await;
            let request = Request::from_parts(parts, body.to_string().into_bytes());
            let answered = way.arrive(request).await;
            if let Ok(answered) = &answered {
                way.note(&body, answered);
            }
            if !lost {
                _ = sender.send(answered);
            }
        });
        self.within_deadline(async { answer.await.unwrap_or(Err(Unanswered::Unknown("the connection was lost".into()))) }).await
    }

    async fn within_deadline(&self, answer: impl Future<Output = Result<Value, Unanswered>>) -> Result<Value, Unanswered> {
        tokio::select! {
            biased;
            answer = answer => answer,
            () = executor::sleep_ms(CALL_MS) => Err(Unanswered::InTime),
        }
    }

    /// The last write once more, on whatever version stands.
    pub async fn send_again(&self) -> Result<Value, Unanswered> {
        let Some(request) = lock(&self.sent).as_ref().map(copy) else { return Err(Unanswered::NotSent("nothing was sent".into())) };
        let (mut parts, bytes) = request.into_parts();
        let mut body: Value = serde_json::from_slice(&bytes).map_err(|e| Unanswered::NotSent(e.to_string()))?;
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        let answer = self.arrive(Request::from_parts(parts, body.to_string().into_bytes())).await?;
        self.note(&body, &answer);
        Ok(answer)
    }
}

impl ApiWay for SimWay {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Value, Unanswered> {
        if self.trouble(0.01, Happening::ApiUnreachable) {
            return Err(Unanswered::NotSent("simulated".into()));
        }
        let tries = request.uri().query().is_some_and(|query| query.contains("dryRun"));
        let asks = request.uri().path().ends_with("/selfsubjectaccessreviews");
        if request.method() != Method::GET && !tries && !asks {
            return self.write(request).await;
        }
        let slow = self.trouble(0.02, Happening::AnswerLost);
        let delay_ms = self.draw(|rng| if slow { rng.random_range(CALL_MS..4_000) } else { rng.random_range(1..40) });
        self.within_deadline(async {
            executor::sleep_ms(delay_ms).await;
            self.arrive(request).await
        })
        .await
    }
}
