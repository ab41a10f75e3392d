//! The page's files, carried in the binary.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

#[derive(rust_embed::RustEmbed)]
#[folder = "../dist"]
struct Dist;

/// Serves one file; `/` is the page. Files are asked for again each time and answered by their digest, so a new build shows at once.
pub async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(found) = Dist::get(path) else {
        return (StatusCode::NOT_FOUND, "There is nothing here. The page is at /.\n").into_response();
    };
    let tag = format!("\"{}\"", found.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    (headers, Body::from(found.data.into_owned())).into_response()
}
