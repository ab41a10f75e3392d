//! Certificates for everyone who speaks to the coordinator, and the key that signs permits.

use ed25519_dalek::{SigningKey, VerifyingKey};
use picket_core::ids::Principal;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const DEMONSTRATION_NAME: &str = "picket demonstration CA";
const PRODUCTION_NAME: &str = "picket CA";

/// Why the files could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The file system said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// There is a CA already: replacing it would shut out everyone who has a certificate of it.
    #[error("{} exists already; choose an empty folder", .0.display())]
    Exists(PathBuf),
    /// A certificate could not be made.
    #[error("the certificate of {who} could not be made: {error}")]
    Certificate {
        /// Whose.
        who: String,
        /// Why.
        error: rcgen::Error,
    },
    /// A key file does not hold a key.
    #[error("{} holds no Ed25519 key in 64 hexadecimal digits", .0.display())]
    Key(PathBuf),
    /// The system gave no randomness.
    #[error("the system gave no randomness for the permit-signing key")]
    Randomness,
    /// The CA file cannot be read as a certificate.
    #[error("the CA is no certificate: {0}")]
    NoCertificate(String),
}

/// Makes a demonstration CA in `dir`: recognisable as such for ever, and refused by real actuators.
///
/// # Errors
/// As [`init`].
pub fn init_demo(dir: &Path, principals: &[Principal], hosts: &[String]) -> Result<(), PkiError> {
    make(dir, DEMONSTRATION_NAME, principals, hosts)
}

/// Makes a CA in `dir`, a certificate and key per principal, and the permit-signing key.
/// Nodes can be reached as `node-N.picket`, `localhost`, `127.0.0.1`, `::1` and under `hosts`.
/// The CA's own key is kept in `ca.key`; move it off the machine once all certificates are made.
///
/// # Errors
/// `Exists` when the folder holds a CA already.
pub fn init(dir: &Path, principals: &[Principal], hosts: &[String]) -> Result<(), PkiError> {
    make(dir, PRODUCTION_NAME, principals, hosts)
}

fn make(dir: &Path, ca_name: &str, principals: &[Principal], hosts: &[String]) -> Result<(), PkiError> {
    fs::create_dir_all(dir).map_err(|error| PkiError::Io { path: dir.to_owned(), error })?;
    let ca_path = dir.join("ca.pem");
    if ca_path.exists() {
        return Err(PkiError::Exists(ca_path));
    }
    let failed = |who: &str| {
        let who = who.to_owned();
        move |error| PkiError::Certificate { who, error }
    };
    let ca_key = KeyPair::generate().map_err(failed(ca_name))?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name = common_name(ca_name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let ca_certificate = ca.self_signed(&ca_key).map_err(failed(ca_name))?;
    write(&dir.join("ca.key"), ca_key.serialize_pem().as_bytes(), 0o600)?;
    let issuer = Issuer::new(ca, ca_key);
    for principal in principals {
        let who = principal.to_string();
        let key = KeyPair::generate().map_err(failed(&who))?;
        let certificate = params_of(principal, hosts).and_then(|p| p.signed_by(&key, &issuer)).map_err(failed(&who))?;
        let stem = principal.file_stem();
        write(&dir.join(format!("{stem}.key")), key.serialize_pem().as_bytes(), 0o600)?;
        write(&dir.join(format!("{stem}.pem")), certificate.pem().as_bytes(), 0o644)?;
    }
    let mut seed = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut seed).map_err(|_| PkiError::Randomness)?;
    let signing = SigningKey::from_bytes(&seed);
    write(&dir.join("permit-signing.key"), hex::encode(seed).as_bytes(), 0o600)?;
    write(&dir.join("permit-verify.pub"), hex::encode(signing.verifying_key().to_bytes()).as_bytes(), 0o644)?;
    // Last: its presence says that all is there.
    write(&ca_path, ca_certificate.pem().as_bytes(), 0o644)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut whole = DistinguishedName::new();
    whole.push(DnType::CommonName, name);
    whole
}

fn params_of(principal: &Principal, hosts: &[String]) -> Result<CertificateParams, rcgen::Error> {
    // Only nodes can pass for a server.
    let mut params = if let Principal::Node(id) = principal {
        let mut names = vec![node_host(*id), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(hosts.iter().cloned());
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params
    } else {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params
    };
    params.distinguished_name = common_name(&principal.to_string());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The name by which nodes call each other: it proves which node answers, wherever it listens.
#[must_use]
pub fn node_host(id: u64) -> String {
    format!("node-{id}.picket")
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| PkiError::Io { path: path.to_owned(), error })
}

/// Whether a CA is for demonstrations.
///
/// # Errors
/// When it is no certificate.
pub fn is_demonstration(ca_pem: &str) -> Result<bool, PkiError> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(ca_pem.as_bytes()).map_err(|e| PkiError::NoCertificate(e.to_string()))?;
    let certificate = pem.parse_x509().map_err(|e| PkiError::NoCertificate(e.to_string()))?;
    let name = certificate.subject().iter_common_name().next().and_then(|n| n.as_str().ok());
    Ok(name == Some(DEMONSTRATION_NAME))
}

fn hex_key(path: &Path) -> Result<[u8; 32], PkiError> {
    let text = fs::read_to_string(path).map_err(|error| PkiError::Io { path: path.to_owned(), error })?;
    let bytes = hex::decode(text.trim()).map_err(|_| PkiError::Key(path.to_owned()))?;
    bytes.try_into().map_err(|_| PkiError::Key(path.to_owned()))
}

/// The key with which nodes sign permits.
///
/// # Errors
/// When `permit-signing.key` is missing or no key.
pub fn signing_key(dir: &Path) -> Result<SigningKey, PkiError> {
    Ok(SigningKey::from_bytes(&hex_key(&dir.join("permit-signing.key"))?))
}

/// The key with which actuators check permits.
///
/// # Errors
/// When `permit-verify.pub` is missing or no key.
pub fn verifying_key(dir: &Path) -> Result<VerifyingKey, PkiError> {
    let path = dir.join("permit-verify.pub");
    VerifyingKey::from_bytes(&hex_key(&path)?).map_err(|_| PkiError::Key(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Identity, principal_of};
    use picket_core::ids::AgentKind;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn every_principal_gets_a_certificate_that_names_it_and_a_key_nobody_else_reads() {
        let dir = tempfile::tempdir().unwrap();
        let all = [Principal::Node(1), Principal::Agent(AgentKind::Sre), Principal::Human("kim/../x".into())];
        init(dir.path(), &all, &["coordinator.example".into()]).unwrap();
        for principal in &all {
            let stem = principal.file_stem();
            let pem = fs::read(dir.path().join(format!("{stem}.pem"))).unwrap();
            assert_eq!(&principal_of(&CertificateDer::from_pem_slice(&pem).unwrap()).unwrap(), principal);
            let mode = fs::metadata(dir.path().join(format!("{stem}.key"))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let identity = Identity::read(dir.path(), principal).unwrap();
            identity.server().unwrap();
            identity.client().unwrap();
        }
        assert_eq!(fs::metadata(dir.path().join("permit-signing.key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(signing_key(dir.path()).unwrap().verifying_key(), verifying_key(dir.path()).unwrap());
        assert!(matches!(init(dir.path(), &all, &[]), Err(PkiError::Exists(_))));
    }

    #[test]
    fn a_demonstration_ca_is_known_as_one() {
        let dir = tempfile::tempdir().unwrap();
        init_demo(&dir.path().join("demo"), &[], &[]).unwrap();
        init(&dir.path().join("real"), &[], &[]).unwrap();
        let ca = |name: &str| fs::read_to_string(dir.path().join(name).join("ca.pem")).unwrap();
        assert!(is_demonstration(&ca("demo")).unwrap());
        assert!(!is_demonstration(&ca("real")).unwrap());
        assert!(is_demonstration("not a certificate").is_err());
    }
}
