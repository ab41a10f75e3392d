//! Compression of passages to a budget of tokens, by choosing what to keep: whole sentences, list items and code blocks, as they stand.
//!
//! Extractive and query-aware: a unit's worth is its BM25 score against the query, its place, and whether it holds what must not be
//! paraphrased (commands, numbers, identifiers). Choosing whole units by a relevance score under a budget is the way of J. Carbonell and
//! J. Goldstein (SIGIR 1998) without their penalty for likeness: runbooks hardly repeat themselves. No model is asked. `LLMLingua` (Jiang et
//! al., EMNLP 2023) drops single tokens by a language model's perplexity; that would cut commands apart.

mod choose;
mod unit;

use picket_core::config::Compression;
use picket_core::knowledge::Passage;
use std::sync::Arc;

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// One text per text given, in the same order; empty where nothing was kept.
    pub texts: Vec<String>,
    /// Tokens before.
    pub tokens_before: usize,
    /// Tokens after: at most the budget.
    pub tokens_after: usize,
}

impl Compressed {
    /// Share of the tokens that is left, 0..1; 1 when there were none.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.tokens_before == 0 { 1.0 } else { self.tokens_after as f64 / self.tokens_before as f64 }
    }
}

/// Compresses texts, the most relevant first, to at most `target_tokens` together, as `count` counts them. Texts that fit are left as they
/// are. Every unit that is kept stands there letter for letter, in its order; no code block is cut. The same input gives the same output.
#[must_use]
pub fn compress(query: &str, texts: &[&str], target_tokens: usize, count: &dyn Fn(&str) -> usize) -> Compressed {
    let tokens = |text: &str| if text.is_empty() { 0 } else { count(text) };
    let tokens_before = texts.iter().map(|text| tokens(text)).sum();
    let texts: Vec<String> = if tokens_before <= target_tokens {
        texts.iter().map(|&text| text.to_owned()).collect()
    } else {
        choose::choose(query, texts, target_tokens, &tokens)
    };
    Compressed { tokens_after: texts.iter().map(|text| tokens(text)).sum(), tokens_before, texts }
}

/// Compresses the texts of passages in place, and says to which share. Title, heading and what a passage supports stay.
pub fn compress_passages(query: &str, passages: &mut [Passage], target_tokens: usize, count: &dyn Fn(&str) -> usize) -> f64 {
    let texts: Vec<_> = passages.iter().map(|p| p.text.as_str()).collect();
    let compressed = compress(query, &texts, target_tokens, count);
    let ratio = compressed.ratio();
    for (passage, text) in passages.iter_mut().zip(compressed.texts) {
        passage.text = text;
    }
    ratio
}

/// A budget with the tokenizer that it is counted by: what a reasoner that reads passages is set up with.
#[derive(Clone)]
pub struct Compressor {
    /// Tokens of all passages together.
    pub target_tokens: usize,
    /// Counts the tokens of a text.
    pub count: Arc<dyn Fn(&str) -> usize + Send + Sync>,
}

impl Compressor {
    /// As [`compress_passages`].
    pub fn shorten(&self, query: &str, passages: &mut [Passage]) -> f64 {
        compress_passages(query, passages, self.target_tokens, &*self.count)
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("target_tokens", &self.target_tokens).finish_non_exhaustive()
    }
}

/// What has to be said at start about the chosen way.
#[must_use]
pub const fn note(chosen: Compression) -> Option<&'static str> {
    match chosen {
        Compression::Llmlingua => Some(
            "context_compression: llmlingua selects picket's own extractive compression (whole sentences and commands by their relevance); \
             the published LLMLingua model is not used",
        ),
        Compression::None | Compression::Extractive => None,
    }
}

/// Tokens by rule of thumb, where no tokenizer is at hand: a word has one for every four letters begun, a punctuation mark one.
#[must_use]
pub fn rough_tokens(text: &str) -> usize {
    let of_run = |run: &str| run.chars().count().div_ceil(4);
    let words: usize = text.split(|c: char| !c.is_alphanumeric()).map(of_run).sum();
    words + text.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests;
