//! BM25 over texts (Robertson and Zaragoza, 2009).

use crate::terms::terms;
use std::collections::BTreeMap;

/// Saturation of repeated terms; the usual value.
const K1: f64 = 1.2;
/// How much a passage's length counts; the usual value.
const B: f64 = 0.75;

/// An index over texts.
#[derive(Clone, Debug, Default)]
pub struct Bm25 {
    lengths: Vec<usize>,
    mean_length: f64,
    postings: BTreeMap<String, Vec<(usize, u32)>>,
}

impl Bm25 {
    /// Indexes passages; scores come in the same order.
    #[must_use]
    pub fn new<'a>(passages: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = Self::default();
        for (number, passage) in passages.into_iter().enumerate() {
            let words = terms(passage);
            index.lengths.push(words.len());
            let mut counts = BTreeMap::new();
            for word in words {
                *counts.entry(word).or_insert(0) += 1;
            }
            for (word, count) in counts {
                index.postings.entry(word).or_default().push((number, count));
            }
        }
        let total: usize = index.lengths.iter().sum();
        index.mean_length = (total as f64 / index.lengths.len().max(1) as f64).max(1.0);
        index
    }

    /// One score per passage, 0 when it shares no term with the query.
    #[must_use]
    pub fn scores(&self, query: &str) -> Vec<f64> {
        let mut scores = vec![0.0; self.lengths.len()];
        let mut words = terms(query);
        words.sort_unstable();
        words.dedup();
        for word in &words {
            let Some(found) = self.postings.get(word) else { continue };
            let (n, df) = (self.lengths.len() as f64, found.len() as f64);
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            for (number, count) in found {
                let tf = f64::from(*count);
                let norm = K1 * (1.0 - B + B * self.lengths[*number] as f64 / self.mean_length);
                scores[*number] += idf * tf * (K1 + 1.0) / (tf + norm);
            }
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_terms_count_more_and_plurals_meet() {
        let index = Bm25::new(["the volume fills up", "the pod restarts, the pod waits", "the pod is killed for memory"]);
        let scores = index.scores("volumes");
        assert!(scores[0] > 0.0 && scores[1] == 0.0 && scores[2] == 0.0);
        let scores = index.scores("pod memory");
        assert!(scores[2] > scores[1] && scores[1] > scores[0]);
        assert!(Bm25::new([]).scores("x").is_empty());
    }
}
