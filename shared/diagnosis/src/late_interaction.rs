//! Late interaction: every token of a question looks for its most similar token in a text (MaxSim: Khattab and Zaharia, 2020, "ColBERT"), and
//! rare tokens count more.

use picket_core::token_vectors::TokenVectors;
use std::collections::{BTreeMap, BTreeSet};

/// Tokens of a question that are compared: its rarest. More change nothing in what is found, and cost.
const ASKED_MAX: usize = 32;

/// The tokens of every passage, and how rare each is.
pub struct LateInteraction {
    passages: Vec<TokenVectors>,
    passages_with: BTreeMap<u32, usize>,
}

/// A question's tokens that are compared, with their weights, which sum to 1.
pub struct Asked {
    tokens: TokenVectors,
    weights: Vec<f32>,
}

impl LateInteraction {
    /// Over passages; they are named by their places.
    pub fn new(passages: Vec<TokenVectors>) -> Self {
        let mut passages_with = BTreeMap::new();
        for passage in &passages {
            for token in passage.tokens().iter().collect::<BTreeSet<_>>() {
                *passages_with.entry(*token).or_insert(0) += 1;
            }
        }
        Self { passages, passages_with }
    }

    /// Inverse document frequency, as in BM25.
    fn rarity(&self, token: u32) -> f32 {
        let (n, df) = (self.passages.len() as f32, self.passages_with.get(&token).copied().unwrap_or(0) as f32);
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
    }

    /// Chooses and weighs the tokens of a question; `None` when it has none.
    pub fn ask(&self, question: &TokenVectors) -> Option<Asked> {
        let mut rarest: Vec<(f32, usize)> = question.tokens().iter().map(|token| self.rarity(*token)).zip(0..).collect();
        rarest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        rarest.truncate(ASKED_MAX);
        let all: f32 = rarest.iter().map(|(rarity, _)| rarity).sum();
        let places: Vec<_> = rarest.iter().map(|(_, place)| *place).collect();
        let weights = rarest.iter().map(|(rarity, _)| rarity / all).collect();
        (all > 0.0).then(|| Asked { tokens: question.only(&places), weights })
    }

    /// For each token of the question the cosine, -1..1, of the most similar one of a passage; -1 throughout for a passage without tokens.
    pub fn nearest(&self, asked: &Asked, passage: usize) -> Vec<f32> {
        let nearest = self.passages.get(passage).map(|tokens| asked.tokens.nearest_in(tokens)).unwrap_or_default();
        if nearest.is_empty() { vec![-1.0; asked.weights.len()] } else { nearest }
    }
}

impl Asked {
    /// How near a text is whose most similar tokens are `nearest`: the weighted mean, -1..1.
    pub fn score(&self, nearest: &[f32]) -> f64 {
        self.weights.iter().zip(nearest).map(|(weight, near)| f64::from(weight * near)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed_hash::HashEmbedder;
    use picket_core::ports::Embedder as _;

    fn tokens(text: &str) -> TokenVectors {
        HashEmbedder.embed_tokens(&[text.to_owned()]).unwrap().remove(0).tokens
    }

    #[test]
    fn a_rare_token_counts_more_than_a_frequent_one() {
        let late = LateInteraction::new(["pod memory", "pod disk", "pod network", ""].map(tokens).to_vec());
        let asked = late.ask(&tokens("pod disk")).unwrap();
        let score = |passage| asked.score(&late.nearest(&asked, passage));
        assert!((score(1) - 1.0).abs() < 0.01, "{}", score(1));
        assert!(score(0) < 0.5 && score(0) > 0.0, "{}", score(0));
        assert!((score(3) + 1.0).abs() < 1e-6 && (score(99) + 1.0).abs() < 1e-6, "nothing is as far as can be");
        assert!(late.ask(&tokens("")).is_none());
    }

    #[test]
    fn of_a_long_question_the_rarest_tokens_are_compared() {
        let late = LateInteraction::new(vec![tokens("pod"); 3]);
        let long: String = (0..2 * ASKED_MAX).map(|n| format!("pod w{n} ")).collect();
        let asked = late.ask(&tokens(&long)).unwrap();
        assert_eq!(asked.tokens.len(), ASKED_MAX);
        assert!(!asked.tokens.tokens().contains(&tokens("pod").tokens()[0]));
    }
}
