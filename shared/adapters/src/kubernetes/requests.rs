//! Every request that picket makes of an API server is in `docs/kubernetes-api.md`, and the roles that ship grant exactly what they need.

use super::KubernetesReader;
use super::against_server::Simulated;
use super::conformance;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{Next, from_fn};
use picket_core::ports::ClusterReader as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const DOCUMENT: &str = include_str!("../../../../docs/kubernetes-api.md");
const ROLES: &str = include_str!("../../../../deploy/kubernetes/rbac.yaml");

/// Who asks what: as a row of the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    who: String,
    method: String,
    path: String,
    /// Of a body; empty without one.
    body: String,
}

type Seen = Arc<Mutex<BTreeSet<Asked>>>;

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let who = match header(AUTHORIZATION) {
            "Bearer reads" => "observer",
            "Bearer writes" => "actuator",
            other => other,
        };
        let method = request.method().as_str();
        let body = if method == "GET" { "" } else { header(CONTENT_TYPE) };
        Self { who: who.into(), method: method.into(), path: pattern(request.uri().path()), body: body.into() }
    }

    /// Its rule, as roles write it: `patch deployments.apps`. Access reviews are for everybody.
    fn rule(&self) -> Option<(String, String)> {
        let steps: Vec<_> = self.path.trim_matches('/').split('/').collect();
        let (group, rest) = if steps[0] == "api" { ("", &steps[2..]) } else { (steps[1], &steps[3..]) };
        let (plural, named) = match rest {
            ["namespaces", "{name}"] => ("namespaces", true),
            ["namespaces", _, plural, named @ ..] => (*plural, !named.is_empty()),
            [plural, ..] => (*plural, false),
            [] => return None,
        };
        let verb = match (self.method.as_str(), named) {
            ("GET", true) => "get",
            ("GET", false) => "list",
            ("POST", _) => "create",
            _ => "patch",
        };
        (group != "authorization.k8s.io").then(|| (self.who.clone(), format!("{verb} {plural}.{group}")))
    }
}

/// A path without the names in it.
fn pattern(path: &str) -> String {
    let steps: Vec<_> = path.split('/').collect();
    let Some(at) = steps.iter().position(|step| *step == "namespaces") else { return path.to_owned() };
    let mut steps: Vec<String> = steps.into_iter().map(ToOwned::to_owned).collect();
    let below = steps.len() - at - 1;
    if let Some(name) = steps.get_mut(at + 1) {
        *name = if below == 1 { "{name}" } else { "{namespace}" }.to_owned();
    }
    if let Some(name) = steps.get_mut(at + 3) {
        *name = "{name}".to_owned();
    }
    steps.join("/")
}

/// Rows of the document's table: who, method and path, body.
fn documented() -> BTreeSet<Asked> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (method, path) = cells.get(2)?.strip_prefix('`')?.strip_suffix('`')?.split_once(' ')?;
        let body = cells.get(3)?.trim_matches('`');
        Some(Asked { who: (*cells.get(1)?).to_owned(), method: method.to_owned(), path: path.to_owned(), body: body.to_owned() })
    });
    rows.collect()
}

/// What the roles that ship grant, by service account.
fn granted() -> BTreeSet<(String, String)> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(ROLES).unwrap();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut granted = BTreeSet::new();
    for binding in documents.iter().filter(|document| document["kind"] == "ClusterRoleBinding") {
        let role = documents.iter().find(|d| d["kind"] == "ClusterRole" && d["metadata"]["name"] == binding["roleRef"]["name"]).unwrap();
        let who = binding["subjects"][0]["name"].as_str().unwrap();
        for rule in role["rules"].as_array().unwrap() {
            for (group, resource) in
                texts(&rule["apiGroups"]).iter().flat_map(|g| texts(&rule["resources"]).into_iter().map(move |r| (g.clone(), r)))
            {
                granted.extend(texts(&rule["verbs"]).iter().map(|verb| (who.to_owned(), format!("{verb} {resource}.{group}"))));
            }
        }
    }
    granted
}

#[tokio::test]
async fn every_request_is_documented_and_the_roles_grant_exactly_these() {
    let seen = Seen::default();
    let note = seen.clone();
    let listen = move |router: axum::Router| {
        let note = note.clone();
        router.layer(from_fn(move |request: Request, next: Next| {
            note.lock().unwrap().insert(Asked::of(&request));
            next.run(request)
        }))
    };
    conformance::all(|| async { Simulated::empty().heard_by(listen.clone()) }).await;
    let cluster = Simulated::empty().heard_by(listen.clone());
    KubernetesReader::new("east".into(), cluster.objects("reads")).read(&Default::default()).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    let rows = |asked: &BTreeSet<Asked>| {
        asked.iter().map(|a| format!("| {} | `{} {}` | `{}` |", a.who, a.method, a.path, a.body)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(seen, documented(), "the document's table must hold\n{}", rows(&seen));
    assert_eq!(seen.iter().filter_map(Asked::rule).collect::<BTreeSet<_>>(), granted(), "what is asked, and what the roles grant");
}

#[test]
fn names_are_left_out_of_paths() {
    assert_eq!(pattern("/api/v1/namespaces/shop/secrets/tls"), "/api/v1/namespaces/{namespace}/secrets/{name}");
    assert_eq!(pattern("/api/v1/namespaces/shop"), "/api/v1/namespaces/{name}");
    assert_eq!(pattern("/apis/apps/v1/namespaces/shop/replicasets"), "/apis/apps/v1/namespaces/{namespace}/replicasets");
    assert_eq!(pattern("/api/v1/pods"), "/api/v1/pods");
}
