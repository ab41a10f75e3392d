use super::{MiniLm, model};
use picket_core::ports::{Embedder as _, PortError};
use picket_diagnosis::{Retriever, shipped};
use picket_evaluation::retrieval::{documents, evaluate, harder, questions};
use std::path::PathBuf;
use std::sync::Arc;

/// The real model, or `None` after saying why the test is skipped. A model that is there but damaged fails the test.
fn located() -> Option<MiniLm> {
    match model::locate() {
        Ok(dir) => Some(MiniLm::load(&dir).expect("a checked model loads")),
        Err(PortError::NotFound { what }) => {
            eprintln!("SKIPPED: there is no {what}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn it_conforms() {
    if let Some(embedder) = located() {
        picket_diagnosis::conformance::embedder(&embedder);
    }
}

#[test]
fn meaning_is_nearer_than_words() {
    let Some(embedder) = located() else { return };
    let texts = [
        "the process ran out of RAM and was terminated",
        "OOMKilled: memory limit exceeded",
        "the process was renamed and the plan terminated",
    ];
    let vectors = embedder.embed(&texts.map(String::from)).unwrap();
    let cosine = |a: usize, b: usize| vectors[a].iter().zip(&vectors[b]).map(|(x, y)| x * y).sum::<f32>();
    assert_eq!(embedder.dimension(), 384);
    assert!(cosine(0, 1) > cosine(0, 2), "{} against {}", cosine(0, 1), cosine(0, 2));
}

#[test]
fn runbooks_are_found_by_their_meaning() {
    let Some(embedder) = located() else { return };
    let retriever = Retriever::new(shipped(), Some(Arc::new(embedder))).unwrap();
    let asked = [
        ("RAM ceiling reached, process terminated by the kernel again and again", "memory-limit-too-low"),
        ("the new release throws exceptions, go back to the version before", "rollback-safely"),
        ("storage almost exhausted", "disk-filling"),
        ("names of hosts cannot be resolved", "dns-failure"),
    ];
    for (query, expected) in asked {
        let found: Vec<_> = retriever.search(query, 5).unwrap().into_iter().map(|p| p.document.0).collect();
        assert!(found.iter().any(|d| d == expected), "{query}: {expected} is not among {found:?}");
    }
}

/// On the public runbooks, where they are (`PICKET_DATA`, or `shared/data` beside the repository): alerts without their names, asked of
/// documents without theirs. The figures are in docs/evaluation.md.
#[test]
fn alerts_without_names_find_their_runbooks() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let set = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("runbooks");
    if !set.exists() {
        eprintln!("SKIPPED: there is no {} (set PICKET_DATA)", set.display());
        return;
    }
    let Some(embedder) = located() else { return };
    let shelf = documents(&set.join("documents.jsonl.xz")).unwrap().iter().map(harder).collect();
    let asked = questions(&set.join("queries-dev.jsonl"), true).unwrap();
    let retriever = Retriever::new(shelf, Some(Arc::new(embedder))).unwrap();
    let report = evaluate(&retriever, &asked, || 0.0, |_, _| ()).unwrap();
    eprintln!("recall@1 {:.3}, recall@5 {:.3}, MRR {:.3}", report.recall_at_1, report.recall_at_5, report.mrr);
    assert!(report.recall_at_1 >= 0.82 && report.recall_at_5 >= 0.96, "{report:?}");
}
