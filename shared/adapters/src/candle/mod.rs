//! Sentence embeddings on the CPU: all-MiniLM-L6-v2 (BERT, mean pooling), run by candle.

mod cached;
pub mod model;
mod token_count;

pub use cached::CachedEmbedder;
pub use token_count::TokenCounter;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use picket_core::ports::{Embedder, Embedding, PortError, PortResult};
use picket_core::token_vectors::{TOKENS_MAX, TokenVectors};
use std::collections::BTreeSet;
use std::path::Path;
use tokenizers::{Encoding, Tokenizer, TruncationParams};

// Tokens of a text beyond `TOKENS_MAX` (256) are cut: it is also what the model was tuned for.

/// Characters of a text beyond this are cut before tokenising: more than [`TOKENS_MAX`] tokens of any language, and a bound on work.
const CHARS_MAX: usize = 8 * 1024;
/// Texts in one pass: a bound on memory (16 texts of 256 tokens take about 100 MB).
const BATCH: usize = 16;

/// The embedder.
pub struct MiniLm {
    model: BertModel,
    tokenizer: Tokenizer,
    dimension: usize,
    pad: u32,
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
        let config = model::read(dir, model::CONFIG)?;
        let config: Config = serde_json::from_slice(&config).map_err(|e| damaged(model::CONFIG, e.to_string()))?;
        let mut tokenizer =
            Tokenizer::from_bytes(model::read(dir, model::TOKENIZER)?).map_err(|e| damaged(model::TOKENIZER, e.to_string()))?;
        // The file asks for padding to 128 tokens: batches are padded here, to their own longest.
        tokenizer.with_padding(None);
        let truncation = TruncationParams { max_length: TOKENS_MAX.min(config.max_position_embeddings), ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|e| damaged(model::TOKENIZER, e.to_string()))?;
        let weights = model::read(dir, model::WEIGHTS)?;
        let weights =
            VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).map_err(|e| damaged(model::WEIGHTS, e.to_string()))?;
        let model = BertModel::load(weights, &config).map_err(|e| damaged(model::WEIGHTS, e.to_string()))?;
        let pad = u32::try_from(config.pad_token_id).map_err(|e| damaged(model::CONFIG, format!("pad_token_id: {e}")))?;
        let vocabulary = tokenizer.get_vocab(false);
        let punctuation = vocabulary.iter().filter(|(word, _)| !word.chars().any(char::is_alphanumeric)).map(|(_, id)| *id).collect();
        Ok(Self { model, tokenizer, dimension: config.hidden_size, pad, punctuation })
    }

    /// Finds a checked copy of the model on this machine and loads it.
    pub fn locate_and_load() -> PortResult<Self> {
        Self::load(&model::locate()?)
    }

    /// One pass: the unit vector of each text, and the vectors of its tokens.
    fn batch(&self, texts: &[&Encoding]) -> candle_core::Result<Vec<Embedding>> {
        let (rows, columns) = (texts.len(), texts.iter().map(|t| t.len()).max().unwrap_or(0));
        let (mut ids, mut mask) = (Vec::with_capacity(rows * columns), Vec::with_capacity(rows * columns));
        for text in texts {
            ids.extend(text.get_ids().iter().copied().chain(std::iter::repeat(self.pad)).take(columns));
            mask.extend(std::iter::repeat_n(1.0_f32, text.len()).chain(std::iter::repeat(0.0)).take(columns));
        }
        let ids = Tensor::from_vec(ids, (rows, columns), &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, (rows, columns), &Device::Cpu)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        // The mean over real tokens only; then unit length.
        let mask = mask.unsqueeze(2)?;
        let sums = hidden.broadcast_mul(&mask)?.sum(1)?;
        let means = sums.broadcast_div(&mask.sum(1)?)?;
        let norms = means.sqr()?.sum_keepdim(1)?.sqrt()?.clamp(1e-12_f32, f32::INFINITY)?;
        let wholes = means.broadcast_div(&norms)?.to_vec2::<f32>()?;
        let of_text = |(index, whole): (usize, Vec<f32>)| -> candle_core::Result<Embedding> {
            let vectors = hidden.get(index)?.to_vec2::<f32>()?;
            Ok(Embedding { whole, tokens: self.tokens(texts[index], &vectors) })
        };
        wholes.into_iter().enumerate().map(of_text).collect()
    }

    /// The tokens that say something: no punctuation, none of the model's own marks.
    fn tokens(&self, text: &Encoding, vectors: &[Vec<f32>]) -> TokenVectors {
        let mut tokens = TokenVectors::new(self.dimension);
        for ((id, mark), vector) in text.get_ids().iter().zip(text.get_special_tokens_mask()).zip(vectors) {
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
            .iter()
            .map(|text| self.tokenizer.encode(cut(text), true).map_err(|e| refused(format!("the text cannot be tokenised: {e}"))))
            .collect::<PortResult<_>>()?;
        // Texts of like length share a pass, so that little is padded.
        let mut order: Vec<_> = (0..encodings.len()).collect();
        order.sort_by_key(|i| encodings[*i].len());
        let mut embeddings: Vec<Option<Embedding>> = vec![None; encodings.len()];
        for places in order.chunks(BATCH) {
            let batch: Vec<_> = places.iter().map(|i| &encodings[*i]).collect();
            let found = self.batch(&batch).map_err(|e| refused(format!("the model failed: {e}")))?;
            for (place, embedding) in places.iter().zip(found) {
                embeddings[*place] = Some(embedding);
            }
        }
        let whole: Option<Vec<_>> = embeddings.into_iter().collect();
        whole.ok_or_else(|| refused("the model returned fewer vectors than texts".to_owned()))
    }

    fn dimension(&self) -> usize {
        self.dimension
    }
}

#[cfg(test)]
mod tests;
