//! The key that a provider knows picket by.

use picket_core::config::{ModelServer, ReasonerProvider};
use std::fmt;

/// A key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// The file of the key could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}; it is named in diagnostics.models")]
pub struct KeyError {
    path: String,
    why: String,
}

impl ApiKey {
    /// The key of a server: its file's when one is named, else the environment's as `variable` reads it. `None` when there is none.
    ///
    /// # Errors
    /// [`KeyError`] when the named file cannot be read or is empty: a key was meant to be there.
    pub fn read(
        server: &ModelServer,
        provider: ReasonerProvider,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, KeyError> {
        let path = &server.api_key_file;
        if !path.is_empty() {
            let failed = |why: String| KeyError { path: path.clone(), why };
            let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot be read ({error})")))?;
            return Self::of(&text).map(Some).ok_or_else(|| failed("holds no key".to_owned()));
        }
        let name = server.key_variable(provider);
        Ok(if name.is_empty() { None } else { variable(name).and_then(|text| Self::of(&text)) })
    }

    /// `None` for a text that no header can carry.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// For the header alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_from_its_file_or_the_environment_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key").to_string_lossy().into_owned();
        std::fs::write(&path, "sk-hush\n").unwrap();
        let named = ModelServer { api_key_file: path.clone(), ..ModelServer::default() };
        let provider = ReasonerProvider::Openai;
        let key = ApiKey::read(&named, provider, |_| None).unwrap().unwrap();
        assert_eq!((key.reveal(), format!("{key:?}").contains("hush")), ("sk-hush", false));
        std::fs::write(&path, "\n").unwrap();
        assert!(ApiKey::read(&named, provider, |_| None).unwrap_err().to_string().contains("holds no key"));
        let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "sk-env".to_owned());
        assert_eq!(ApiKey::read(&ModelServer::default(), provider, environment).unwrap(), ApiKey::of("sk-env"));
        assert_eq!(ApiKey::read(&ModelServer::default(), ReasonerProvider::Anthropic, environment).unwrap(), None);
        assert_eq!(ApiKey::of("two\nlines"), None);
    }
}
