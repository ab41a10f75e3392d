//! Who may speak to the page's server: this machine, from the page itself.
//!
//! There is no sign-in yet, so the listener is on the loopback interface and every request is held against two attacks that
//! a browser makes possible: a foreign page posting here (cross-site request), and a foreign name that resolves to here (rebinding).

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// The header that a page of another origin cannot send without being asked first.
const PICKET: HeaderName = HeaderName::from_static("x-picket");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// No inline script, no foreign origin; `wasm-unsafe-eval` lets the page compile its own WebAssembly and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names under which the page may be asked for.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<BTreeSet<String>>);

impl Hosts {
    /// The loopback names of the listener's port, and what the configuration adds.
    #[must_use]
    pub fn new(listen: SocketAddr, more: &[String]) -> Self {
        let port = listen.port();
        let own = ["127.0.0.1", "localhost", "[::1]"].into_iter().map(|name| format!("{name}:{port}"));
        Self(Arc::new(own.chain([listen.to_string()]).chain(more.iter().cloned()).collect()))
    }
}

/// Turns away what is not from the page, and says how the answer may be used.
pub async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut response = match refusal(&hosts, request.method(), request.headers()) {
        Some((status, reason)) => {
            metrics::counter!("picket_dashboard_refused_requests_total", "status" => status.as_str().to_owned()).increment(1);
            (status, reason).into_response()
        }
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn refusal(hosts: &Hosts, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(host) = text(&HOST).filter(|host| hosts.0.contains(*host)) else {
        return Some((StatusCode::MISDIRECTED_REQUEST, "This name is not the dashboard's. Open it by its loopback address.\n"));
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let same_origin = text(&ORIGIN).is_none_or(|origin| origin.split_once("://").is_some_and(|(_, of)| of == host));
    let same_site = text(&FETCH_SITE).is_none_or(|site| site == "same-origin");
    if text(&PICKET) != Some("1") || !same_origin || !same_site {
        return Some((StatusCode::FORBIDDEN, "Acts are taken from the dashboard's own page only (header `x-picket: 1`, same origin).\n"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, headers: &[(&'static str, &'static str)]) -> Option<StatusCode> {
        let hosts = Hosts::new(([127, 0, 0, 1], 8080).into(), &[]);
        let map = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        refusal(&hosts, &method, &map).map(|(status, _)| status)
    }

    #[test]
    fn the_page_may_read_and_act() {
        assert_eq!(asked(Method::GET, &[("host", "127.0.0.1:8080")]), None);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080"), ("x-picket", "1"), ("origin", "http://localhost:8080")]), None);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080"), ("x-picket", "1"), ("sec-fetch-site", "same-origin")]), None);
    }

    #[test]
    fn another_page_may_not_act() {
        let no = Some(StatusCode::FORBIDDEN);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080")]), no);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080"), ("x-picket", "1"), ("origin", "http://evil.example")]), no);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080"), ("x-picket", "1"), ("origin", "null")]), no);
        assert_eq!(asked(Method::POST, &[("host", "localhost:8080"), ("x-picket", "1"), ("sec-fetch-site", "cross-site")]), no);
    }

    #[test]
    fn a_foreign_name_is_turned_away() {
        assert_eq!(asked(Method::GET, &[("host", "evil.example:8080")]), Some(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(asked(Method::GET, &[]), Some(StatusCode::MISDIRECTED_REQUEST));
    }
}
