//! Who asks, and what they may do.

use super::resource::Resource;
use super::status::Status;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::{Value, json};

/// The bearer tokens of a simulated cluster.
#[derive(Clone)]
pub struct ApiTokens {
    /// The observer's: reads everything but secrets.
    pub read: String,
    /// The actuator's: reads everything, patches what picket changes and the fences of namespaces, creates network policies, deletes nothing;
    /// bound by the fence.
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

    /// As the roles of picket's chart allow.
    pub fn may(self, verb: &str, group: &str, plural: &str) -> bool {
        let reads = matches!(verb, "get" | "list" | "watch");
        match self {
            Self::Admin => true,
            Self::Reader => reads && plural != "secrets",
            Self::Writer => match (group, plural) {
                _ if reads => true,
                ("apps", "deployments") | ("", "persistentvolumeclaims" | "secrets") => matches!(verb, "patch" | "update"),
                ("", "namespaces") => verb == "patch",
                ("networking.k8s.io", "networkpolicies") => matches!(verb, "patch" | "update" | "create"),
                _ => false,
            },
        }
    }

    /// Shorthand of [`Role::may`].
    pub fn may_on(self, verb: &str, resource: &Resource) -> bool {
        self.may(verb, resource.group, resource.plural)
    }

    /// Answers a SelfSubjectAccessReview.
    pub fn review(self, review: &Value) -> Result<Value, Status> {
        let text = |key: &str| review["spec"]["resourceAttributes"][key].as_str().unwrap_or_default();
        if !review["spec"]["resourceAttributes"].is_object() {
            return Err(Status::bad_request("spec.resourceAttributes is needed: this server reviews access to resources only"));
        }
        let allowed = self.may(text("verb"), text("group"), text("resource"));
        let mut answer = review.clone();
        answer["kind"] = json!("SelfSubjectAccessReview");
        answer["apiVersion"] = json!("authorization.k8s.io/v1");
        answer["status"] = json!({"allowed": allowed, "reason": if allowed { "RBAC: allowed by the role of picket's chart" } else { "" }});
        Ok(answer)
    }
}
