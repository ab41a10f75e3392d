//! Retrieval over the knowledge base: BM25 and, when there is an embedder, cosine of embeddings; z-normalised and summed.

use crate::bm25::Bm25;
use picket_core::ids::DocumentId;
use picket_core::knowledge::{Document, Passage};
use picket_core::ports::{Embedder, KnowledgeBase, PortError, PortResult};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A query longer than this is cut: an incident with a thousand anomalies asks no better question.
const QUERY_MAX_CHARS: usize = 1000;
/// A section longer than this is cut into several passages, so that an embedder's window holds each.
const PASSAGE_MAX_CHARS: usize = 1200;

struct Chunk {
    document: usize,
    heading: String,
    text: String,
}

/// An embedder and its vectors, one per chunk.
struct Embedded {
    embedder: Arc<dyn Embedder>,
    vectors: Vec<Vec<f32>>,
}

/// Documents, cut by heading, with their index and (when given an embedder) their vectors.
pub struct Retriever {
    documents: Vec<Document>,
    by_id: BTreeMap<DocumentId, usize>,
    chunks: Vec<Chunk>,
    bm25: Bm25,
    embedded: Option<Embedded>,
}

impl std::fmt::Debug for Retriever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retriever")
            .field("documents", &self.documents.len())
            .field("passages", &self.chunks.len())
            .field("embedded", &self.embedded.is_some())
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
        let texts: Vec<_> = chunks.iter().map(|chunk| indexed(&documents[chunk.document], chunk)).collect();
        let bm25 = Bm25::new(texts.iter().map(String::as_str));
        let embedded = match embedder {
            None => None,
            Some(embedder) => {
                let vectors = embedder.embed(&texts)?;
                if vectors.len() != texts.len() || vectors.iter().any(|v| v.len() != embedder.dimension()) {
                    return Err(PortError::Damaged {
                        what: "embeddings".to_owned(),
                        why: "not one vector of the stated length per text".to_owned(),
                    });
                }
                Some(Embedded { embedder, vectors })
            }
        };
        Ok(Self { documents, by_id, chunks, bm25, embedded })
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

    /// The `top_k` nearest passages, best first; ties by document order. Fails only when the embedder does.
    pub fn search(&self, query: &str, top_k: usize) -> PortResult<Vec<Passage>> {
        let query: String = query.chars().take(QUERY_MAX_CHARS).collect();
        if query.trim().is_empty() || self.chunks.is_empty() {
            return Ok(Vec::new());
        }
        let mut scores = normalised(&self.bm25.scores(&query));
        if let Some(Embedded { embedder, vectors }) = &self.embedded {
            let asked = embedder.embed(std::slice::from_ref(&query))?;
            let asked = asked
                .first()
                .ok_or_else(|| PortError::Damaged { what: "embedding".to_owned(), why: "no vector for the query".to_owned() })?;
            let cosines: Vec<_> = vectors.iter().map(|v| v.iter().zip(asked).map(|(a, b)| f64::from(a * b)).sum()).collect();
            for (score, near) in scores.iter_mut().zip(normalised(&cosines)) {
                *score += near;
            }
        }
        let mut order: Vec<_> = (0..self.chunks.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        Ok(order.into_iter().take(top_k).map(|number| self.passage(number, scores[number])).collect())
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

/// What is indexed of a passage: the title and heading tell what a bare list of steps does not.
fn indexed(document: &Document, chunk: &Chunk) -> String {
    format!("{}. {}. {}", document.title, chunk.heading, chunk.text)
}

fn cut(number: usize, document: &Document) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let (mut heading, mut text) = (document.title.clone(), String::new());
    let mut close = |heading: &str, text: &mut String| {
        for part in parts(text.trim()) {
            chunks.push(Chunk { document: number, heading: heading.to_owned(), text: part });
        }
        text.clear();
    };
    for line in document.text.lines() {
        if line.starts_with('#') {
            close(&heading, &mut text);
            heading = line.trim_start_matches('#').trim().to_owned();
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    close(&heading, &mut text);
    chunks
}

fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        if !part.is_empty() && part.len() + paragraph.len() > PASSAGE_MAX_CHARS {
            parts.push(std::mem::take(&mut part));
        }
        if !part.is_empty() {
            part.push_str("\n\n");
        }
        part.push_str(paragraph);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Mean 0 and standard deviation 1, so that two measures of nearness can be added; all zero when all are alike.
fn normalised(scores: &[f64]) -> Vec<f64> {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
    scores.iter().map(|s| if deviation > 1e-9 { (s - mean) / deviation } else { 0.0 }).collect()
}
