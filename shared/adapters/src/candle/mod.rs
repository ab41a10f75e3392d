//! Sentence embeddings on the CPU: all-MiniLM-L6-v2 (BERT, mean pooling). candle reads the weights; the pass over them is our own, because
//! its general one took up to twice as long.

mod bert;
mod cached;
mod cross_encoder;
mod matrix;
pub mod model;
mod pointwise;
mod token_count;
mod weights;

pub use cached::CachedEmbedder;
pub use cross_encoder::CrossEncoder;
pub use token_count::TokenCounter;

use bert::{Bert, Config, Tokens};
use picket_core::ports::{Embedder, Embedding, PortError, PortResult};
use picket_core::token_vectors::{TOKENS_MAX, TokenVectors};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use tokenizers::{Encoding, Tokenizer, TruncationParams};
use weights::Weights;

// Tokens of a text beyond `TOKENS_MAX` (256) are cut: it is also what the model was tuned for.

/// Characters of a text beyond this are cut before tokenising: more than [`TOKENS_MAX`] tokens of any language, and a bound on work.
const CHARS_MAX: usize = 8 * 1024;

/// The embedder.
pub struct MiniLm {
    model: Bert,
    tokenizer: Tokenizer,
    dimension: usize,
    /// Tokens of the vocabulary that are punctuation and nothing else.
    punctuation: BTreeSet<u32>,
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MiniLm").field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

impl MiniLm {
    /// Loads `config.json`, `tokenizer.json` and `model.safetensors` from a directory; [`model::locate`] finds and checks one.
    pub fn load(dir: &Path) -> PortResult<Self> {
        let damaged = |file: &str, why: String| PortError::Damaged { what: dir.join(file).display().to_string(), why };
        let config = Config::of(&model::read(dir, model::CONFIG)?).map_err(|why| damaged(model::CONFIG, why))?;
        let (dimension, window) = (config.hidden_size, TOKENS_MAX.min(config.max_position_embeddings));
        let weights = || {
            let bytes = model::read(dir, model::WEIGHTS)?;
            Weights::new(&bytes).and_then(|weights| Bert::load(&weights, "", config)).map_err(|why| damaged(model::WEIGHTS, why))
        };
        let tokenizer = || tokenizer(&model::read(dir, model::TOKENIZER)?, window).map_err(|why| damaged(model::TOKENIZER, why));
        let (model, tokenizer) = rayon::join(weights, tokenizer);
        let (model, tokenizer) = (model?, tokenizer?);
        let vocabulary = tokenizer.get_vocab(false);
        let punctuation = vocabulary.iter().filter(|(word, _)| !word.chars().any(char::is_alphanumeric)).map(|(_, id)| *id).collect();
        Ok(Self { model, tokenizer, dimension, punctuation })
    }

    /// Finds a checked copy of the model on this machine and loads it.
    pub fn locate_and_load() -> PortResult<Self> {
        Self::load(&model::locate()?)
    }

    /// The mean of vectors, at unit length.
    fn mean(&self, vectors: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.dimension];
        for vector in vectors.chunks_exact(self.dimension) {
            mean.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        mean.iter_mut().for_each(|x| *x /= length);
        mean
    }

    /// The tokens that say something: no punctuation, none of the model's own marks.
    fn tokens(&self, text: &Encoding, vectors: &[f32]) -> TokenVectors {
        let mut tokens = TokenVectors::new(self.dimension);
        for ((id, mark), vector) in text.get_ids().iter().zip(text.get_special_tokens_mask()).zip(vectors.chunks_exact(self.dimension)) {
            if *mark == 0 && !self.punctuation.contains(id) {
                tokens.push(*id, vector);
            }
        }
        tokens
    }
}

impl Embedder for MiniLm {
    fn embed_tokens(&self, texts: &[String]) -> PortResult<Vec<Embedding>> {
        let refused = |why: String| PortError::Refused { what: "embedding".to_owned(), why };
        let cut = |text: &String| text.chars().take(CHARS_MAX).collect::<String>();
        let encodings: Vec<_> = texts
            .par_iter()
            .map(|text| self.tokenizer.encode(cut(text), true).map_err(|e| refused(format!("the text cannot be tokenised: {e}"))))
            .collect::<PortResult<_>>()?;
        let tokens: Vec<_> = encodings.iter().map(|text| Tokens { ids: text.get_ids(), types: text.get_type_ids() }).collect();
        let embedding =
            |place: usize, vectors: &[f32]| Embedding { whole: self.mean(vectors), tokens: self.tokens(&encodings[place], vectors) };
        self.model.each(&tokens, embedding).map_err(|e| refused(format!("the model failed: {e}")))
    }

    fn dimension(&self) -> usize {
        self.dimension
    }
}

/// The tokenizer in a file's bytes, cutting what is longer than `window` tokens.
fn tokenizer(bytes: &[u8], window: usize) -> Result<Tokenizer, String> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| e.to_string())?;
    // The file may ask for padding to a fixed length, which nothing here needs.
    tokenizer.with_padding(None);
    let truncation = TruncationParams { max_length: window, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(|e| e.to_string())?;
    Ok(tokenizer)
}

#[cfg(test)]
mod tests;
