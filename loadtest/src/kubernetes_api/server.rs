//! Answers requests.

use super::access::{Credentials, Role};
use super::ownership::{self, Operation, Writer};
use super::patch::{self, PatchError};
use super::resource::{Place, Subresource};
use super::selector::Selector;
use super::status::Status;
use super::{admission, discovery, eviction, scale, validation, watch};
use crate::SimCluster;
use crate::store::{ObjectKey, ObjectStore};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone)]
pub(super) struct Server {
    pub cluster: Arc<Mutex<SimCluster>>,
    pub credentials: Arc<Credentials>,
}

impl Server {
    /// No request holds it across an await, and the store is whole between its statements: a panic elsewhere does no harm.
    pub fn lock(&self) -> MutexGuard<'_, SimCluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The query of a request.
pub(super) type Parameters = HashMap<String, String>;

/// Every request comes here.
pub(super) async fn serve(State(server): State<Server>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match answer(&server, &method, &uri, &headers, &body) {
        Ok(response) => response,
        Err(status) => status.into_response(),
    }
}

fn answer(server: &Server, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Response, Status> {
    let path = uri.path();
    if matches!(path, "/healthz" | "/livez" | "/readyz") {
        return Ok("ok".into_response());
    }
    let role = server.credentials.authenticate(headers)?;
    let Query(parameters) =
        Query::<Parameters>::try_from_uri(uri).map_err(|e| Status::bad_request(format!("the query cannot be read: {e}")))?;
    if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
        if method != Method::POST {
            return Err(Status::method_not_allowed());
        }
        return Ok((StatusCode::CREATED, axum::Json(role.review(&parse(body)?)?)).into_response());
    }
    if method == Method::GET
        && let Some(answer) = discovery::answer(path)
    {
        return Ok(axum::Json(answer).into_response());
    }
    let place = Place::of(path).ok_or_else(Status::no_such_path)?;
    let watches = matches!(parameters.get("watch").map(String::as_str), Some("true" | "1"));
    let verb = match (method, &place.name) {
        (&Method::GET, Some(_)) if place.subresource != Some(Subresource::Eviction) => "get",
        (&Method::GET, None) if watches => "watch",
        (&Method::GET, None) => "list",
        (&Method::POST, Some(_)) if place.subresource == Some(Subresource::Eviction) => "create",
        (_, Some(_)) if place.subresource == Some(Subresource::Eviction) => return Err(Status::method_not_allowed()),
        (&Method::POST, None) if place.namespace.is_some() || !place.resource.namespaced => "create",
        (&Method::PUT, Some(_)) => "update",
        (&Method::PATCH, Some(_)) => "patch",
        (&Method::DELETE, Some(_)) if place.subresource.is_none() => "delete",
        _ => return Err(Status::method_not_allowed()),
    };
    if !role.may(verb, place.resource.group, &place.in_rules()) {
        return Err(Status::forbidden(role.user(), verb, &place));
    }
    match verb {
        "watch" => watch::start(server, &place, &parameters),
        "list" => list(&server.lock().store, &place, &parameters),
        "get" => get(&server.lock().store, &place),
        _ => {
            let write = Write { role, place: &place, dry_run: dry_run(&parameters)?, manager: manager(&parameters, headers) };
            let mut cluster = server.lock();
            let store = &mut cluster.store;
            match verb {
                "create" if place.subresource.is_some() => write.evict(store, &parse(body)?),
                "create" => write.create(store, parse(body)?, write.writes()),
                "update" => write.update(store, parse(body)?),
                "patch" => write.patch(store, headers, &parameters, body),
                _ => write.delete(store, body),
            }
        }
    }
}

fn parse(body: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(body).map_err(|e| Status::bad_request(format!("the body is not JSON, which is all that this server reads: {e}")))
}

/// The field manager: as asked for, else what the client calls itself.
fn manager(parameters: &Parameters, headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let named = parameters.get("fieldManager").filter(|name| !name.is_empty());
    named.map_or_else(|| agent.split('/').next().unwrap_or_default().to_owned(), Clone::clone)
}

fn dry_run(parameters: &Parameters) -> Result<bool, Status> {
    match parameters.get("dryRun").map(String::as_str) {
        None => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(Status::bad_request(format!("dryRun: Unsupported value: \"{other}\": supported values: \"All\""))),
    }
}

fn list(store: &ObjectStore, place: &Place, parameters: &Parameters) -> Result<Response, Status> {
    let selector = selector(parameters)?;
    let resource = place.resource;
    let objects = store.list(&resource.api_version(), resource.kind, place.namespace.as_deref());
    let body = List {
        kind: format!("{}List", resource.kind),
        api_version: resource.api_version(),
        metadata: json!({"resourceVersion": store.revision().to_string()}),
        items: objects.iter().filter(|object| selector.matches(object)).map(|object| Entry(object.as_ref())).collect(),
    };
    Ok(axum::Json(body).into_response())
}

/// Written from the store's own objects: lists are most of what a watched cluster is asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: String,
    api_version: String,
    metadata: Value,
    items: Vec<Entry<'a>>,
}

/// An entry of a list does not name its type: the list does.
struct Entry<'a>(&'a Value);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(fields.iter().filter(|(name, _)| *name != "kind" && *name != "apiVersion")),
            other => other.serialize(serializer),
        }
    }
}

pub(super) fn selector(parameters: &Parameters) -> Result<Selector, Status> {
    let text = |key: &str| parameters.get(key).map(String::as_str);
    Selector::parse(text("labelSelector"), text("fieldSelector"))
}

fn get(store: &ObjectStore, place: &Place) -> Result<Response, Status> {
    let object = present(store, place)?;
    Ok(axum::Json(if place.subresource == Some(Subresource::Scale) { scale::of(&object) } else { object }).into_response())
}

fn key(place: &Place) -> ObjectKey {
    let (namespace, name) = (place.namespace.as_deref().unwrap_or_default(), place.name.as_deref().unwrap_or_default());
    ObjectKey::new(&place.resource.api_version(), place.resource.kind, namespace, name)
}

fn present(store: &ObjectStore, place: &Place) -> Result<Value, Status> {
    let key = key(place);
    store.get(&key).map(|object| (**object).clone()).ok_or_else(|| Status::not_found(place.resource, &key.name))
}

/// One write request.
struct Write<'a> {
    role: Role,
    place: &'a Place,
    dry_run: bool,
    manager: String,
}

impl Write<'_> {
    fn writes(&self) -> Writer<'_> {
        Writer { manager: &self.manager, operation: Operation::Update }
    }

    fn create(&self, store: &mut ObjectStore, mut object: Value, writer: Writer<'_>) -> Result<Response, Status> {
        let name = self.claim_name(&mut object)?;
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
            return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
        }
        self.settle(writer, None, &mut object, None)?;
        let refused = |error| Status::of_store(self.place.resource, error);
        let checked = store.check_create(object.clone()).map_err(refused)?;
        validation::check(self.place.resource, &name, None, &object)?;
        self.admit(store, "CREATE", &name, None, Some(&object))?;
        let made = if self.dry_run { checked } else { (*store.create(object).map_err(refused)?).clone() };
        Ok((StatusCode::CREATED, axum::Json(made)).into_response())
    }

    fn update(&self, store: &mut ObjectStore, mut object: Value) -> Result<Response, Status> {
        let old = present(store, self.place)?;
        if self.place.subresource.is_some() {
            return self.rescale(store, &old, &object);
        }
        self.claim_name(&mut object)?;
        self.replace(store, &old, object, self.writes(), None)
    }

    fn patch(&self, store: &mut ObjectStore, headers: &HeaderMap, parameters: &Parameters, body: &[u8]) -> Result<Response, Status> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        if content_type == "application/apply-patch+yaml" {
            return self.apply(store, parameters, parse(body)?);
        }
        let apply: fn(&mut Value, &Value) -> Result<(), PatchError> = match content_type {
            "application/json-patch+json" => patch::json_patch,
            "application/merge-patch+json" => |target, change| {
                patch::merge(target, change);
                Ok(())
            },
            "application/strategic-merge-patch+json" => |target, change| {
                patch::strategic(target, change);
                Ok(())
            },
            _ => return Err(Status::media_type()),
        };
        let change = parse(body)?;
        let old = present(store, self.place)?;
        let mut new = if self.place.subresource.is_some() { scale::of(&old) } else { old.clone() };
        apply(&mut new, &change).map_err(|error| match error {
            PatchError::Malformed(why) => Status::bad_request(why),
            PatchError::DoesNotApply(why) => {
                Status::unprocessable(format!("the server rejected our request due to an error in our request: {why}"))
            }
        })?;
        if self.place.subresource.is_some() {
            return self.rescale(store, &old, &new);
        }
        self.claim_name(&mut new)?;
        self.replace(store, &old, new, self.writes(), None)
    }

    /// Policies see the scale, the store its deployment.
    fn rescale(&self, store: &mut ObjectStore, old: &Value, written: &Value) -> Result<Response, Status> {
        let resource = self.place.resource;
        let name = self.place.name.as_deref().unwrap_or_default();
        let new = scale::onto(old, written);
        let refused = |error| Status::of_store(resource, error);
        let checked = store.check_replace(new.clone()).map_err(refused)?;
        validation::check(resource, name, Some(old), &new)?;
        self.admit(store, "UPDATE", name, Some(&scale::of(old)), Some(&scale::of(&new)))?;
        let made = if self.dry_run { checked } else { (*store.replace(new).map_err(refused)?).clone() };
        Ok(axum::Json(scale::of(&made)).into_response())
    }

    fn evict(&self, store: &mut ObjectStore, eviction: &Value) -> Result<Response, Status> {
        let pod = present(store, self.place)?;
        let name = self.place.name.as_deref().unwrap_or_default();
        self.admit(store, "CREATE", name, None, Some(eviction))?;
        eviction::check(store, self.place, &pod)?;
        if !self.dry_run {
            eviction::evict(store, self.place)?;
        }
        let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok((StatusCode::CREATED, axum::Json(done)).into_response())
    }

    fn admit(
        &self,
        store: &ObjectStore,
        operation: &'static str,
        name: &str,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> Result<(), Status> {
        let namespace = self.namespace(store);
        let (user, place, namespace) = (self.role.user(), self.place, namespace.as_deref());
        admission::admit(&admission::Review { user, operation, place, name, namespace, old, new })
    }

    fn settle(&self, writer: Writer<'_>, old: Option<&Value>, new: &mut Value, applied: Option<&Value>) -> Result<(), Status> {
        ownership::settle(writer, old, new, applied).map_err(|conflicts| Status::apply_conflict(self.place, &conflicts))
    }

    /// Server-side apply: what is named is set, what is left out stays.
    fn apply(&self, store: &mut ObjectStore, parameters: &Parameters, mut object: Value) -> Result<Response, Status> {
        if parameters.get("fieldManager").is_none_or(String::is_empty) {
            return Err(Status::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ));
        }
        self.claim_name(&mut object)?;
        let force = parameters.get("force").is_some_and(|force| force == "true");
        let writer = Writer { operation: Operation::Apply { force }, ..self.writes() };
        let Ok(old) = present(store, self.place) else {
            if !self.role.may("create", self.place.resource.group, self.place.resource.plural) {
                return Err(Status::forbidden(self.role.user(), "create", self.place));
            }
            return self.create(store, object, writer);
        };
        let mut new = old.clone();
        patch::strategic(&mut new, &object);
        self.replace(store, &old, new, writer, Some(&object))
    }

    /// Conflict first, then what is wrong with the object, then the policy: the order of the real server.
    fn replace(
        &self,
        store: &mut ObjectStore,
        old: &Value,
        mut new: Value,
        writer: Writer<'_>,
        applied: Option<&Value>,
    ) -> Result<Response, Status> {
        let resource = self.place.resource;
        if resource.has_status {
            new["status"] = old["status"].clone();
            if new["status"].is_null()
                && let Value::Object(map) = &mut new
            {
                map.remove("status");
            }
        }
        let refused = |error| Status::of_store(resource, error);
        let name = self.place.name.as_deref().unwrap_or_default();
        store.check_replace(new.clone()).map_err(refused)?;
        self.settle(writer, Some(old), &mut new, applied)?;
        let checked = store.check_replace(new.clone()).map_err(refused)?;
        validation::check(resource, name, Some(old), &new)?;
        self.admit(store, "UPDATE", name, Some(old), Some(&new))?;
        let made = if self.dry_run { checked } else { (*store.replace(new).map_err(refused)?).clone() };
        Ok(axum::Json(made).into_response())
    }

    /// The namespace that the object is in, as it stands.
    fn namespace(&self, store: &ObjectStore) -> Option<Arc<Value>> {
        store.get(&ObjectKey::new("v1", "Namespace", "", self.place.namespace.as_deref()?)).cloned()
    }

    fn delete(&self, store: &mut ObjectStore, body: &[u8]) -> Result<Response, Status> {
        let options = if body.is_empty() { Value::Null } else { parse(body)? };
        let old = present(store, self.place)?;
        let wanted = |field: &str| options["preconditions"][field].as_str();
        let stands = |field: &str| old["metadata"][field].as_str();
        for field in ["uid", "resourceVersion"] {
            if let Some(said) = wanted(field).filter(|said| Some(*said) != stands(field)) {
                let is = stands(field).unwrap_or_default().to_owned();
                let conflict = crate::store::StoreError::Conflict { key: key(self.place), is, said: said.to_owned() };
                return Err(Status::of_store(self.place.resource, conflict));
            }
        }
        self.admit(store, "DELETE", self.place.name.as_deref().unwrap_or_default(), Some(&old), None)?;
        if !self.dry_run {
            store.delete(&key(self.place), None).map_err(|error| Status::of_store(self.place.resource, error))?;
        }
        let details = json!({
            "name": self.place.name, "group": self.place.resource.group, "kind": self.place.resource.plural, "uid": old["metadata"]["uid"],
        });
        let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Ok(axum::Json(done).into_response())
    }

    /// Makes the object bear the type, namespace and name of the path; an object that says otherwise is refused.
    fn claim_name(&self, object: &mut Value) -> Result<String, Status> {
        let (resource, api_version) = (self.place.resource, self.place.resource.api_version());
        if !object.is_object() || !(object["metadata"].is_object() || object["metadata"].is_null()) {
            return Err(Status::bad_request("the body is not an object of Kubernetes"));
        }
        for (field, wanted) in [("kind", resource.kind), ("apiVersion", api_version.as_str())] {
            match object[field].as_str() {
                Some(said) if said != wanted => {
                    return Err(Status::bad_request(format!("{field} in the body is {said}, the path is of {wanted}")));
                }
                _ => object[field] = json!(wanted),
            }
        }
        let namespace = self.place.namespace.clone().unwrap_or_default();
        match object["metadata"]["namespace"].as_str() {
            Some(said) if said != namespace => {
                return Err(Status::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request ({said}, {namespace})"
                )));
            }
            _ if resource.namespaced => object["metadata"]["namespace"] = json!(namespace),
            _ => {}
        }
        let said = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match &self.place.name {
            Some(name) if !said.is_empty() && said != *name => {
                Err(Status::bad_request(format!("the name of the object ({said}) does not match the name on the URL ({name})")))
            }
            Some(name) => {
                object["metadata"]["name"] = json!(name);
                Ok(name.clone())
            }
            None if said.is_empty() => Err(Status::invalid(resource, "", "metadata.name", "Required value: name is required")),
            None => Ok(said),
        }
    }
}
