//! What a question means: cosine of embeddings over all passages, then late interaction on those of the best documents.

use crate::late_interaction::LateInteraction;
use crate::retrieve::normalised;
use picket_core::ports::{Embedder, PortError, PortResult};
use std::sync::Arc;

/// Documents whose passages are compared token by token. From 8 to 64 the public set's figures hardly differ (docs/evaluation.md).
const CANDIDATES_MAX: usize = 16;
/// Passages of a candidate that are compared, its nearest: a bound on a question's cost, whatever the length of a document.
const PASSAGES_PER_CANDIDATE_MAX: usize = 6;

/// An embedder and what it made of the passages.
pub struct Meaning {
    embedder: Arc<dyn Embedder>,
    vectors: Vec<Vec<f32>>,
    late: LateInteraction,
}

/// Which document each passage belongs to; passages of a document stand together, documents in order.
pub struct Owners<'a> {
    /// One document per passage.
    pub of: &'a [usize],
    /// How many documents there are.
    pub documents: usize,
}

impl Meaning {
    /// Embeds the passages' texts, once.
    pub fn new(embedder: Arc<dyn Embedder>, texts: &[String]) -> PortResult<Self> {
        let embeddings = embedder.embed_tokens(texts)?;
        let dimension = embedder.dimension();
        let fits = embeddings.iter().all(|e| e.whole.len() == dimension && e.tokens.dimension() == dimension);
        if embeddings.len() != texts.len() || !fits {
            return Err(damaged("not one vector of the stated length per text"));
        }
        let (vectors, tokens) = embeddings.into_iter().map(|e| (e.whole, e.tokens)).unzip();
        Ok(Self { embedder, vectors, late: LateInteraction::new(tokens) })
    }

    /// A score per passage. `words` says per document how well its words fit (normalised). Three voices count alike: the words of the
    /// document, the tokens of the document, and the passage itself (the mean of its cosine and its tokens).
    pub fn scores(&self, query: &str, words: &[f64], owners: &Owners<'_>) -> PortResult<Vec<f64>> {
        let asked = self.embedder.embed_tokens(&[query.to_owned()])?;
        let asked = asked.first().ok_or_else(|| damaged("no vector for the query"))?;
        let cosine = |vector: &Vec<f32>| vector.iter().zip(&asked.whole).map(|(a, b)| f64::from(a * b)).sum();
        let cosines = normalised(&self.vectors.iter().map(cosine).collect::<Vec<f64>>());
        let first: Vec<f64> = owners.of.iter().zip(&cosines).map(|(document, near)| words[*document] + near).collect();
        let Some(asked) = self.late.ask(&asked.tokens) else { return Ok(first) };

        let mut of_passages = vec![None; cosines.len()];
        let mut of_documents = vec![None; owners.documents];
        for passages in candidates(&first, owners) {
            let mut of_document: Vec<f32> = Vec::new();
            for passage in &passages {
                let nearest = self.late.nearest(&asked, *passage);
                of_passages[*passage] = Some(asked.score(&nearest));
                of_document.resize(nearest.len(), f32::NEG_INFINITY);
                of_document.iter_mut().zip(nearest).for_each(|(best, near)| *best = best.max(near));
            }
            if let Some(passage) = passages.first() {
                of_documents[owners.of[*passage]] = Some(asked.score(&of_document));
            }
        }
        let (of_passages, of_documents) = (normalised_some(&of_passages), normalised_some(&of_documents));
        let score = |(passage, document): (usize, &usize)| {
            words[*document] + of_documents[*document] + f64::midpoint(cosines[passage], of_passages[passage])
        };
        Ok(owners.of.iter().enumerate().map(score).collect())
    }
}

fn damaged(why: &str) -> PortError {
    PortError::Damaged { what: "embeddings".to_owned(), why: why.to_owned() }
}

/// The documents with the best passages, and of each its best passages.
fn candidates(scores: &[f64], owners: &Owners<'_>) -> Vec<Vec<usize>> {
    let mut order: Vec<_> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let (mut found, mut place_of): (Vec<Vec<usize>>, Vec<Option<usize>>) = (Vec::new(), vec![None; owners.documents]);
    for passage in order {
        let place = &mut place_of[owners.of[passage]];
        match *place {
            Some(place) if found[place].len() < PASSAGES_PER_CANDIDATE_MAX => found[place].push(passage),
            None if found.len() < CANDIDATES_MAX => {
                *place = Some(found.len());
                found.push(vec![passage]);
            }
            _ => {}
        }
    }
    found
}

/// Normalises what was measured; what was not is taken as no nearer than the farthest of it.
pub(crate) fn normalised_some(scores: &[Option<f64>]) -> Vec<f64> {
    let measured: Vec<f64> = scores.iter().copied().flatten().collect();
    let mut normal = normalised(&measured).into_iter();
    let farthest = normal.clone().fold(0.0, f64::min);
    scores.iter().map(|score| score.and_then(|_| normal.next()).unwrap_or(farthest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_the_best_documents_with_their_best_passages() {
        let of: Vec<usize> = (0..40).flat_map(|document| [document; 10]).collect();
        let owners = Owners { of: &of, documents: 40 };
        // The later a passage stands, the better it is.
        let scores: Vec<f64> = (0..400).map(f64::from).collect();
        let found = candidates(&scores, &owners);
        assert_eq!(found.len(), CANDIDATES_MAX);
        assert_eq!(found[0], [399, 398, 397, 396, 395, 394]);
        assert_eq!(found[1][0], 389);
    }

    #[test]
    fn what_was_not_measured_is_the_farthest() {
        let normal = normalised_some(&[None, Some(2.0), Some(4.0), None]);
        assert_eq!(normal, [-1.0, -1.0, 1.0, -1.0]);
        assert_eq!(normalised_some(&[None, None]), [0.0, 0.0]);
    }
}
