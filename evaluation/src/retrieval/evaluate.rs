//! Asks every question and finds the place of the first document that answers it.

use super::read::Question;
use picket_core::ids::DocumentId;
use picket_core::ports::PortResult;
use picket_diagnosis::Retriever;
use serde::Serialize;
use std::collections::BTreeSet;

/// A question whose first document is not a right one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Miss {
    /// What was asked.
    pub query: String,
    /// Where the first right document stands, from 1; `None` when it was not found at all.
    pub position: Option<usize>,
    /// What stands first instead.
    pub first: Option<DocumentId>,
    /// What would have been right.
    pub relevant: BTreeSet<DocumentId>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetrievalReport {
    /// Share of questions whose first document is a right one, 0..1.
    pub recall_at_1: f64,
    /// Share with a right one among the first five documents, 0..1.
    pub recall_at_5: f64,
    /// Mean over questions of 1 / (place of the first right document), 0 where none was found (mean reciprocal rank).
    pub mrr: f64,
    /// Questions asked.
    pub queries: usize,
    /// Questions none of whose documents are in the collection; each counts as missed.
    pub queries_without_document: usize,
    /// Documents in the collection.
    pub documents: usize,
    /// Median time of one search, embedding of the question included.
    pub ms_per_query_p50: f64,
    /// 95th percentile of the same.
    pub ms_per_query_p95: f64,
    /// The questions that were not answered at once.
    pub misses: Vec<Miss>,
}

/// Documents in the order of their best passages, best first.
fn ranked(retriever: &Retriever, query: &str) -> PortResult<Vec<DocumentId>> {
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for passage in retriever.search(query, usize::MAX)? {
        if seen.insert(passage.document.clone()) {
            order.push(passage.document);
        }
    }
    Ok(order)
}

/// The `share` quantile (nearest rank); 0 of nothing.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Asks all questions. `clock_ms` tells milliseconds since any moment; `progress` is told what is done, of how much.
///
/// # Errors
/// When the retriever's embedder fails.
pub fn evaluate(
    retriever: &Retriever,
    questions: &[Question],
    clock_ms: impl Fn() -> f64,
    mut progress: impl FnMut(usize, usize),
) -> PortResult<RetrievalReport> {
    let (mut positions, mut times_ms, mut misses, mut without) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for question in questions {
        let begun = clock_ms();
        let order = ranked(retriever, &question.query)?;
        times_ms.push(clock_ms() - begun);
        let position = order.iter().position(|id| question.relevant.contains(id)).map(|index| index + 1);
        if position != Some(1) {
            let (query, relevant) = (question.query.clone(), question.relevant.clone());
            misses.push(Miss { query, position, first: order.into_iter().next(), relevant });
        }
        without += usize::from(question.relevant.iter().all(|id| retriever.get(id).is_none()));
        positions.push(position);
        progress(positions.len(), questions.len());
    }
    let count = questions.len().max(1) as f64;
    let within = |most: usize| positions.iter().filter(|p| p.is_some_and(|p| p <= most)).count() as f64 / count;
    Ok(RetrievalReport {
        recall_at_1: within(1),
        recall_at_5: within(5),
        mrr: positions.iter().flatten().map(|p| 1.0 / *p as f64).sum::<f64>() / count,
        queries: questions.len(),
        queries_without_document: without,
        documents: retriever.documents().len(),
        ms_per_query_p50: quantile(&mut times_ms, 0.5),
        ms_per_query_p95: quantile(&mut times_ms, 0.95),
        misses,
    })
}
