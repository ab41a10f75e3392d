//! Mutual TLS: both ends show a certificate of picket's CA, and the common name says who it is.

use crate::raft::wire::ALPN;
use picket_coordinator_transport::client;
use picket_core::ids::Principal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or unreadable.
    #[error("{}: {why}; `picket` makes certificates with its PKI command", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The parts do not fit together.
    #[error("the certificates cannot be used: {0}")]
    Unusable(String),
    /// A certificate names nobody.
    #[error("the peer's certificate names no principal: {0}")]
    Nobody(String),
}

/// A certificate, its key, and the CA it comes from.
pub struct Identity {
    roots: Arc<rustls::RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads `ca.pem` and the principal's files.
    ///
    /// # Errors
    /// When a file is missing or holds no PEM.
    pub fn read(dir: &Path, principal: &Principal) -> Result<Self, TlsError> {
        let bad = |path: &Path, why: String| TlsError::File { path: path.to_owned(), why };
        let bytes = |path: &Path| std::fs::read(path).map_err(|e| bad(path, e.to_string()));
        let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, TlsError> {
            let found =
                CertificateDer::pem_slice_iter(&bytes(path)?).collect::<Result<Vec<_>, _>>().map_err(|e| bad(path, e.to_string()))?;
            if found.is_empty() { Err(bad(path, "it holds no certificate".to_owned())) } else { Ok(found) }
        };
        let ca = dir.join("ca.pem");
        let mut roots = rustls::RootCertStore::empty();
        for certificate in certificates(&ca)? {
            roots.add(certificate).map_err(|e| bad(&ca, e.to_string()))?;
        }
        let stem = principal.file_stem();
        let chain = certificates(&dir.join(format!("{stem}.pem")))?;
        let key_path = dir.join(format!("{stem}.key"));
        let key = PrivateKeyDer::from_pem_slice(&bytes(&key_path)?).map_err(|e| bad(&key_path, e.to_string()))?;
        Ok(Self { roots: Arc::new(roots), chain, key })
    }

    /// For accepting: a peer without a certificate of this CA is refused in the handshake.
    ///
    /// # Errors
    /// When certificate and key do not fit.
    pub fn server(&self) -> Result<rustls::ServerConfig, TlsError> {
        let unusable = |e: &dyn std::fmt::Display| TlsError::Unusable(e.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider.clone()).build().map_err(|e| unusable(&e))?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| unusable(&e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|e| unusable(&e))?;
        config.alpn_protocols = vec![ALPN.to_vec(), client::ALPN.to_vec(), b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// For calling.
    ///
    /// # Errors
    /// When certificate and key do not fit.
    pub fn client(&self) -> Result<rustls::ClientConfig, TlsError> {
        let unusable = |e: &dyn std::fmt::Display| TlsError::Unusable(e.to_string());
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| unusable(&e))?
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|e| unusable(&e))
    }
}

/// Who a verified certificate stands for.
///
/// # Errors
/// When its common name is no principal.
pub fn principal_of(certificate: &CertificateDer<'_>) -> Result<Principal, TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|e| TlsError::Nobody(e.to_string()))?;
    let mut names = parsed.subject().iter_common_name();
    let name = names.next().and_then(|n| n.as_str().ok()).ok_or_else(|| TlsError::Nobody("it has no common name".to_owned()))?;
    if names.next().is_some() {
        return Err(TlsError::Nobody("it has several common names".to_owned()));
    }
    name.parse().map_err(TlsError::Nobody)
}
