//! What the server says of itself.

use super::resource::RESOURCES;
use serde_json::{Value, json};

/// Answers a discovery path; `None` when it is none.
pub(super) fn answer(path: &str) -> Option<Value> {
    let verbs = json!(["create", "delete", "get", "list", "patch", "update", "watch"]);
    match path.trim_end_matches('/') {
        "/version" => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0+picket-simulated", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2025-04-23T00:00:00Z", "goVersion": "none", "compiler": "rustc", "platform": "simulated",
        })),
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        "/apis" => {
            let group = |name: &str, version: &str| {
                let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
                json!({"name": name, "versions": [version], "preferredVersion": version})
            };
            let groups = [
                group("apps", "v1"),
                group("autoscaling", "v2"),
                group("networking.k8s.io", "v1"),
                group("policy", "v1"),
                group("authorization.k8s.io", "v1"),
            ];
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        path => {
            let version = path.strip_prefix("/apis/").or_else(|| path.strip_prefix("/api/"))?;
            let reviews = json!({"name": "selfsubjectaccessreviews", "singularName": "", "namespaced": false, "kind": "SelfSubjectAccessReview", "verbs": ["create"]});
            let mut resources: Vec<Value> = RESOURCES
                .iter()
                .filter(|r| r.api_version() == version)
                .map(|r| json!({"name": r.plural, "singularName": r.kind.to_lowercase(), "namespaced": r.namespaced, "kind": r.kind, "verbs": verbs}))
                .collect();
            if version == "authorization.k8s.io/v1" {
                resources.push(reviews);
            }
            (!resources.is_empty())
                .then(|| json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}))
        }
    }
}
