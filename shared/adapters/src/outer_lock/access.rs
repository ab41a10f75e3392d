//! How a lock server is shown who asks: account, CA, client certificate.

use std::fmt;
use std::path::PathBuf;

/// What is shown to the server and what is asked of it. Empty fields are not used.
#[derive(Clone, Default)]
pub struct Access {
    /// Account and password; an empty account is the server's default one.
    pub account: Option<(String, String)>,
    /// The server's CA in PEM; `None` trusts the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// The client's certificate chain and key in PEM.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Access {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("account", &self.account.as_ref().map(|(name, _)| name))
            .field("ca_pem", &self.ca_pem.is_some())
            .field("identity_pem", &self.identity_pem.is_some())
            .finish()
    }
}

/// A file of the access could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be read ({error}); it is named in orchestration.distributed_locks")]
pub struct AccessError {
    /// Which file.
    path: PathBuf,
    /// Why not.
    error: std::io::Error,
}

impl Access {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// [`AccessError`] naming the file that cannot be read.
    pub fn read(named: &picket_core::config::ServerAccess) -> Result<Self, AccessError> {
        let read = |path: &str| std::fs::read(path).map_err(|error| AccessError { path: path.into(), error });
        let optional = |path: &str| if path.is_empty() { Ok(None) } else { read(path).map(Some) };
        let password = optional(&named.password_file)?.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        let account = password.map(|password| (named.username.clone(), password));
        let certificate = optional(&named.client_cert_file)?;
        let key = optional(&named.client_key_file)?;
        Ok(Self { account, ca_pem: optional(&named.ca_file)?, identity_pem: certificate.zip(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::config::ServerAccess;

    #[test]
    fn files_are_read_and_secrets_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let named = ServerAccess { username: "picket".into(), password_file: file("password", "hush\n"), ..ServerAccess::default() };
        let access = Access::read(&named).unwrap();
        assert_eq!(access.account, Some(("picket".to_owned(), "hush".to_owned())));
        assert!(!format!("{access:?}").contains("hush"));
        let missing = ServerAccess { ca_file: "/nonexistent/ca.pem".into(), ..named };
        assert!(Access::read(&missing).unwrap_err().to_string().contains("/nonexistent/ca.pem"));
        assert!(Access::read(&ServerAccess::default()).unwrap().account.is_none());
    }
}
