//! Embeddings kept on disk: a knowledge base is embedded once, not at every start of every agent.

use picket_core::action::Digest;
use picket_core::ports::{Embedder, Embedding, PortError, PortResult};
use picket_core::token_vectors::TokenVectors;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads known texts' vectors from a folder; asks the inner embedder for the others and, until sealed, keeps them.
#[derive(Debug)]
pub struct CachedEmbedder<E> {
    inner: E,
    folder: PathBuf,
    sealed: AtomicBool,
}

impl<E: Embedder> CachedEmbedder<E> {
    /// `folder` belongs to one model: vectors of another would be taken for its own.
    pub const fn new(inner: E, folder: PathBuf) -> Self {
        Self { inner, folder, sealed: AtomicBool::new(false) }
    }

    /// From now on nothing is written: queries come and go, and would grow the folder without end.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Relaxed);
    }

    fn file_of(&self, text: &str) -> PathBuf {
        self.folder.join(format!("{}.tokens", Digest::of(text.as_bytes())))
    }

    /// `None` for a text that is not kept, or whose file is not whole: the text's own vector, then those of its tokens.
    fn kept(&self, text: &str) -> Option<Embedding> {
        let bytes = fs::read(self.file_of(text)).ok()?;
        let (own, tokens) = bytes.split_at_checked(self.inner.dimension() * size_of::<f32>())?;
        let (floats, _) = own.as_chunks::<4>();
        let whole = floats.iter().map(|f| f32::from_le_bytes(*f)).collect();
        let tokens = TokenVectors::from_bytes(tokens).filter(|t| t.dimension() == self.inner.dimension())?;
        Some(Embedding { whole, tokens })
    }

    fn keep(&self, text: &str, embedding: &Embedding) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let file = self.file_of(text);
        // Another process may write the same vector at the same time: each writes its own file, the last rename stays.
        let own = file.with_extension(format!("{}.new", std::process::id()));
        let mut bytes: Vec<u8> = embedding.whole.iter().flat_map(|f| f.to_le_bytes()).collect();
        bytes.extend(embedding.tokens.to_bytes());
        fs::write(&own, bytes)?;
        fs::rename(&own, &file)
    }
}

impl<E: Embedder> Embedder for CachedEmbedder<E> {
    fn embed_tokens(&self, texts: &[String]) -> PortResult<Vec<Embedding>> {
        let mut embeddings: Vec<Option<Embedding>> = texts.iter().map(|t| self.kept(t)).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|i| embeddings[*i].is_none()).collect();
        let asked: Vec<String> = missing.iter().map(|i| texts[*i].clone()).collect();
        let made = if asked.is_empty() { Vec::new() } else { self.inner.embed_tokens(&asked)? };
        for (index, embedding) in missing.into_iter().zip(made) {
            if !self.sealed.load(Ordering::Relaxed)
                && let Err(error) = self.keep(&texts[index], &embedding)
            {
                tracing::warn!(%error, folder = %self.folder.display(), "an embedding cannot be kept; it will be made again next time");
            }
            embeddings[index] = Some(embedding);
        }
        let whole: Option<Vec<_>> = embeddings.into_iter().collect();
        whole.ok_or_else(|| PortError::Refused { what: "embedding".into(), why: "the embedder returned fewer vectors than texts".into() })
    }

    fn dimension(&self) -> usize {
        self.inner.dimension()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_diagnosis::embed_hash::HashEmbedder;

    #[test]
    fn it_passes_the_suite_of_an_embedder() {
        let folder = tempfile::tempdir().unwrap();
        picket_diagnosis::conformance::embedder(&CachedEmbedder::new(HashEmbedder, folder.path().to_owned()));
    }

    #[test]
    fn what_is_kept_comes_from_disk_and_nothing_is_kept_once_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let embedder = CachedEmbedder::new(HashEmbedder, folder.path().to_owned());
        let texts = ["a full disk".to_owned(), "a slow query".to_owned()];
        let first = embedder.embed_tokens(&texts).unwrap();
        assert_eq!(files(), 2);
        // What was changed on disk is what comes back: it was read, not made.
        let changed = Embedding { whole: vec![0.5; embedder.dimension()], tokens: first[1].tokens.clone() };
        embedder.keep(&texts[0], &changed).unwrap();
        assert_eq!(embedder.embed_tokens(&texts).unwrap(), [changed, first[1].clone()]);
        let whole = fs::read(embedder.file_of(&texts[1])).unwrap();
        for torn in [&b"torn"[..], &whole[..whole.len() - 1]] {
            fs::write(embedder.file_of(&texts[0]), torn).unwrap();
            assert_eq!(embedder.embed_tokens(&texts).unwrap(), first, "a damaged file is made anew");
        }
        embedder.seal();
        embedder.embed(&["a query".to_owned()]).unwrap();
        assert_eq!(files(), 2);
    }
}
