//! Sentence embeddings on the CPU: all-MiniLM-L6-v2 (BERT, mean pooling), run by candle.

mod cached;
pub mod model;
mod token_count;

pub use cached::CachedEmbedder;
pub use token_count::TokenCounter;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use picket_core::ports::{Embedder, PortError, PortResult};
use std::path::Path;
use tokenizers::{Encoding, Tokenizer, TruncationParams};

/// Tokens of a text beyond this are cut: what the model was tuned for.
const TOKENS_MAX: usize = 256;
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
        Ok(Self { model, tokenizer, dimension: config.hidden_size, pad })
    }

    /// Finds a checked copy of the model on this machine and loads it.
    pub fn locate_and_load() -> PortResult<Self> {
        Self::load(&model::locate()?)
    }

    fn batch(&self, texts: &[&Encoding]) -> candle_core::Result<Vec<Vec<f32>>> {
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
        means.broadcast_div(&norms)?.to_vec2::<f32>()
    }
}

impl Embedder for MiniLm {
    fn embed(&self, texts: &[String]) -> PortResult<Vec<Vec<f32>>> {
        let refused = |why: String| PortError::Refused { what: "embedding".to_owned(), why };
        let cut = |text: &String| text.chars().take(CHARS_MAX).collect::<String>();
        let encodings: Vec<_> = texts
            .iter()
            .map(|text| self.tokenizer.encode(cut(text), true).map_err(|e| refused(format!("the text cannot be tokenised: {e}"))))
            .collect::<PortResult<_>>()?;
        // Texts of like length share a pass, so that little is padded.
        let mut order: Vec<_> = (0..encodings.len()).collect();
        order.sort_by_key(|i| encodings[*i].len());
        let mut vectors = vec![Vec::new(); encodings.len()];
        for places in order.chunks(BATCH) {
            let batch: Vec<_> = places.iter().map(|i| &encodings[*i]).collect();
            let found = self.batch(&batch).map_err(|e| refused(format!("the model failed: {e}")))?;
            for (place, vector) in places.iter().zip(found) {
                vectors[*place] = vector;
            }
        }
        Ok(vectors)
    }

    fn dimension(&self) -> usize {
        self.dimension
    }
}

#[cfg(test)]
mod tests;
