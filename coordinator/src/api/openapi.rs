//! The clients' API, described: OpenAPI 3.1, from the very types that are read and written.
//!
//! A route is served from the same entry that describes it, so neither is without the other.

use super::Node;
use super::error::Problem;
use axum::Router;
use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Makes a type's schema.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a call takes and gives.
pub(super) struct Operation {
    method: &'static str,
    summary: &'static str,
    path_parameter: Option<&'static str>,
    query: Option<SchemaOf>,
    body: Option<SchemaOf>,
    gives: SchemaOf,
    content: &'static str,
    problems: &'static [u16],
}

impl Operation {
    /// Reads something.
    pub(super) fn get<T: JsonSchema>(summary: &'static str) -> Self {
        Self {
            method: "get",
            summary,
            path_parameter: None,
            query: None,
            body: None,
            gives: SchemaGenerator::subschema_for::<T>,
            content: "application/json",
            problems: &[],
        }
    }

    /// Does something.
    pub(super) fn post<B: JsonSchema, T: JsonSchema>(summary: &'static str) -> Self {
        Self { method: "post", body: Some(SchemaGenerator::subschema_for::<B>), ..Self::get::<T>(summary) }
    }

    /// With these in the query.
    pub(super) fn query<Q: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::root_schema_for::<Q>), ..self }
    }

    /// With this in the path.
    pub(super) const fn path_parameter(self, name: &'static str) -> Self {
        Self { path_parameter: Some(name), ..self }
    }

    /// The answer is plain text.
    pub(super) const fn text(self) -> Self {
        Self { content: "text/plain", ..self }
    }

    /// The answer is a file.
    pub(super) const fn bytes(self) -> Self {
        Self { content: "application/octet-stream", ..self }
    }

    /// Statuses that a caller has to reckon with.
    pub(super) const fn problems(self, problems: &'static [u16]) -> Self {
        Self { problems, ..self }
    }

    fn describe(&self, schemas: &mut SchemaGenerator) -> Value {
        let mut parameters = Vec::new();
        if let Some(name) = self.path_parameter {
            parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
        }
        if let Some(query) = self.query {
            parameters.extend(query_parameters(query(schemas).as_value()));
        }
        let mut responses = Map::new();
        let content = |schema: Schema, kind: &str| json!({ kind: { "schema": schema } });
        responses.insert("200".to_owned(), json!({ "description": "Done.", "content": content((self.gives)(schemas), self.content) }));
        for status in self.problems {
            let problem = schemas.subschema_for::<Problem>();
            responses
                .insert(status.to_string(), json!({ "description": meaning(*status), "content": content(problem, "application/json") }));
        }
        let mut operation = json!({ "summary": self.summary, "parameters": parameters, "responses": responses });
        if let Some(body) = self.body {
            operation["requestBody"] = json!({ "required": true, "content": content(body(schemas), "application/json") });
        }
        operation
    }
}

/// The fields of a query's type.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    fields.into_iter().map(|(name, of)| json!({ "required": required(&name), "name": name, "in": "query", "schema": of })).collect()
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is wrong; trying again will not help.",
        403 => "The caller's certificate does not allow it.",
        404 => "There is no such thing.",
        413 => "The body is too long.",
        422 => "It was understood and is not done; `why` says what to do first.",
        429 => "As many calls as the node takes at once are in progress: wait `retry_after_ms`, then try again.",
        503 => "Not now: try again, here or on another node, with the same request id.",
        504 => "No answer within the deadline; it may have been done: ask again with the same request id.",
        _ => "A defect of the node.",
    }
}

/// A route, with what stands in the document for it.
pub(super) struct Described {
    pub path: &'static str,
    pub handler: MethodRouter<Arc<Node>>,
    pub operation: Operation,
}

/// Serves what is described.
pub(super) fn router(routes: Vec<Described>) -> Router<Arc<Node>> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler))
}

/// Describes what is served.
pub(super) fn describe(routes: &[Described]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for Described { path, operation, .. } in routes {
        let described = operation.describe(&mut schemas);
        let methods = paths.entry(*path).or_insert_with(|| json!({}));
        methods[operation.method] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "picket coordinator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Any node answers. Both ends show a certificate (mutual TLS); the caller is whom its certificate names, never whom a message names.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": { "schemas": schemas.take_definitions(true) },
    })
}
