use super::{MiniLm, model};
use picket_core::ports::{Embedder as _, PortError};
use picket_diagnosis::{Retriever, shipped};
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
