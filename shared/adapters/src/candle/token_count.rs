//! Counts tokens as the embedding model's tokenizer cuts them: budgets for passages are in these.

use super::model;
use picket_core::ports::{PortError, PortResult};
use std::path::Path;
use tokenizers::Tokenizer;

/// The tokenizer without its model.
#[derive(Clone)]
pub struct TokenCounter(Tokenizer);

impl std::fmt::Debug for TokenCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCounter")
    }
}

impl TokenCounter {
    /// Loads `tokenizer.json` from a directory; [`model::locate`] finds and checks one.
    ///
    /// # Errors
    /// When the file is missing or no tokenizer.
    pub fn load(dir: &Path) -> PortResult<Self> {
        let damaged = |why: String| PortError::Damaged { what: dir.join(model::TOKENIZER).display().to_string(), why };
        let mut tokenizer = Tokenizer::from_bytes(model::read(dir, model::TOKENIZER)?).map_err(|e| damaged(e.to_string()))?;
        // The file asks for both; a count of what was cut or filled up is none.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| damaged(e.to_string()))?;
        Ok(Self(tokenizer))
    }

    /// Tokens of a text, without the marks at its ends. A text that the tokenizer refuses counts by its bytes, which is never too few.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.0.encode_fast(text, false).map_or(text.len(), |encoding| encoding.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_damaged_tokenizer_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(TokenCounter::load(dir.path()), Err(PortError::NotFound { .. })));
        std::fs::write(dir.path().join(model::TOKENIZER), b"{}").unwrap();
        assert!(matches!(TokenCounter::load(dir.path()), Err(PortError::Damaged { .. })));
    }

    #[test]
    fn long_texts_are_counted_to_their_end() {
        let Ok(dir) = model::locate() else {
            eprintln!("SKIPPED: there is no embedding model");
            return;
        };
        let counter = TokenCounter::load(&dir).unwrap();
        assert_eq!((counter.count(""), counter.count("memory")), (0, 1));
        assert!(counter.count("kubectl") > 1, "a word that the vocabulary lacks is several tokens");
        assert_eq!(counter.count(&"memory ".repeat(3_000)), 3_000);
    }
}
