//! The document says what the API does.

use crate::group::{Group, acquire, raw};
use crate::watch::{propose, ready_to_act};
use picket_coordinator::api::client_routes::document;
use picket_core::coordination::{Command, Decision, Request};
use picket_core::ids::Principal;
use serde_json::{Value, json};

/// Checks a value against the schema that the document has at this place.
fn assert_valid(document: &Value, pointer: &str, value: &Value) {
    let mut schema = document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in the document")).clone();
    assert!(schema.as_object().is_some_and(|s| !s.is_empty()), "{pointer} allows anything");
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|e| panic!("{pointer} is no schema: {e}"));
    let wrong: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{pointer}: {wrong:#?} in {value:#}");
}

fn answer_of(path: &str, method: &str, status: u16) -> String {
    format!("/paths/{}/{method}/responses/{status}/content/application~1json/schema", path.replace('/', "~1"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_of_the_document_is_served_and_a_node_serves_the_document() {
    let group = Group::start().await;
    let http = raw(&group.pki(), &Principal::Human("test".into()));
    let base = format!("https://{}", group.addresses[&1]);
    let served: Value = http.get(format!("{base}/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(served, document());
    assert_eq!(served["openapi"], "3.1.0");
    let paths = served["paths"].as_object().unwrap();
    assert!(paths.len() >= 7);
    for (path, methods) in paths {
        let url = format!("{base}{}", path.replace("{entry}", "act-1"));
        for method in ["get", "post", "put", "delete"] {
            let asked = http.request(method.to_uppercase().parse().unwrap(), &url).send().await.unwrap();
            let described = methods.get(method).is_some();
            assert_eq!(asked.status().as_u16() == 405, !described, "{method} {path}: {}", asked.status());
            assert_ne!(asked.status().as_u16(), 404, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_answers_is_as_described() {
    let group = Group::start().await;
    let now = ready_to_act(&group).await;
    let decision = propose(&group, now).await;
    let Decision::Permitted { permit } = &decision else { panic!("{decision:?}") };
    let document = document();
    let base = format!("https://{}", group.addresses[&1]);
    let http = raw(&group.pki(), &Principal::Actuator("east".into()));
    let get = async |path: &str, query: &str, status: u16| {
        let answer = http.get(format!("{base}{}{query}", path.replace("{entry}", permit.body.entry.as_str()))).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}{query}");
        let value: Value = answer.json().await.unwrap();
        assert_valid(&document, &answer_of(path, "get", status), &value);
        value
    };
    let status = get("/v1/status", "", 200).await;
    assert_eq!(status["leases"].as_array().unwrap().len(), 1);
    assert_eq!(get("/v1/entries", "?settled_max=10", 200).await.as_array().unwrap().len(), 1);
    assert!(!get("/v1/watch", "?revision=0", 200).await["changes"].as_array().unwrap().is_empty());
    get("/v1/permits/{entry}", "", 200).await;
    let submit = async |body: Value, status: u16| {
        let answer = http.post(format!("{base}/v1/submit")).json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let value: Value = answer.json().await.unwrap();
        assert_valid(&document, &answer_of("/v1/submit", "post", status), &value);
        value
    };
    for (id, command, answer) in [
        ("register", Command::Register, "epoch"),
        ("acquire", acquire("a"), "leased"),
        ("acquire again", acquire("a"), "refused"),
        ("stop", Command::Stop { keep_undos: false }, "refused"),
    ] {
        let request = serde_json::to_value(Request { request_id: id.into(), command }).unwrap();
        assert_valid(&document, "/paths/~1v1~1submit/post/requestBody/content/application~1json/schema", &request);
        assert_eq!(submit(request, 200).await["answer"], answer, "{id}");
    }
    submit(json!({ "request_id": "r", "command": { "command": "fly" } }), 400).await;
}

#[test]
fn the_document_refuses_what_the_api_refuses() {
    let document = document();
    let schema = json!({ "$ref": "#/components/schemas/Request", "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let request = |command: Value| json!({ "request_id": "r", "command": command });
    assert!(validator.is_valid(&request(json!({ "command": "acquire_lease", "scopes": ["ext:a/b"], "ttl_ms": 5 }))));
    for wrong in [
        json!({ "command": "fly" }),
        json!({ "command": "acquire_lease", "scopes": ["ext:a/b"] }),
        json!({ "command": "acquire_lease", "scopes": "ext:a/b", "ttl_ms": 5 }),
        json!("tick"),
    ] {
        assert!(!validator.is_valid(&request(wrong.clone())), "{wrong}");
    }
}
