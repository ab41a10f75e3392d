//! `Status`: how a Kubernetes API server says no.

use super::resource::{Place, Resource};
use crate::store::StoreError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Status {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, resource: &Resource, name: Option<&str>) -> Self {
        self.details = Some(json!({"name": name.unwrap_or_default(), "group": resource.group, "kind": resource.plural}));
        self
    }

    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    pub fn media_type() -> Self {
        let accepted = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    pub fn forbidden(user: &str, verb: &str, place: &Place) -> Self {
        let (group, plural) = (place.resource.group, place.in_rules());
        let scope = place.namespace.as_ref().map_or_else(|| "at the cluster scope".to_owned(), |n| format!("in the namespace \"{n}\""));
        let name = place.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let message = format!(
            "{}{name} is forbidden: User \"{user}\" cannot {verb} resource \"{plural}\" in API group \"{group}\" {scope}",
            place.resource.qualified()
        );
        Self::new(403, "Forbidden", message).about(place.resource, place.name.as_deref())
    }

    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).about(resource, Some(name))
    }

    /// 422 with the field that is wrong.
    pub fn invalid(resource: &Resource, name: &str, field: &str, why: &str) -> Self {
        let mut status =
            Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {field}: {why}", resource.kind)).about(resource, Some(name));
        if let Some(details) = &mut status.details {
            details["causes"] = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        }
        status
    }

    /// 422 without a field: a JSON patch that does not apply.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// As a ValidatingAdmissionPolicy denies.
    pub fn denied_by_policy(resource: &Resource, name: &str, policy: &str, why: &str) -> Self {
        let message = format!(
            "{} \"{name}\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {why}",
            resource.qualified()
        );
        let mut status = Self::new(422, "Invalid", message).about(resource, Some(name));
        if let Some(details) = &mut status.details {
            details["causes"] = json!([{"message": why}]);
        }
        status
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// An eviction that a budget forbids: 429 with a cause, and no word of when to try again.
    pub fn disruption_budget(place: &Place, cause: &str) -> Self {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let mut status = Self::new(429, "TooManyRequests", message).about(place.resource, place.name.as_deref());
        if let Some(details) = &mut status.details {
            details["causes"] = json!([{"reason": "DisruptionBudget", "message": cause}]);
        }
        status
    }

    pub fn expired(why: impl Into<String>) -> Self {
        Self::new(410, "Expired", why)
    }

    /// Fields that others own, by the owner's name: 409 with a cause for each.
    pub fn apply_conflict(place: &Place, conflicts: &[(String, String)]) -> Self {
        let causes = conflicts.iter().map(
            |(manager, field)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\""), "field": field}),
        );
        let message = format!("Apply failed with {} conflict: conflicts with \"{}\"", conflicts.len(), conflicts[0].0);
        let mut status = Self::new(409, "Conflict", message).about(place.resource, place.name.as_deref());
        if let Some(details) = &mut status.details {
            details["causes"] = causes.collect();
        }
        status
    }

    /// What the store says no to.
    pub fn of_store(resource: &Resource, error: StoreError) -> Self {
        let qualified = resource.qualified();
        match error {
            StoreError::NotFound(key) => Self::not_found(resource, &key.name),
            StoreError::AlreadyExists(key) => {
                Self::new(409, "AlreadyExists", format!("{qualified} \"{}\" already exists", key.name)).about(resource, Some(&key.name))
            }
            StoreError::Conflict { key, .. } => Self::new(
                409,
                "Conflict",
                format!(
                    "Operation cannot be fulfilled on {qualified} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
                    key.name
                ),
            )
            .about(resource, Some(&key.name)),
            StoreError::Invalid(why) => Self::bad_request(why),
            StoreError::Gone { .. } => Self::expired(error.to_string()),
        }
    }

    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        body
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        // Every code above is a valid one.
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, axum::Json(self.body())).into_response()
    }
}
