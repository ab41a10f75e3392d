//! The server, asked by a real client.

use super::{ApiTokens, router_with_admin};
use crate::SimCluster;
use crate::store::ObjectKey;
use axum::http::{HeaderValue, Request};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const CART: &str = "/apis/apps/v1/namespaces/lab/deployments/cart";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/lab/deployments";
const CLAIM: &str = "/api/v1/namespaces/lab/persistentvolumeclaims/data";
const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/lab/networkpolicies";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

struct Lab {
    cluster: Arc<Mutex<SimCluster>>,
    client: kube::Client,
}

fn router_of(cluster: &Arc<Mutex<SimCluster>>) -> axum::Router {
    router_with_admin(cluster.clone(), ApiTokens { read: "reads".into(), write: "writes".into() }, "admin".into())
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "lab", "labels": {"app": "cart"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "cart"}}, "template": {
            "metadata": {"labels": {"app": "cart"}},
            "spec": {"containers": [
                {"name": "proxy", "image": "p:1"},
                {"name": "cart", "image": "c:1", "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}},
            ]},
        }},
        "status": {"observedGeneration": 1},
    })
}

fn lab() -> Lab {
    let mut cluster = SimCluster::new("east", 1, Timestamp(1_700_000_000_000), crate::parameters::SimParameters::default());
    cluster.store.create(deployment()).unwrap();
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "lab"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
    cluster.store.create(claim).unwrap();
    cluster.store.create(crate::objects::namespace("lab")).unwrap();
    let cluster = Arc::new(Mutex::new(cluster));
    Lab { client: kube::Client::new(router_of(&cluster), "lab"), cluster }
}

impl Lab {
    async fn ask(&self, token: &str, method: &str, path: &str, content_type: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let mut request = Request::builder().method(method).uri(path).header("content-type", content_type).body(body.into()).unwrap();
        if !token.is_empty() {
            request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        }
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let text = response.into_body().collect_bytes().await.unwrap();
        (code, serde_json::from_slice(&text).unwrap_or_else(|_| json!(String::from_utf8_lossy(&text))))
    }

    fn revision(&self) -> u64 {
        self.cluster.lock().unwrap().store.revision()
    }

    fn cart(&self) -> Value {
        let key = ObjectKey::new("apps/v1", "Deployment", "lab", "cart");
        (**self.cluster.lock().unwrap().store.get(&key).unwrap()).clone()
    }

    fn version(&self) -> String {
        self.cart()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// A client that carries a token by itself.
    fn as_user(&self, token: &'static str) -> kube::Client {
        let bearer = axum::middleware::map_request(move |mut request: Request<axum::body::Body>| async move {
            request.headers_mut().insert("authorization", HeaderValue::from_static(token));
            request
        });
        kube::Client::new(router_of(&self.cluster).layer(bearer), "lab")
    }
}

fn fenced(token: &str, rest: Value) -> Value {
    let mut patch = rest;
    patch["metadata"]["annotations"]["picket.dev/fencing-token"] = json!(token);
    patch
}

#[tokio::test]
async fn the_fence_of_a_namespace_binds_the_actuator_in_all_of_it_and_nobody_else() {
    let lab = lab();
    let raise = |token: &str| fenced(token, json!({}));
    let scaled = |token: &str| fenced(token, json!({"spec": {"replicas": 4}}));
    assert_eq!(lab.ask("writes", "PATCH", CART, MERGE, &scaled("7")).await.0, 200);
    let namespace = "/api/v1/namespaces/lab";
    assert_eq!(lab.ask("reads", "PATCH", namespace, MERGE, &raise("9")).await.0, 403);
    assert_eq!(lab.ask("writes", "PATCH", namespace, MERGE, &raise("9")).await.0, 200);
    let (code, status) = lab.ask("writes", "PATCH", CART, MERGE, &scaled("8")).await;
    assert!(code == 422 && status["message"].as_str().unwrap().contains("fence of its namespace"), "{status}");
    assert_eq!(lab.ask("writes", "PATCH", namespace, MERGE, &raise("8")).await.0, 422, "it only rises");
    assert_eq!(lab.ask("admin", "PATCH", CART, MERGE, &json!({"spec": {"replicas": 5}})).await.0, 200);
    assert_eq!(lab.ask("writes", "PATCH", CART, MERGE, &scaled("9")).await.0, 200);
    assert_eq!(lab.ask("writes", "DELETE", namespace, "", &Value::Null).await.0, 403);
}

/// Who, method, path, content type, body; code and reason.
type Case = (&'static str, &'static str, String, &'static str, Value, u16, &'static str);

#[tokio::test]
async fn refusals_have_the_codes_and_reasons_of_kubernetes_and_change_nothing() {
    let lab = lab();
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}});
    let mut stale_put = deployment();
    stale_put["metadata"]["resourceVersion"] = json!("1");
    let mut other_name = deployment();
    other_name["metadata"]["name"] = json!("pay");
    let negative = json!({"spec": {"replicas": -1}});
    let policy = |name: &str| json!({"metadata": {"name": name}, "spec": {"podSelector": {}}});
    let limit = |memory: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "cart", "resources": {"limits": {"memory": memory}}}]}}}});
    let cart = || CART.to_owned();
    let cases: Vec<Case> = vec![
        ("", "GET", cart(), "", Value::Null, 401, "Unauthorized"),
        ("stranger", "GET", cart(), "", Value::Null, 401, "Unauthorized"),
        ("admin", "GET", format!("{CART}2"), "", Value::Null, 404, "NotFound"),
        ("reads", "GET", cart(), "", Value::Null, 403, "Forbidden"),
        ("reads", "GET", "/apis/apps/v1/namespaces/lab/daemonsets".into(), "", Value::Null, 404, "NotFound"),
        ("admin", "GET", format!("{CART}/eviction"), "", Value::Null, 404, "NotFound"),
        ("admin", "GET", "/api/v1/namespaces/lab/pods/p/eviction".into(), "", Value::Null, 405, "MethodNotAllowed"),
        ("admin", "POST", "/api/v1/namespaces/lab/pods/p/eviction".into(), "", json!({}), 404, "NotFound"),
        ("writes", "POST", "/api/v1/namespaces/lab/pods/p/eviction".into(), "", json!({}), 403, "Forbidden"),
        ("writes", "PATCH", format!("{CART}/scale"), MERGE, json!({"spec": {"replicas": 9}}), 403, "Forbidden"),
        ("admin", "PATCH", format!("{CART}/scale"), MERGE, json!({"spec": {"replicas": -1}}), 422, "Invalid"),
        ("admin", "PATCH", format!("{CART}/scale"), MERGE, json!({"metadata": {"resourceVersion": "1"}}), 409, "Conflict"),
        ("reads", "POST", cart(), "", json!({}), 405, "MethodNotAllowed"),
        ("reads", "PATCH", cart(), MERGE, json!({"spec": {"replicas": 9}}), 403, "Forbidden"),
        ("reads", "PUT", cart(), "application/json", deployment(), 403, "Forbidden"),
        ("reads", "GET", "/api/v1/namespaces/lab/secrets".into(), "", Value::Null, 403, "Forbidden"),
        ("writes", "DELETE", cart(), "", Value::Null, 403, "Forbidden"),
        ("writes", "POST", DEPLOYMENTS.into(), "application/json", deployment(), 403, "Forbidden"),
        ("writes", "PATCH", "/api/v1/namespaces/lab/pods/p".into(), MERGE, json!({}), 403, "Forbidden"),
        ("writes", "PATCH", format!("{CART}2"), MERGE, json!({}), 404, "NotFound"),
        ("writes", "PATCH", cart(), MERGE, fenced("1", stale.clone()), 409, "Conflict"),
        ("admin", "PATCH", cart(), STRATEGIC, stale.clone(), 409, "Conflict"),
        (
            "admin",
            "PATCH",
            cart(),
            JSON_PATCH,
            json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}]),
            409,
            "Conflict",
        ),
        ("admin", "PATCH", format!("{CART}?fieldManager=x"), APPLY, stale, 409, "Conflict"),
        ("admin", "PUT", cart(), "application/json", stale_put, 409, "Conflict"),
        ("admin", "POST", DEPLOYMENTS.into(), "application/json", deployment(), 409, "AlreadyExists"),
        ("admin", "PUT", cart(), "application/json", other_name, 400, "BadRequest"),
        ("admin", "PATCH", cart(), JSON_PATCH, json!([{"op": "test", "path": "/spec/replicas", "value": 7}]), 422, "Invalid"),
        ("admin", "PATCH", cart(), JSON_PATCH, json!({"op": "test"}), 400, "BadRequest"),
        ("admin", "PATCH", cart(), MERGE, negative.clone(), 422, "Invalid"),
        ("admin", "PATCH", format!("{CART}?dryRun=All"), MERGE, negative, 422, "Invalid"),
        ("admin", "PATCH", cart(), STRATEGIC, limit("128Mi"), 422, "Invalid"),
        ("admin", "PATCH", cart(), STRATEGIC, limit("much"), 400, "BadRequest"),
        ("admin", "PATCH", cart(), MERGE, json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}}), 422, "Invalid"),
        ("admin", "PATCH", cart(), MERGE, json!({"metadata": {"annotations": {"n": 1}}}), 400, "BadRequest"),
        ("admin", "PATCH", cart(), "text/plain", json!({}), 415, "UnsupportedMediaType"),
        ("admin", "PATCH", cart(), APPLY, json!({}), 400, "BadRequest"),
        ("admin", "PATCH", format!("{CART}?dryRun=Some"), MERGE, json!({}), 400, "BadRequest"),
        ("admin", "PATCH", CLAIM.into(), MERGE, json!({"spec": {"resources": {"requests": {"storage": "5Gi"}}}}), 422, "Invalid"),
        ("admin", "PATCH", CLAIM.into(), MERGE, json!({"spec": {"accessModes": ["ReadWriteMany"]}}), 422, "Invalid"),
        ("admin", "POST", POLICIES.into(), "application/json", json!({"metadata": {"name": "p"}, "spec": {}}), 422, "Invalid"),
        ("admin", "POST", POLICIES.into(), "application/json", policy("Big_Name"), 422, "Invalid"),
        ("admin", "DELETE", cart(), "application/json", json!({"preconditions": {"resourceVersion": "1"}}), 409, "Conflict"),
        ("writes", "PATCH", cart(), MERGE, json!({"spec": {"replicas": 4}}), 422, "Invalid"),
        ("writes", "POST", POLICIES.into(), "application/json", policy("bare"), 422, "Invalid"),
        ("reads", "GET", format!("{DEPLOYMENTS}?labelSelector=a%20b"), "", Value::Null, 400, "BadRequest"),
        ("admin", "GET", format!("{DEPLOYMENTS}?watch=true&resourceVersion=x"), "", Value::Null, 400, "BadRequest"),
    ];
    let revision = lab.revision();
    for (token, method, path, content_type, body, code, reason) in cases {
        let (is_code, status) = lab.ask(token, method, &path, content_type, &body).await;
        let what = format!("{token} {method} {path} {body}: {status}");
        assert_eq!((is_code, status["reason"].as_str()), (code, Some(reason)), "{what}");
        assert_eq!((&status["kind"], &status["status"], &status["code"]), (&json!("Status"), &json!("Failure"), &json!(code)), "{what}");
    }
    assert_eq!(lab.revision(), revision, "nothing was changed");
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_and_stores_nothing() {
    let lab = lab();
    let before = (lab.revision(), lab.cart());
    let (code, shown) = lab.ask("admin", "PATCH", &format!("{CART}?dryRun=All"), MERGE, &json!({"spec": {"replicas": 7}})).await;
    assert_eq!((code, &shown["spec"]["replicas"], &shown["metadata"]["generation"]), (200, &json!(7), &json!(2)));
    let policy = json!({"metadata": {"name": "p"}, "spec": {"podSelector": {}}});
    let (code, shown) = lab.ask("admin", "POST", &format!("{POLICIES}?dryRun=All"), "application/json", &policy).await;
    assert_eq!((code, shown["kind"].as_str()), (201, Some("NetworkPolicy")));
    assert!(shown["metadata"]["uid"].is_string());
    let (code, _) = lab.ask("admin", "DELETE", &format!("{CART}?dryRun=All"), "", &Value::Null).await;
    assert_eq!(code, 200);
    assert_eq!((lab.revision(), lab.cart()), before);
}

#[tokio::test]
async fn every_way_of_writing_writes() {
    let lab = lab();
    let containers = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "cart", "image": image}]}}}});
    let (code, made) = lab.ask("admin", "PATCH", CART, STRATEGIC, &containers("c:2")).await;
    assert_eq!((code, made["metadata"]["generation"].as_i64()), (200, Some(2)));
    let images = |object: &Value| {
        object["spec"]["template"]["spec"]["containers"].as_array().unwrap().iter().map(|c| c["image"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(images(&made), ["p:1", "c:2"]);
    assert_eq!(made["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["memory"], "512Mi");
    let (_, made) = lab.ask("admin", "PATCH", &format!("{CART}?fieldManager=t&force=true"), APPLY, &containers("c:3")).await;
    assert_eq!(images(&made), ["p:1", "c:3"]);
    let operations = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": lab.version()}, {"op": "replace", "path": "/spec/replicas", "value": 5}]);
    let (code, made) = lab.ask("admin", "PATCH", CART, JSON_PATCH, &operations).await;
    assert_eq!((code, &made["spec"]["replicas"]), (200, &json!(5)));
    let mut whole = made.clone();
    whole["spec"]["replicas"] = json!(6);
    whole["status"] = json!({"readyReplicas": 99});
    let (code, made) = lab.ask("admin", "PUT", CART, "application/json", &whole).await;
    assert_eq!(
        (code, &made["spec"]["replicas"], &made["status"]),
        (200, &json!(6), &json!({"observedGeneration": 1})),
        "status is the controllers'"
    );
    let (code, _) = lab.ask("admin", "PUT", CART, "application/json", &whole).await;
    assert_eq!(code, 409, "the same version a second time");
    let policy =
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"podSelector": {}}});
    let (code, _) = lab.ask("admin", "PATCH", &format!("{POLICIES}/p?fieldManager=t"), APPLY, &policy).await;
    assert_eq!(code, 201, "apply creates");
    let (code, _) = lab.ask("admin", "DELETE", CART, "", &Value::Null).await;
    assert_eq!(code, 200);
    let (code, _) = lab.ask("admin", "GET", CART, "", &Value::Null).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn the_fence_lets_tokens_only_rise() {
    let lab = lab();
    let scale = |replicas: u32| json!({"spec": {"replicas": replicas}});
    for (token, replicas, code) in [("7", 4, 200), ("6", 5, 422), ("7", 6, 200), ("8", 7, 200), ("", 8, 422)] {
        let (is, status) = lab.ask("writes", "PATCH", CART, MERGE, &fenced(token, scale(replicas))).await;
        assert_eq!(is, code, "token {token}: {status}");
        assert_eq!(lab.cart()["spec"]["replicas"] == json!(replicas), code == 200);
    }
    let (code, status) = lab.ask("writes", "PATCH", &format!("{CART}?dryRun=All"), MERGE, &fenced("1", scale(9))).await;
    assert_eq!(code, 422, "also in a dry run: {status}");
    let (code, _) = lab.ask("admin", "PATCH", CART, MERGE, &scale(2)).await;
    assert_eq!(code, 200, "people are not bound by picket's fence");
}

#[tokio::test]
async fn nobody_else_may_change_a_token() {
    let lab = lab();
    assert_eq!(lab.ask("admin", "PATCH", CART, MERGE, &fenced("9000000000000000000", json!({}))).await.0, 422, "nor set the first one");
    assert_eq!(lab.ask("writes", "PATCH", CART, MERGE, &fenced("7", json!({}))).await.0, 200);
    let without = json!([{"op": "remove", "path": "/metadata/annotations/picket.dev~1fencing-token"}]);
    for (content_type, change) in [(MERGE, fenced("6", json!({}))), (MERGE, fenced("8", json!({}))), (JSON_PATCH, without)] {
        let (code, status) = lab.ask("admin", "PATCH", CART, content_type, &change).await;
        assert!(code == 422 && status["message"].as_str().unwrap().contains("leave it at \"7\""), "{status}");
    }
    assert_eq!(lab.ask("admin", "PATCH", CART, MERGE, &fenced("7", json!({"spec": {"replicas": 4}}))).await.0, 200, "as it stands");
    let (code, _) = lab.ask("admin", "PATCH", "/api/v1/namespaces/lab", MERGE, &fenced("9", json!({}))).await;
    assert_eq!(code, 422, "nor of a namespace");
}

#[tokio::test]
async fn a_budget_stops_an_eviction_with_its_cause_and_no_word_of_when_to_try_again() {
    let lab = lab();
    let pods = {
        let cluster = lab.cluster.lock().unwrap();
        cluster.store.list("v1", "Pod", None).into_iter().map(|pod| (*pod).clone()).collect::<Vec<_>>()
    };
    let pod = &pods[0];
    let (namespace, name) = (pod["metadata"]["namespace"].as_str().unwrap(), pod["metadata"]["name"].as_str().unwrap());
    let budgets = format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets");
    let evict = format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction");
    let labels = json!({"app": pod["metadata"]["labels"]["app"]});
    let budget = |name: &str, spec: Value| {
        let mut budget = json!({"metadata": {"name": name}, "spec": spec});
        budget["spec"]["selector"] = json!({"matchLabels": labels});
        budget
    };
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}});
    assert_eq!(lab.ask("admin", "POST", &budgets, "application/json", &budget("all", json!({"maxUnavailable": 0}))).await.0, 201);
    let (code, status) = lab.ask("admin", "POST", &evict, "application/json", &eviction).await;
    assert_eq!((code, status["reason"].as_str()), (429, Some("TooManyRequests")), "{status}");
    assert_eq!(status["details"]["causes"][0]["reason"], "DisruptionBudget");
    assert!(status["details"].get("retryAfterSeconds").is_none());
    let one = json!({"spec": {"maxUnavailable": "100%"}});
    assert_eq!(lab.ask("admin", "PATCH", &format!("{budgets}/all"), MERGE, &one).await.0, 200);
    assert_eq!(lab.ask("admin", "POST", &format!("{evict}?dryRun=All"), "application/json", &eviction).await.0, 201);
    assert_eq!(lab.ask("admin", "POST", &budgets, "application/json", &budget("again", json!({"minAvailable": 0}))).await.0, 201);
    assert_eq!(lab.ask("admin", "POST", &evict, "application/json", &eviction).await.0, 500, "two budgets for one pod");
    assert_eq!(lab.ask("admin", "DELETE", &format!("{budgets}/again"), "", &Value::Null).await.0, 200);
    assert_eq!(lab.ask("admin", "POST", &evict, "application/json", &eviction).await.0, 201);
    assert_eq!(lab.ask("admin", "POST", &evict, "application/json", &eviction).await.0, 404, "it is gone");
}

#[tokio::test]
async fn an_apply_conflicts_with_who_owns_the_field_unless_it_is_forced() {
    let lab = lab();
    let scaled = |replicas: u32| json!({"spec": {"replicas": replicas}});
    let as_manager = |name: &str| format!("{CART}?fieldManager={name}");
    assert_eq!(lab.ask("admin", "PATCH", &as_manager("argo"), APPLY, &scaled(4)).await.0, 200);
    assert_eq!(lab.ask("admin", "PATCH", &as_manager("argo"), APPLY, &scaled(5)).await.0, 200, "its own");
    assert_eq!(lab.ask("admin", "PATCH", &as_manager("flux"), APPLY, &scaled(5)).await.0, 200, "the same value is shared");
    let (code, status) = lab.ask("admin", "PATCH", &as_manager("kim"), APPLY, &scaled(6)).await;
    assert_eq!((code, status["reason"].as_str()), (409, Some("Conflict")), "{status}");
    let cause = &status["details"]["causes"][0];
    assert_eq!((&cause["reason"], &cause["field"]), (&json!("FieldManagerConflict"), &json!(".spec.replicas")));
    assert_eq!(lab.cart()["spec"]["replicas"], 5);
    assert_eq!(lab.ask("admin", "PATCH", &format!("{}&force=true", as_manager("kim")), APPLY, &scaled(6)).await.0, 200);
    assert_eq!(lab.ask("admin", "PATCH", &as_manager("argo"), APPLY, &scaled(5)).await.0, 409, "it is kim's now");
    assert_eq!(lab.ask("admin", "PATCH", &as_manager("picket"), MERGE, &scaled(7)).await.0, 200, "other writes take fields over");
    let (code, status) = lab.ask("admin", "PATCH", &as_manager("kim"), APPLY, &scaled(6)).await;
    assert!(code == 409 && status["message"].as_str().unwrap().contains("picket"), "{status}");
}

#[tokio::test]
async fn a_scale_has_no_annotations_and_sets_the_deployments_replicas() {
    let lab = lab();
    let scale = format!("{CART}/scale");
    let (code, read) = lab.ask("admin", "GET", &scale, "", &Value::Null).await;
    assert_eq!(
        (code, &read["kind"], &read["spec"]["replicas"], &read["metadata"]["annotations"]),
        (200, &json!("Scale"), &json!(3), &Value::Null)
    );
    let mut written = read.clone();
    written["spec"]["replicas"] = json!(5);
    assert_eq!(lab.ask("admin", "PUT", &scale, "application/json", &written).await.0, 200);
    assert_eq!(lab.cart()["spec"]["replicas"], 5);
    assert_eq!(lab.ask("admin", "PUT", &scale, "application/json", &written).await.0, 409, "the same version a second time");
}

#[tokio::test]
async fn access_reviews_and_discovery_answer() {
    let lab = lab();
    let review = |verb: &str, resource: &str| json!({"spec": {"resourceAttributes": {"verb": verb, "group": "apps", "resource": resource, "namespace": "lab"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    for (token, verb, allowed) in
        [("reads", "patch", false), ("reads", "list", true), ("writes", "patch", true), ("writes", "delete", false)]
    {
        let (code, answer) = lab.ask(token, "POST", path, "application/json", &review(verb, "deployments")).await;
        assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(allowed)), "{token} {verb}");
    }
    let client = lab.as_user("Bearer reads");
    assert_eq!(client.apiserver_version().await.unwrap().minor, "33");
    let groups: Vec<_> = client.list_api_groups().await.unwrap().groups.into_iter().map(|group| group.name).collect();
    assert_eq!(groups, ["apps", "autoscaling", "networking.k8s.io", "policy", "authorization.k8s.io"]);
    assert!(client.list_api_group_resources("apps/v1").await.unwrap().resources.iter().any(|r| r.name == "deployments"));
    assert_eq!(client.list_core_api_versions().await.unwrap().versions, ["v1"]);
    assert_eq!(lab.ask("", "GET", "/readyz", "", &Value::Null).await.0, 200);
}

#[tokio::test]
async fn typed_clients_read_write_and_select() {
    let lab = lab();
    let api: Api<Deployment> = Api::namespaced(lab.as_user("Bearer admin"), "lab");
    let mut cart = api.get("cart").await.unwrap();
    cart.spec.as_mut().unwrap().replicas = Some(4);
    let written = api.replace("cart", &PostParams::default(), &cart).await.unwrap();
    assert_eq!(written.metadata.generation, Some(2));
    let stale = api.replace("cart", &PostParams::default(), &cart).await.unwrap_err();
    assert!(matches!(stale, kube::Error::Api(status) if status.is_conflict()));
    let patch = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2}});
    let applied = api.patch("cart", &PatchParams::apply("t").force(), &Patch::Apply(&patch)).await.unwrap();
    assert_eq!(applied.spec.unwrap().replicas, Some(2));
    let all: Api<Deployment> = Api::all(lab.as_user("Bearer reads"));
    assert_eq!(all.list(&ListParams::default().labels("app=cart").fields("metadata.namespace=lab")).await.unwrap().items.len(), 1);
    assert!(all.list(&ListParams::default()).await.unwrap().items.len() > 5, "the simulated services are there");
    let pods: Api<Pod> = Api::all(lab.as_user("Bearer reads"));
    let pods = pods.list(&ListParams::default()).await.unwrap();
    assert!(pods.items.len() > 10 && pods.metadata.resource_version.is_some());
}

#[tokio::test]
async fn a_watch_tells_every_change_of_what_is_selected() {
    let lab = lab();
    let api: Api<Deployment> = Api::all(lab.as_user("Bearer admin"));
    let parameters = WatchParams::default().labels("app=cart").fields("metadata.namespace=lab").timeout(60);
    let from = lab.revision().to_string();
    let mut events = api.watch(&parameters, &from).await.unwrap().boxed();
    lab.ask("admin", "PATCH", CART, MERGE, &json!({"spec": {"replicas": 4}})).await;
    lab.ask("admin", "PATCH", CLAIM, MERGE, &json!({"metadata": {"labels": {"app": "cart"}}})).await;
    lab.ask("admin", "PATCH", CART, MERGE, &json!({"metadata": {"labels": {"app": "other"}}})).await;
    lab.ask("admin", "PATCH", CART, MERGE, &json!({"spec": {"replicas": 5}})).await;
    lab.ask("admin", "PATCH", CART, MERGE, &json!({"metadata": {"labels": {"app": "cart"}}})).await;
    lab.ask("admin", "DELETE", CART, "", &Value::Null).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(match events.next().await.unwrap().unwrap() {
            WatchEvent::Added(d) => ("added", d.spec.unwrap().replicas),
            WatchEvent::Modified(d) => ("modified", d.spec.unwrap().replicas),
            WatchEvent::Deleted(d) => ("deleted", d.spec.unwrap().replicas),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, [("modified", Some(4)), ("deleted", Some(4)), ("added", Some(5)), ("deleted", Some(5))]);
    let mut initial = api.watch(&WatchParams::default().fields("metadata.name=gone"), "0").await.unwrap().boxed();
    let pending = tokio::time::timeout(std::time::Duration::from_millis(50), initial.next()).await;
    assert!(pending.is_err(), "an open watch without changes says nothing");
}

#[tokio::test]
async fn a_watch_from_a_version_that_is_no_longer_kept_is_told_to_list_again() {
    let lab = lab();
    let from = lab.revision().to_string();
    {
        let mut cluster = lab.cluster.lock().unwrap();
        let key = ObjectKey::new("apps/v1", "Deployment", "lab", "cart");
        for replicas in 0..=crate::store::EVENTS_MAX {
            cluster.store.update(&key, |d| d["spec"]["replicas"] = json!(replicas + 10));
        }
    }
    let api: Api<Deployment> = Api::all(lab.as_user("Bearer admin"));
    let mut events = api.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    match events.next().await.unwrap().unwrap() {
        WatchEvent::Error(status) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => panic!("{other:?}"),
    }
    assert!(events.next().await.is_none(), "and ends");
}
