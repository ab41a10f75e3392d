//! Text that nobody may print.

use std::fmt;

/// A key, a token, a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// For the request that needs it, and for nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Largest file that holds a secret: a token of an identity provider, a profile.
const FILE_MAX_BYTES: u64 = 64 << 10;

/// The content of a file, without white space around it.
///
/// # Errors
/// In words, with the path and never the content.
pub(crate) async fn read_file(path: &std::path::Path) -> Result<String, String> {
    let failed = |why: &dyn fmt::Display| format!("{}: {why}", path.display());
    let size = tokio::fs::metadata(path).await.map_err(|e| failed(&e))?.len();
    if size > FILE_MAX_BYTES {
        return Err(failed(&format_args!("{size} bytes are too many for a secret")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|e| failed(&e))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("wJalrXUt".into()))), "Some((hidden))");
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (good, long) = (dir.path().join("good"), dir.path().join("long"));
        std::fs::write(&good, "abc\n").unwrap();
        std::fs::write(&long, vec![b'a'; 70_000]).unwrap();
        assert_eq!(read_file(&good).await.as_deref(), Ok("abc"));
        assert!(read_file(&long).await.is_err());
        assert!(read_file(&dir.path().join("none")).await.unwrap_err().contains("none"));
    }
}
