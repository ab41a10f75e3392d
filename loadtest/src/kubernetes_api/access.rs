//! Who asks, and what they may do: by the roles that picket ships (`deploy/kubernetes/rbac.yaml`).

use super::status::Status;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

const SHIPPED: &str = include_str!("../../../deploy/kubernetes/rbac.yaml");

/// Read once. What ships and cannot be read would stop every test.
static ROLES: LazyLock<Vec<Granted>> = LazyLock::new(|| granted(SHIPPED).expect("deploy/kubernetes/rbac.yaml"));

/// The bearer tokens of a simulated cluster.
#[derive(Clone)]
pub struct ApiTokens {
    /// The observer's.
    pub read: String,
    /// The actuator's; bound by the fence.
    pub write: String,
}

impl std::fmt::Debug for ApiTokens {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiTokens")
    }
}

pub(super) struct Credentials {
    pub tokens: ApiTokens,
    pub admin: Option<String>,
}

/// What a token stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
    Admin,
}

/// One rule of a role that is bound to a user.
#[derive(Debug)]
struct Granted {
    user: String,
    rule: Rule,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

/// Rules by user, of ClusterRoles that ClusterRoleBindings give to service accounts.
fn granted(yaml: &str) -> Result<Vec<Granted>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(|e| e.to_string())?;
    let mut granted = Vec::new();
    for binding in documents.iter().filter(|document| document["kind"] == "ClusterRoleBinding") {
        let name = &binding["roleRef"]["name"];
        let role = documents.iter().find(|document| document["kind"] == "ClusterRole" && document["metadata"]["name"] == *name);
        let rules: Vec<Rule> = serde_json::from_value(role.ok_or_else(|| format!("there is no ClusterRole {name}"))?["rules"].clone())
            .map_err(|e| e.to_string())?;
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            let part = |key: &str| subject[key].as_str().ok_or_else(|| format!("a subject of {name} has no {key}"));
            let user = format!("system:serviceaccount:{}:{}", part("namespace")?, part("name")?);
            granted.extend(rules.iter().map(|rule| Granted { user: user.clone(), rule: rule.clone() }));
        }
    }
    Ok(granted)
}

impl Credentials {
    /// Reads the bearer token.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Role, Status> {
        let token = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer ")).map(str::trim);
        match token {
            Some("") => Err(Status::unauthorized()),
            Some(token) if token == self.tokens.read => Ok(Role::Reader),
            Some(token) if token == self.tokens.write => Ok(Role::Writer),
            Some(token) if self.admin.as_deref() == Some(token) => Ok(Role::Admin),
            _ => Err(Status::unauthorized()),
        }
    }
}

impl Role {
    /// The user name in messages.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Reader => "system:serviceaccount:picket:observer",
            Self::Writer => "system:serviceaccount:picket:actuator",
            Self::Admin => "kubernetes-admin",
        }
    }

    /// Whether a role that ships allows it. `resource` is a plural, with its subresource after a slash.
    pub fn may(self, verb: &str, group: &str, resource: &str) -> bool {
        let says = |listed: &[String], is: &str| listed.iter().any(|one| one == is);
        self == Self::Admin
            || ROLES
                .iter()
                .filter(|granted| granted.user == self.user())
                .any(|Granted { rule, .. }| says(&rule.verbs, verb) && says(&rule.api_groups, group) && says(&rule.resources, resource))
    }

    /// Answers a SelfSubjectAccessReview.
    pub fn review(self, review: &Value) -> Result<Value, Status> {
        let attributes = &review["spec"]["resourceAttributes"];
        let text = |key: &str| attributes[key].as_str().unwrap_or_default();
        if !attributes.is_object() {
            return Err(Status::bad_request("spec.resourceAttributes is needed: this server reviews access to resources only"));
        }
        let resource = match text("subresource") {
            "" => text("resource").to_owned(),
            sub => format!("{}/{sub}", text("resource")),
        };
        let allowed = self.may(text("verb"), text("group"), &resource);
        let mut answer = review.clone();
        answer["kind"] = json!("SelfSubjectAccessReview");
        answer["apiVersion"] = json!("authorization.k8s.io/v1");
        answer["status"] = json!({"allowed": allowed, "reason": if allowed { "RBAC: allowed by the role of picket's chart" } else { "" }});
        Ok(answer)
    }
}
