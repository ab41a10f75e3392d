//! A secret text: whoever prints it by accident prints that it is hidden.

use picket_core::ports::{PortError, PortResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::io::Read as _;
use std::path::Path;

/// A token, key or secret address. `Debug` and serialization do not show it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// What is shown instead.
const HIDDEN: &str = "(hidden)";
/// Tokens and signing secrets are far shorter.
const BYTES_MAX: u64 = 4096;

impl Secret {
    /// Takes a text for a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends or computes with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Nothing is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a secret from a file of at most 4096 bytes; white space around it does not count.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be read, `Refused` when what is in it is no token: empty, too long, or with blanks or control
    /// characters in it. No error repeats what was read.
    pub fn read(path: &Path) -> PortResult<Self> {
        let what = || format!("the secret file {}", path.display());
        let refused = |why: &str| PortError::Refused { what: what(), why: why.to_owned() };
        let unavailable = |e: std::io::Error| PortError::Unavailable { what: what(), why: format!("{e}; is it mounted and readable?") };
        let mut bytes = Vec::new();
        std::fs::File::open(path).map_err(unavailable)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unavailable)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(refused("it is longer than 4096 bytes: name the file that holds the token alone"));
        }
        let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text"))?;
        let text = text.trim();
        if text.is_empty() {
            return Err(refused("it is empty"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(refused("it holds more than one word: it must hold the token alone"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { HIDDEN })
    }
}

impl Serialize for Secret {
    /// Settings that are printed show that a secret is set, and not which.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { HIDDEN })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("xoxb-very-secret");
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"(hidden)\"");
        assert_eq!((format!("{:?}", Secret::default()).as_str(), secret.expose()), ("(none)", "xoxb-very-secret"));
    }

    #[test]
    fn a_file_holds_one_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            Secret::read(&path)
        };
        assert_eq!(read(b" abc123\n").unwrap().expose(), "abc123");
        for bad in [&b""[..], b"\n", b"one two", b"a\x01b", b"\xff\xfe", &[b'a'; 5000]] {
            assert!(matches!(read(bad), Err(PortError::Refused { .. })));
        }
        assert!(matches!(Secret::read(&folder.path().join("missing")), Err(PortError::Unavailable { .. })));
    }
}
