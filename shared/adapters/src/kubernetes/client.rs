//! Builds clients of a cluster's API server: with deadlines, and without retries below them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::time::Duration;
use tower::ServiceExt as _;

/// Where a cluster's API server is, and by which credentials.
#[derive(Clone)]
pub struct ClusterAccess {
    /// `https://HOST:PORT` (or `http://` for a simulated cluster on this machine).
    pub url: String,
    /// Bearer token of a service account.
    pub token: String,
    /// The cluster's CA in PEM; `None` trusts the system's roots.
    pub ca_pem: Option<String>,
}

impl std::fmt::Debug for ClusterAccess {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address.
    #[error("`{url}` is no address of an API server ({why}); expected https://HOST:PORT")]
    Url {
        /// As given.
        url: String,
        /// The parser's words.
        why: String,
    },
    /// The CA.
    #[error("the CA certificate of {url} cannot be read ({why}); expected PEM")]
    Ca {
        /// Of which server.
        url: String,
        /// The parser's words.
        why: String,
    },
    /// The TLS stack or the headers.
    #[error("no client for {url}: {why}")]
    Build {
        /// Of which server.
        url: String,
        /// In the library's words.
        why: String,
    },
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Above every call's own deadline: it only frees what hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Connects to a cluster's API server. Call it inside a tokio runtime.
///
/// # Errors
/// [`ClientError`] when address or CA cannot be read.
pub fn client(access: &ClusterAccess) -> Result<kube::Client, ClientError> {
    let url =
        access.url.parse().map_err(|e: axum::http::uri::InvalidUri| ClientError::Url { url: access.url.clone(), why: e.to_string() })?;
    let mut config = kube::Config::new(url);
    // A write must leave this process at most once: its precondition makes a second copy harmless, but its answer misleading [M2].
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    config.auth_info.token = Some(access.token.clone().into());
    if let Some(pem) = &access.ca_pem {
        let ca = |why: String| ClientError::Ca { url: access.url.clone(), why };
        let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(|der| der.map(|der| der.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|e| ca(e.to_string()))?;
        if certificates.is_empty() {
            return Err(ca("it holds no certificate".to_owned()));
        }
        config.root_cert = Some(certificates);
    }
    kube::Client::try_from(config).map_err(|e| ClientError::Build { url: access.url.clone(), why: e.to_string() })
}

/// A client of an API server that runs in this process. Call it inside a tokio runtime.
#[must_use]
pub fn client_from_router(router: axum::Router, token: &str) -> kube::Client {
    let bearer = format!("Bearer {token}");
    let service = router.map_request(move |request: axum::http::Request<kube::client::Body>| {
        let (mut parts, body) = request.into_parts();
        if let Ok(value) = bearer.parse() {
            parts.headers.insert(axum::http::header::AUTHORIZATION, value);
        }
        axum::http::Request::from_parts(parts, axum::body::Body::new(body))
    });
    kube::Client::new(service, "default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bad_addresses_and_certificates_are_named() {
        let access = ClusterAccess { url: "http://127.0.0.1:1".into(), token: "t".into(), ca_pem: None };
        let bad =
            |url: &str, ca: Option<&str>| client(&ClusterAccess { url: url.into(), ca_pem: ca.map(Into::into), ..access.clone() }).err();
        assert!(matches!(bad("http://[", None), Some(ClientError::Url { .. })));
        assert!(matches!(bad("https://x", Some("nothing")), Some(ClientError::Ca { .. })));
        assert!(bad("http://127.0.0.1:1", None).is_none());
        assert!(!format!("{:?}", ClusterAccess { token: "hush".into(), ..access }).contains("hush"));
    }
}
