//! Retrieval over the knowledge base: BM25 of whole documents and, when there is an embedder, nearness of meaning; z-normalised and summed.
//! When there is a scorer of pairs, it reads the best of these again and has a voice of its own.

use crate::bm25::Bm25;
use crate::meaning::{Meaning, Owners, normalised_some};
use crate::passages::{Chunk, cut};
use picket_core::ids::DocumentId;
use picket_core::knowledge::{Document, Passage};
use picket_core::ports::{Embedder, KnowledgeBase, PairScorer, PortError, PortResult};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A query longer than this is cut: an incident with a thousand anomalies asks no better question.
const QUERY_MAX_CHARS: usize = 1000;
/// Passages of one document in an answer: a document that fits would fill it alone, and hide the others that support a remedy.
const PASSAGES_PER_DOCUMENT_MAX: usize = 2;
/// Passages that a scorer of pairs reads: a bound on a question's cost, some milliseconds each.
const RERANKED_MAX: usize = 24;

/// What tells one passage from another of the same document, and meaning across documents.
enum Nearness {
    /// The passage's own words: there is no embedder.
    Words(Bm25),
    /// Embeddings of passages and their tokens.
    Meaning(Meaning),
}

/// Documents, cut by heading, with their index and (when given an embedder) their vectors.
pub struct Retriever {
    documents: Vec<Document>,
    by_id: BTreeMap<DocumentId, usize>,
    chunks: Vec<Chunk>,
    /// The document of each chunk.
    owners: Vec<usize>,
    /// Over whole documents: an alert's words are spread over meaning, impact and diagnosis.
    words: Bm25,
    nearness: Nearness,
    scorer: Option<Arc<dyn PairScorer>>,
}

impl std::fmt::Debug for Retriever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retriever")
            .field("documents", &self.documents.len())
            .field("passages", &self.chunks.len())
            .field("embedded", &matches!(self.nearness, Nearness::Meaning(_)))
            .field("reranked", &self.scorer.is_some())
            .finish()
    }
}

impl Retriever {
    /// Cuts, indexes and embeds; the vectors are computed here, once. A document id that comes twice is refused.
    pub fn new(documents: Vec<Document>, embedder: Option<Arc<dyn Embedder>>) -> PortResult<Self> {
        let mut by_id = BTreeMap::new();
        for (number, document) in documents.iter().enumerate() {
            if by_id.insert(document.id.clone(), number).is_some() {
                return Err(PortError::Refused {
                    what: "knowledge base".to_owned(),
                    why: format!("two documents are called {}", document.id),
                });
            }
        }
        let chunks: Vec<_> = documents.iter().enumerate().flat_map(|(number, document)| cut(number, document)).collect();
        let texts: Vec<_> = chunks.iter().map(|chunk| chunk.indexed(&documents[chunk.document])).collect();
        let whole: Vec<_> = documents.iter().map(|document| format!("{}\n{}", document.title, document.text)).collect();
        let words = Bm25::new(whole.iter().map(String::as_str));
        let nearness = match embedder {
            None => Nearness::Words(Bm25::new(texts.iter().map(String::as_str))),
            Some(embedder) => Nearness::Meaning(Meaning::new(embedder, &texts)?),
        };
        let owners = chunks.iter().map(|chunk| chunk.document).collect();
        Ok(Self { documents, by_id, chunks, owners, words, nearness, scorer: None })
    }

    /// From now on `scorer` reads the best passages of a search together with the query.
    #[must_use]
    pub fn reranked_by(self, scorer: Arc<dyn PairScorer>) -> Self {
        Self { scorer: Some(scorer), ..self }
    }

    /// The documents, in the order given.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// One document.
    #[must_use]
    pub fn get(&self, id: &DocumentId) -> Option<&Document> {
        self.by_id.get(id).map(|number| &self.documents[*number])
    }

    /// The `top_k` nearest passages, best first, at most two of a document; ties by document order. Fails only when the embedder or
    /// the scorer does.
    pub fn search(&self, query: &str, top_k: usize) -> PortResult<Vec<Passage>> {
        let query: String = query.chars().take(QUERY_MAX_CHARS).collect();
        if query.trim().is_empty() || self.chunks.is_empty() {
            return Ok(Vec::new());
        }
        let words = normalised(&self.words.scores(&query));
        let mut scores = match &self.nearness {
            Nearness::Meaning(meaning) => meaning.scores(&query, &words, &Owners { of: &self.owners, documents: self.documents.len() })?,
            Nearness::Words(passages) => {
                let near = normalised(&passages.scores(&query));
                self.owners.iter().zip(near).map(|(document, near)| words[*document] + near).collect()
            }
        };
        let mut order = best_first(&scores);
        if let Some(scorer) = &self.scorer {
            self.rerank(scorer.as_ref(), &query, &order, &mut scores)?;
            order = best_first(&scores);
        }
        let mut shown = vec![0; self.documents.len()];
        order.retain(|number| {
            shown[self.owners[*number]] += 1;
            shown[self.owners[*number]] <= PASSAGES_PER_DOCUMENT_MAX
        });
        Ok(order.into_iter().take(top_k).map(|number| self.passage(number, scores[number])).collect())
    }

    /// Adds the scorer's voice, which counts as each other does. Passages that it does not read are taken as no better than the worst of those.
    fn rerank(&self, scorer: &dyn PairScorer, query: &str, order: &[usize], scores: &mut [f64]) -> PortResult<()> {
        let read = &order[..order.len().min(RERANKED_MAX)];
        let texts: Vec<_> =
            read.iter().map(|number| self.chunks[*number].indexed(&self.documents[self.chunks[*number].document])).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let said = scorer.score(query, &texts)?;
        if said.len() != read.len() || !said.iter().all(|score| score.is_finite()) {
            let why = format!("{} scores for {} passages, or one that is no number", said.len(), read.len());
            return Err(PortError::Damaged { what: "the scorer's answer".to_owned(), why });
        }
        let mut voices = vec![None; scores.len()];
        read.iter().zip(said).for_each(|(number, score)| voices[*number] = Some(f64::from(score)));
        scores.iter_mut().zip(normalised_some(&voices)).for_each(|(score, voice)| *score += voice);
        Ok(())
    }

    fn passage(&self, number: usize, score: f64) -> Passage {
        let chunk = &self.chunks[number];
        let document = &self.documents[chunk.document];
        Passage {
            document: document.id.clone(),
            title: document.title.clone(),
            heading: chunk.heading.clone(),
            text: chunk.text.clone(),
            score,
            cause: document.cause,
            remedies: document.remedies.clone(),
        }
    }
}

impl KnowledgeBase for Retriever {
    async fn search(&self, query: &str, top_k: usize) -> PortResult<Vec<Passage>> {
        Self::search(self, query, top_k)
    }

    async fn document(&self, id: &DocumentId) -> PortResult<Option<Document>> {
        Ok(self.get(id).cloned())
    }
}

/// Places by falling score; ties in order.
fn best_first(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<_> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}

/// Mean 0 and standard deviation 1, so that two measures of nearness can be added; all zero when all are alike.
pub(crate) fn normalised(scores: &[f64]) -> Vec<f64> {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
    scores.iter().map(|s| if deviation > 1e-9 { (s - mean) / deviation } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::shipped;
    use std::sync::Mutex;

    /// Prefers passages with a word; keeps what it was asked.
    struct Scripted {
        word: &'static str,
        nan: bool,
        asked: Mutex<Vec<usize>>,
    }

    impl PairScorer for Scripted {
        fn score(&self, _: &str, passages: &[&str]) -> PortResult<Vec<f32>> {
            self.asked.lock().unwrap().push(passages.len());
            Ok(passages.iter().map(|text| if self.nan { f32::NAN } else { text.matches(self.word).count() as f32 }).collect())
        }
    }

    fn reranked(scorer: &Arc<Scripted>) -> Retriever {
        Retriever::new(shipped(), None).unwrap().reranked_by(scorer.clone())
    }

    #[test]
    fn a_scorer_reads_the_best_passages_once_and_moves_what_it_prefers_up() {
        let query = "memory limit of a container exceeded";
        let plain = Retriever::new(shipped(), None).unwrap().search(query, 5).unwrap();
        // The second best passage of another document, by a word that the best one lacks.
        let other = plain.iter().find(|passage| passage.document != plain[0].document).unwrap();
        let word = other.text.split_whitespace().filter(|word| word.len() > 4).find(|word| !plain[0].text.contains(word)).unwrap();
        let scorer = Arc::new(Scripted { word: word.to_owned().leak(), nan: false, asked: Mutex::default() });
        let moved = reranked(&scorer).search(query, 5).unwrap();
        let place = |found: &[Passage]| found.iter().position(|p| p.document == other.document && p.text == other.text);
        assert!(place(&moved) < place(&plain), "{word}: from {:?} to {:?}", place(&plain), place(&moved));
        assert!(moved.windows(2).all(|pair| pair[0].score >= pair[1].score));
        assert_eq!(*scorer.asked.lock().unwrap(), [RERANKED_MAX]);
    }

    #[test]
    fn a_scorer_that_finds_all_alike_changes_nothing_and_one_without_numbers_is_refused() {
        let query = "disk is almost full";
        let plain = Retriever::new(shipped(), None).unwrap().search(query, 8).unwrap();
        let scorer = |nan| Arc::new(Scripted { word: "\u{1}", nan, asked: Mutex::default() });
        assert_eq!(reranked(&scorer(false)).search(query, 8).unwrap(), plain);
        assert!(matches!(reranked(&scorer(true)).search(query, 8), Err(PortError::Damaged { .. })));
    }
}
