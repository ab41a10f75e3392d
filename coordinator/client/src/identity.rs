//! The client's side of mutual TLS.

use picket_core::ports::{PortError, PortResult};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

fn refused(what: &str, why: impl ToString) -> PortError {
    PortError::Refused { what: what.to_owned(), why: why.to_string() }
}

/// Trusts that CA alone, and shows that certificate.
pub(crate) fn tls(ca_pem: &str, cert_pem: &str, key_pem: &str) -> PortResult<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|e| refused("the CA file", e))?;
        roots.add(certificate).map_err(|e| refused("the CA file", e))?;
    }
    if roots.is_empty() {
        return Err(refused("the CA file", "it holds no certificate; expected PEM"));
    }
    let chain = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| refused("the certificate file", e))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|e| refused("the key file", e))?;
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| refused("TLS", e))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|e| refused("the certificate and key", e))?;
    // HTTP/2 and nothing else: over HTTP/1.1 every call in progress would need a connection, and a handshake, of its own.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
