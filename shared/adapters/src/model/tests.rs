//! Against a server of this process.

use super::scripted::{Act, Scripted, Seen, answer, completion, data_of, message, ok};
use super::{ApiKey, HttpModel, ModelSettings, anthropic, openai};
use picket_core::action::{Digest, Remediation};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::config::ReasonerProvider;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident, IncidentStatus};
use picket_core::opinion::{ModelReply, ModelRequest, Stance, Unusable, Usage};
use picket_core::ports::{DiagnosisContext, DiagnosticEngine as _, ModelClient as _, Readings};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use picket_diagnosis::model::{AdvisedEngine, Caps, Panel, Price};
use picket_diagnosis::{EvidenceEngine, Retriever, Settings, shipped};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for whatever answers at all.
const PATIENT: Duration = Duration::from_secs(30);
const PATIENT_MS: u64 = 40_000;
const CLAUDE: &str = "claude-sonnet-4-5";

fn settings(provider: ReasonerProvider, address: &str, model: &str, deadline: Duration) -> ModelSettings {
    let key = ApiKey::of("sk-planted-key");
    ModelSettings { provider, address: address.to_owned(), model: model.to_owned(), key, ca_pem: None, own: false, deadline, draw: || 0.0 }
}

fn claude(server: &Scripted, deadline: Duration) -> HttpModel {
    HttpModel::new(settings(ReasonerProvider::Anthropic, &server.address, CLAUDE, deadline)).unwrap()
}

fn gpt(server: &Scripted, deadline: Duration) -> HttpModel {
    HttpModel::new(settings(ReasonerProvider::Openai, &server.address, "gpt-4o", deadline)).unwrap()
}

fn request() -> ModelRequest {
    let schema = json!({ "type": "object" });
    ModelRequest { instructions: "Say.".into(), data: "{\"evidence\":[]}".into(), schema, output_tokens_max: 500 }
}

async fn call(model: &HttpModel) -> ModelReply {
    let key = Digest::of(b"call");
    model.begin(&key, request());
    model.collect(&key, PATIENT_MS).await.expect("the deadline is shorter than the wait")
}

fn header(seen: &Seen, name: &str) -> String {
    seen.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_is_asked_as_its_api_says() {
    let server = Scripted::start(|_, _| ok(&message("{\"a\":1}", "end_turn"))).await;
    let reply = call(&claude(&server, PATIENT)).await;
    assert_eq!(reply, ModelReply { text: Ok("{\"a\":1}".into()), usage: Some(Usage { input_tokens: 1000, output_tokens: 50 }) });
    let seen = server.seen().remove(0);
    assert_eq!((seen.path.as_str(), header(&seen, "x-api-key").as_str()), ("/v1/messages", "sk-planted-key"));
    assert_eq!(header(&seen, "anthropic-version"), "2023-06-01");
    let body = json!({
        "model": CLAUDE, "max_tokens": 500, "system": "Say.",
        "messages": [{ "role": "user", "content": "{\"evidence\":[]}" }],
        "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } },
    });
    assert_eq!(seen.body, body);
}

#[test]
fn an_older_model_answers_by_a_tool() {
    let body = anthropic::body("claude-3-5-sonnet", &request());
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "answer" }));
    assert_eq!((&body["tools"][0]["input_schema"], &body["output_config"]), (&json!({ "type": "object" }), &Value::Null));
    let said = json!({ "content": [{ "type": "text", "text": "Well:" }, { "type": "tool_use", "name": "answer", "input": { "a": 1 } }], "stop_reason": "tool_use" });
    let reply = anthropic::reply("claude-3-5-sonnet", &said);
    assert_eq!((reply.text, reply.usage), (Ok("{\"a\":1}".into()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_is_asked_as_its_api_says() {
    let server = Scripted::start(|_, _| ok(&completion("{\"a\":1}", "stop"))).await;
    let reply = call(&gpt(&server, PATIENT)).await;
    assert_eq!(reply, ModelReply { text: Ok("{\"a\":1}".into()), usage: Some(Usage { input_tokens: 1000, output_tokens: 50 }) });
    let seen = server.seen().remove(0);
    assert_eq!((seen.path.as_str(), header(&seen, "authorization").as_str()), ("/v1/chat/completions", "Bearer sk-planted-key"));
    let format = json!({ "type": "json_schema", "json_schema": { "name": "diagnosis", "strict": true, "schema": { "type": "object" } } });
    assert_eq!((&seen.body["response_format"], &seen.body["max_tokens"]), (&format, &json!(500)));
    let own = openai::body("gpt-4o", &request(), true);
    assert_eq!((&own["max_completion_tokens"], &own["max_tokens"]), (&json!(500), &Value::Null));
}

#[test]
fn every_way_to_stop_is_told_apart() {
    let claude = |stop: &str| anthropic::reply(CLAUDE, &message("{}", stop)).text.map_err(|why| why.as_str());
    assert_eq!(claude("end_turn"), Ok("{}".to_owned()));
    for (stop, why) in [
        ("refusal", "refused"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("pause_turn", "malformed"),
        ("novelty", "malformed"),
    ] {
        assert_eq!(claude(stop), Err(why), "{stop}");
    }
    let gpt = |answer: &Value| openai::reply(answer).text.map_err(|why| why.as_str());
    assert_eq!(gpt(&completion("{}", "stop")), Ok("{}".to_owned()));
    for (stop, why) in [("length", "truncated"), ("content_filter", "refused"), ("tool_calls", "malformed")] {
        assert_eq!(gpt(&completion("{}", stop)), Err(why), "{stop}");
    }
    let mut refusal = completion("", "stop");
    refusal["choices"][0]["message"] = json!({ "content": null, "refusal": "I will not." });
    assert_eq!(gpt(&refusal), Err("refused"));
    for nothing in [json!({}), json!([]), json!({ "choices": [] }), completion("", "stop")] {
        assert_eq!(gpt(&nothing), Err("malformed"), "{nothing}");
        assert_eq!(anthropic::reply(CLAUDE, &nothing).text.map_err(|why| why.as_str()), Err("malformed"), "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_and_the_servers_wish_is_respected() {
    for status in [429, 500, 503, 529] {
        let server = Scripted::start(move |_, before| match before {
            0 => Act::Answer(status, vec![("retry-after-ms", "1")], "{}".into()),
            _ => ok(&message("{}", "end_turn")),
        })
        .await;
        assert_eq!(call(&claude(&server, PATIENT)).await.text, Ok("{}".into()), "{status}");
        assert_eq!(server.seen().len(), 2, "{status}");
    }
    let busy = Scripted::start(|_, _| Act::Answer(429, vec![("retry-after", "3600")], "{}".into())).await;
    assert_eq!(call(&gpt(&busy, PATIENT)).await.text, Err(Unusable::RateLimited));
    assert_eq!(busy.seen().len(), 1, "a pause beyond the deadline is not begun");
    let down = Scripted::start(|_, _| Act::Answer(503, vec![("retry-after-ms", "0")], String::new())).await;
    assert_eq!(call(&gpt(&down, PATIENT)).await.text, Err(Unusable::Unavailable { why: "status 503".into() }));
    assert_eq!(down.seen().len(), 4, "tries are counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_wrong_is_not_tried_again_and_the_servers_words_are_not_repeated() {
    for (status, body, expected) in [
        (
            401,
            json!({ "error": { "type": "authentication_error", "message": "bad key sk-planted-key" } }),
            "status 401 authentication_error",
        ),
        (404, json!({ "error": { "type": "not_found_error", "message": "model" } }), "status 404 not_found_error"),
        (429, json!({ "error": { "code": "insufficient_quota" } }), "status 429 insufficient_quota"),
        (400, json!({ "error": { "type": "say sk-planted-key", "code": null } }), "status 400"),
        (307, json!({}), "status 307"),
    ] {
        let text = body.to_string();
        let server = Scripted::start(move |_, _| Act::Answer(status, vec![("location", "http://127.0.0.1:1/")], text.clone())).await;
        let reply = call(&gpt(&server, PATIENT)).await;
        assert_eq!(reply.text, Err(Unusable::Rejected { why: expected.into() }));
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_answers() {
    let long = Scripted::start(|_, _| Act::Answer(200, Vec::new(), "x".repeat(1 << 20))).await;
    assert_eq!(call(&claude(&long, PATIENT)).await.text, Err(Unusable::TooLong));
    let page = Scripted::start(|_, _| Act::Answer(200, Vec::new(), "<html>Sign in</html>".into())).await;
    assert!(matches!(call(&claude(&page, PATIENT)).await.text, Err(Unusable::Malformed { .. })));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = settings(ReasonerProvider::Openai, &format!("http://{nobody}/v1"), "local", Duration::from_millis(200));
    assert!(matches!(call(&HttpModel::new(settings).unwrap()).await.text, Err(Unusable::Unavailable { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_made_once_and_asked_after_without_waiting() {
    let server = Scripted::start(|_, _| Act::Stall).await;
    let model = gpt(&server, PATIENT);
    let key = Digest::of(b"call");
    model.begin(&key, request());
    model.begin(&key, request());
    server.arrived(1).await;
    assert_eq!(model.collect(&key, 0).await, None);
    assert!(matches!(model.collect(&Digest::of(b"another"), 0).await.unwrap().text, Err(Unusable::Unavailable { .. })));
    let short = gpt(&server, Duration::from_millis(300));
    assert_eq!(call(&short).await.text, Err(Unusable::TimedOut));
    assert!(server.seen().len() <= 2, "one call each");
}

#[tokio::test]
async fn keys_are_neither_shown_nor_sent_in_the_clear() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let with = |address: &str| HttpModel::new(settings(ReasonerProvider::Openai, address, "m", PATIENT));
    let said = with("http://models.example/v1").unwrap_err().to_string();
    assert!(said.contains("not sent in the clear") && !said.contains("planted"), "{said}");
    assert!(with("not a url").is_err());
    let model = with("https://models.example/v1").unwrap();
    assert!(!format!("{model:?}").contains("planted"));
    let settings = settings(ReasonerProvider::Openai, "https://models.example/v1", "m", PATIENT);
    assert!(!format!("{settings:?}").contains("planted"));
    assert!(HttpModel::new(ModelSettings { ca_pem: Some(b"nothing".to_vec()), ..settings }).unwrap_err().to_string().contains("CA"));
}

fn id(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

/// A rollout of pricing, then errors there and at cart, which calls it; secrets planted where telemetry can carry them.
fn bad_deployment() -> (Incident, DiagnosisContext) {
    let at = |seconds: i64| Timestamp(1_700_000_000_000 + seconds * 1000);
    let mut graph = ServiceGraph::default();
    graph.observe_call(&id("cart"), &id("pricing"), at(0), 10);
    let shows = |service: &str, onset: i64| Anomaly {
        service: id(service),
        pod: None,
        symptom: Symptom::ErrorRateHigh,
        detector: DetectorKind::Baseline,
        series: "errors of jane.doe@example.com with password=hunter2".into(),
        score: 8.0,
        direction: Direction::Up,
        value: 9.0,
        expected: 1.0,
        onset: at(onset),
        last_seen: at(120),
        peer: None,
        object: None,
    };
    let change = ChangeEvent {
        service: id("pricing"),
        kind: ChangeKind::Deployment,
        at: at(50),
        what: "revision 4 (token=q1w2e3r4t5y6) rolled out".into(),
    };
    let services = vec![id("pricing"), id("cart")];
    let incident = Incident {
        id: "inc-1".into(),
        agent: AgentKind::Sre,
        fingerprint: "f".into(),
        service: id("pricing"),
        subgraph: graph.calls_around(&services),
        services,
        severity: Severity::Three,
        opened_at: at(75),
        onset: at(60),
        updated_at: at(120),
        status: IncidentStatus::Open,
        anomalies: vec![shows("pricing", 60), shows("cart", 65)],
    };
    let readings = Readings { revision: Some((4, 3)), replicas_desired: Some(3), ..Readings::default() };
    let readings = [("pricing", readings.clone()), ("cart", readings)].map(|(name, r)| (id(name), r)).into();
    let context = DiagnosisContext {
        graph: Arc::new(graph),
        facts: None,
        changes: vec![change],
        readings,
        now: at(120),
        reliability: Default::default(),
        post_mortems: Default::default(),
    };
    (incident, context)
}

fn evidence() -> EvidenceEngine {
    EvidenceEngine::new(Arc::new(Retriever::new(shipped(), None).unwrap()), Settings::default())
}

/// What an engine with these models says, and how long it took.
async fn advised(models: Vec<HttpModel>) -> (Diagnosis, Duration) {
    let models = models.into_iter().map(|m| (m, Price { input: 3.0, output: 15.0 })).collect();
    let caps = Caps { hour_micro_usd: 1_000_000, incident_micro_usd: 1_000_000 };
    let engine = AdvisedEngine::new(evidence(), Panel { models, output_tokens_max: 1000, caps, wait_ms: PATIENT_MS, compressor: None });
    let (incident, context) = bad_deployment();
    let begun = Instant::now();
    let diagnosis = engine.diagnose(&incident, &context).await.unwrap();
    (diagnosis, begun.elapsed())
}

fn alone() -> Diagnosis {
    let (incident, context) = bad_deployment();
    let diagnosis = evidence().diagnose_now(&incident, &context).unwrap();
    let rollback = Remediation::Rollback { to_revision: 3 };
    assert!(matches!(&diagnosis.verdict, Verdict::Cause { action: Some(a), .. } if a.remediation == rollback), "{}", diagnosis.sentence);
    diagnosis
}

/// Two calls to a server that takes them and says nothing: one deadline for both, and then the answer that was there from the start.
#[tokio::test(flavor = "multi_thread")]
async fn when_servers_stall_the_built_in_answer_is_there_at_the_deadline() {
    let server = Scripted::start(|_, _| Act::Stall).await;
    let deadline = Duration::from_secs(5);
    let (diagnosis, took) = advised(vec![claude(&server, deadline), gpt(&server, deadline)]).await;
    assert_eq!((&diagnosis.verdict, diagnosis.confidence), (&alone().verdict, alone().confidence));
    let timed_out = Stance::Unusable { why: Unusable::TimedOut };
    assert!(diagnosis.opinions.len() == 2 && diagnosis.opinions.iter().all(|o| o.stance == timed_out), "{:?}", diagnosis.opinions);
    assert_eq!(server.seen().len(), 2, "both were asked");
    assert!(took >= deadline && took < 2 * deadline, "one deadline for both, not one each: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_models_agree_and_neither_is_sent_a_secret() {
    let agree = |seen: &Seen, _: usize| match seen.path.as_str() {
        "/v1/messages" => ok(&message(&answer(seen, "bad_deployment", "pricing", "rollback"), "end_turn")),
        _ => ok(&completion(&answer(seen, "bad_deployment", "pricing", "rollback"), "stop")),
    };
    let server = Scripted::start(agree).await;
    let (diagnosis, _) = advised(vec![claude(&server, PATIENT), gpt(&server, PATIENT)]).await;
    assert_eq!((&diagnosis.verdict, diagnosis.confidence), (&alone().verdict, alone().confidence));
    assert!(diagnosis.opinions.iter().all(|o| o.stance == Stance::Agrees && o.tokens == 1050), "{:?}", diagnosis.opinions);
    assert_eq!(diagnosis.reasoner, format!("evidence, {CLAUDE}, gpt-4o"));
    assert!((diagnosis.cost_usd - 2.0 * 0.003_75).abs() < 1e-9, "{}", diagnosis.cost_usd);
    let seen = server.seen();
    assert_eq!((seen.len(), data_of(&seen[0])), (2, data_of(&seen[1])), "the second sees the evidence, not the first answer");
    for one in seen {
        for secret in ["jane.doe", "hunter2", "q1w2e3r4t5y6"] {
            assert!(!one.body.to_string().contains(secret), "{secret} is in {}", one.body);
        }
        assert!(data_of(&one).to_string().contains("[redacted: "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_know_no_cause_lower_the_confidence() {
    let server = Scripted::start(|seen, _| ok(&completion(&answer(seen, "unknown", "pricing", "none"), "stop"))).await;
    let (diagnosis, _) = advised(vec![gpt(&server, PATIENT)]).await;
    assert!(diagnosis.confidence < alone().confidence && diagnosis.opinions[0].stance == Stance::Unknown, "{}", diagnosis.sentence);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_the_built_in_answer_stands_and_it_is_said() {
    let quick = vec![("retry-after", "3600")];
    let cases: Vec<(Act, &str)> = vec![
        (ok(&completion("", "content_filter")), "refused"),
        (ok(&completion("{\"cause\":", "length")), "truncated"),
        (ok(&completion("I think it is the deployment.", "stop")), "malformed"),
        (
            ok(&completion(
                "{\"cause\":\"gremlins\",\"service\":\"s1\",\"probability\":1,\"citations\":[\"e1\"],\"action\":\"none\"}",
                "stop",
            )),
            "off_catalogue",
        ),
        (
            ok(&completion(
                "{\"cause\":\"bad_deployment\",\"service\":\"s1\",\"probability\":1,\"citations\":[],\"action\":\"none\"}",
                "stop",
            )),
            "uncited",
        ),
        (Act::Answer(429, quick.clone(), "{}".into()), "rate_limited"),
        (Act::Answer(503, quick, "{}".into()), "unavailable"),
        (Act::Answer(401, Vec::new(), "{}".into()), "rejected"),
        (Act::Answer(200, Vec::new(), "x".repeat(1 << 20)), "too_long"),
    ];
    for (act, kind) in cases {
        let act = std::sync::Mutex::new(Some(act));
        let server = Scripted::start(move |_, _| act.lock().unwrap().take().unwrap_or(Act::Stall)).await;
        let (diagnosis, _) = advised(vec![gpt(&server, PATIENT)]).await;
        assert_eq!((&diagnosis.verdict, diagnosis.confidence), (&alone().verdict, alone().confidence), "{kind}");
        let Stance::Unusable { why } = &diagnosis.opinions[0].stance else { panic!("{:?}", diagnosis.opinions) };
        assert!(why.as_str() == kind && diagnosis.sentence.contains("gpt-4o was not used"), "{}", diagnosis.sentence);
    }
}
