//! Certificates of a lock server that asks its clients for theirs.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Usage, IsCa, Issuer, KeyPair};

/// All in PEM.
pub struct TestPki {
    /// The CA.
    pub ca: String,
    /// Certificate and key for `localhost`.
    pub server: (String, String),
    /// Certificate and key of a client.
    pub client: (String, String),
}

impl TestPki {
    /// New keys.
    pub fn generate() -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "test CA");
        let ca_key = KeyPair::generate().expect("a key");
        let ca_pem = ca.self_signed(&ca_key).expect("a CA").pem();
        let issuer = Issuer::new(ca, ca_key);
        let leaf = |name: &str, usages: &[Usage]| {
            let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            leaf.distinguished_name.push(DnType::CommonName, name);
            leaf.extended_key_usages = usages.to_vec();
            let key = KeyPair::generate().expect("a key");
            (leaf.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
        };
        // etcd's JSON gateway is a client of its own server, with the server's certificate.
        let server = leaf("localhost", &[Usage::ServerAuth, Usage::ClientAuth]);
        let client = leaf("picket", &[Usage::ClientAuth]);
        Self { ca: ca_pem, server, client }
    }

    /// What the server reads.
    pub fn files(&self) -> [(&str, &str); 3] {
        [("ca.pem", &self.ca), ("server.pem", &self.server.0), ("server.key", &self.server.1)]
    }

    /// What a client shows.
    pub fn identity(&self) -> (Vec<u8>, Vec<u8>) {
        (self.client.0.clone().into_bytes(), self.client.1.clone().into_bytes())
    }
}
