//! Certificates for everyone who speaks to the coordinator, and the key that signs permits.

use ed25519_dalek::{SigningKey, VerifyingKey};
use picket_core::ids::Principal;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};
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
    /// It is there already: replacing a CA would shut out everyone who has a certificate of it, and replacing a certificate its owner.
    #[error("{} exists already; choose an empty folder, or another name", .0.display())]
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
    let failed = |error| PkiError::Certificate { who: ca_name.to_owned(), error };
    let ca_key = KeyPair::generate().map_err(failed)?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name = common_name(ca_name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let ca_certificate = ca.self_signed(&ca_key).map_err(failed)?;
    write(&dir.join("ca.key"), ca_key.serialize_pem().as_bytes(), 0o600)?;
    let issuer = Issuer::new(ca, ca_key);
    for principal in principals {
        certify(dir, &issuer, principal, hosts)?;
    }
    new_signing_key(dir)?;
    // Last: its presence says that all is there.
    write(&ca_path, ca_certificate.pem().as_bytes(), 0o644)
}

/// Makes certificates for more principals with the CA in `dir`, whose `ca.key` must be there. `hosts` as for [`init`].
///
/// # Errors
/// `Exists` when one of them has a certificate there already; nothing is made then.
pub fn issue(dir: &Path, principals: &[Principal], hosts: &[String]) -> Result<(), PkiError> {
    let read = |name: &str| {
        let path = dir.join(name);
        fs::read_to_string(&path).map_err(|error| PkiError::Io { path, error })
    };
    let taken = principals.iter().map(|p| dir.join(format!("{}.pem", p.file_stem()))).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(PkiError::Exists(path));
    }
    let failed = |error| PkiError::Certificate { who: "the CA".to_owned(), error };
    let key = KeyPair::from_pem(&read("ca.key")?).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem")?, key).map_err(failed)?;
    principals.iter().try_for_each(|principal| certify(dir, &issuer, principal, hosts))
}

fn certify(dir: &Path, issuer: &Issuer<'_, KeyPair>, principal: &Principal, hosts: &[String]) -> Result<(), PkiError> {
    let failed = |error| PkiError::Certificate { who: principal.to_string(), error };
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params_of(principal, hosts).and_then(|p| p.signed_by(&key, issuer)).map_err(failed)?;
    let stem = principal.file_stem();
    write(&dir.join(format!("{stem}.key")), key.serialize_pem().as_bytes(), 0o600)?;
    write(&dir.join(format!("{stem}.pem")), certificate.pem().as_bytes(), 0o644)
}

/// Makes a new permit-signing key, and keeps the one before beside it under a name of its own.
///
/// # Errors
/// What the file system says.
pub fn replace_signing_key(dir: &Path, name_of_the_old: &str) -> Result<(), PkiError> {
    for name in ["permit-signing.key", "permit-verify.pub"] {
        let (from, to) = (dir.join(name), dir.join(format!("{name}.{name_of_the_old}")));
        fs::copy(&from, to).map_err(|error| PkiError::Io { path: from, error })?;
    }
    new_signing_key(dir)
}

/// What the trust of a mesh is named by: the digest of its CA's certificate, in 32 hexadecimal digits.
///
/// # Errors
/// When the file is no PEM certificate.
pub fn cluster_id(ca_pem: &str) -> Result<String, PkiError> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(ca_pem.as_bytes()).map_err(|e| PkiError::NoCertificate(e.to_string()))?;
    Ok(hex::encode(&Sha256::digest(&pem.contents)[..16]))
}

fn new_signing_key(dir: &Path) -> Result<(), PkiError> {
    let mut seed = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut seed).map_err(|_| PkiError::Randomness)?;
    let signing = SigningKey::from_bytes(&seed);
    write(&dir.join("permit-signing.key"), hex::encode(seed).as_bytes(), 0o600)?;
    write(&dir.join("permit-verify.pub"), hex::encode(signing.verifying_key().to_bytes()).as_bytes(), 0o644)
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
    fn more_certificates_come_from_the_same_ca_and_none_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        init_demo(dir.path(), &[Principal::Node(1)], &[]).unwrap();
        let ca = fs::read(dir.path().join("ca.pem")).unwrap();
        issue(dir.path(), &[Principal::Node(4)], &["four.example".into()]).unwrap();
        assert_eq!(fs::read(dir.path().join("ca.pem")).unwrap(), ca);
        let check = |who: &Principal| {
            let pem = fs::read(dir.path().join(format!("{}.pem", who.file_stem()))).unwrap();
            let der = CertificateDer::from_pem_slice(&pem).unwrap();
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
            let (_, authority) = x509_parser::pem::parse_x509_pem(&ca).unwrap();
            let authority = authority.parse_x509().unwrap();
            assert_eq!(parsed.issuer(), authority.subject(), "{who}");
            assert_eq!(&principal_of(&der).unwrap(), who);
        };
        check(&Principal::Node(1));
        check(&Principal::Node(4));
        let both = [Principal::Node(5), Principal::Node(4)];
        assert!(matches!(issue(dir.path(), &both, &[]), Err(PkiError::Exists(_))));
        assert!(!dir.path().join("node-5.pem").exists());
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
