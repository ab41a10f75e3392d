//! Holds the search by words alone to its floors on the public runbooks, where they are. With the embedding model it is held to the goals
//! beside that model (`shared/adapters/src/candle`).

use picket_diagnosis::Retriever;
use picket_evaluation::retrieval::{RetrievalReport, documents, evaluate, harder, questions};
use std::path::PathBuf;
use std::time::Instant;

/// `PICKET_DATA`, or `shared/data` beside the repository; none where the set is absent.
fn report(hard: bool) -> Option<RetrievalReport> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let set = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("runbooks");
    if !set.exists() {
        eprintln!("skipped: no {} (set PICKET_DATA)", set.display());
        return None;
    }
    let asked = questions(&set.join("queries-dev.jsonl"), hard).unwrap();
    let mut shelf = documents(&set.join("documents.jsonl.xz")).unwrap();
    if hard {
        shelf = shelf.iter().map(harder).collect();
    }
    let retriever = Retriever::new(shelf, None).unwrap();
    let started = Instant::now();
    let report = evaluate(&retriever, &asked, || started.elapsed().as_secs_f64() * 1000.0, |_, _| ()).unwrap();
    eprintln!("hard {hard}: recall@1 {:.3}, recall@5 {:.3}, MRR {:.3}", report.recall_at_1, report.recall_at_5, report.mrr);
    Some(report)
}

#[test]
fn words_alone_find_a_named_alert() {
    let Some(report) = report(false) else { return };
    assert_eq!(report.queries_without_document, 0);
    assert!(report.recall_at_1 >= 0.89 && report.recall_at_5 >= 0.98, "{report:?}");
}

#[test]
fn words_alone_find_most_without_the_name() {
    let Some(report) = report(true) else { return };
    assert!(report.recall_at_1 >= 0.70 && report.recall_at_5 >= 0.92, "{report:?}");
}
