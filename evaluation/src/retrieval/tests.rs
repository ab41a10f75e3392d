//! On a small set made by hand.

use super::{documents, evaluate, harder, questions};
use crate::DatasetError;
use picket_core::ids::DocumentId;
use picket_core::ports::Embedder;
use picket_diagnosis::Retriever;
use picket_diagnosis::embed_hash::HashEmbedder;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const DOCUMENTS: &str = r##"{"id": "a:DiskNearlyFull", "title": "DiskNearlyFull", "text": "# DiskNearlyFull\n\n## Meaning\n\nA volume has little space left; `DISKNEARLYFULL` fires.", "repo": "r"}
{"id": "a:CertificateEnds", "title": "CertificateEnds", "text": "# CertificateEnds\n\n## Meaning\n\nA certificate is about to expire.\n\n## Mitigation\n\nRenew it."}

{"id": "a:QueueGrows", "title": "QueueGrows", "text": "# QueueGrows\n\n## Meaning\n\nConsumers are slower than producers; a volume of messages waits."}
"##;
const QUERIES: &str = r#"{"query": "Disk Nearly Full. The volume is running out of space", "query_no_name": "The volume is running out of space", "rel": ["a:DiskNearlyFull"]}
{"query": "Certificate Ends", "query_no_name": "it is about to expire", "rel": ["b:CertificateEnds", "a:CertificateEnds"]}
{"query": "a volume of messages waits", "query_no_name": "x", "rel": ["a:DiskNearlyFull"]}
{"query": "consumers", "query_no_name": "x", "rel": ["c:Gone"]}
"#;

fn written(home: &Path, name: &str, text: &str) -> PathBuf {
    let path = home.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn places_are_counted_and_the_time_is_the_clock_s() {
    let home = tempfile::tempdir().unwrap();
    let shelf = documents(&written(home.path(), "d", DOCUMENTS)).unwrap();
    let asked = questions(&written(home.path(), "q", QUERIES), false).unwrap();
    for embedder in [None, Some(Arc::new(HashEmbedder) as Arc<dyn Embedder>)] {
        let retriever = Retriever::new(shelf.clone(), embedder).unwrap();
        let (now, steps) = (Cell::new(0.0), Cell::new(0));
        let clock_ms = || now.replace(now.get() + 2.5);
        let report = evaluate(&retriever, &asked, clock_ms, |_, total| steps.set(steps.get() + total)).unwrap();
        // First, first, second, nowhere.
        assert_eq!((report.recall_at_1, report.recall_at_5, report.mrr), (0.5, 0.75, 0.625));
        assert_eq!((report.queries, report.documents, report.queries_without_document, steps.get()), (4, 3, 1, 16));
        assert_eq!((report.ms_per_query_p50, report.ms_per_query_p95), (2.5, 2.5));
        let places: Vec<_> = report.misses.iter().map(|m| (m.position, m.first.clone())).collect();
        assert_eq!(places, [(Some(2), Some(DocumentId::from("a:QueueGrows"))), (None, Some(DocumentId::from("a:QueueGrows")))]);
    }
}

#[test]
fn the_hard_set_names_no_alert() {
    let home = tempfile::tempdir().unwrap();
    let shelf = documents(&written(home.path(), "d", DOCUMENTS)).unwrap();
    let disk = harder(&shelf[0]);
    assert_eq!((disk.title.as_str(), &disk.id), ("", &DocumentId::from("a:DiskNearlyFull")));
    assert_eq!(disk.text, "# \n\n## Meaning\n\nA volume has little space left; `` fires.");
    let asked = questions(&written(home.path(), "q", QUERIES), true).unwrap();
    assert_eq!(asked[0].query, "The volume is running out of space");
    // The same alert under a title in words.
    let titled = picket_core::knowledge::Document { title: "Disk — nearly full".into(), ..shelf[0].clone() };
    assert_eq!(harder(&titled).text, disk.text);
}

#[test]
fn a_packed_file_is_read_by_its_first_bytes() {
    let home = tempfile::tempdir().unwrap();
    let plain = written(home.path(), "plain.xz", DOCUMENTS);
    for tool in ["xz", "gzip"] {
        let packed = home.path().join(format!("set-{tool}"));
        let made = Command::new(tool).args(["-c"]).stdin(std::fs::File::open(&plain).unwrap()).output().unwrap();
        std::fs::write(&packed, made.stdout).unwrap();
        assert_eq!(documents(&packed).unwrap(), documents(&plain).unwrap());
        let torn = std::fs::read(&packed).unwrap();
        std::fs::write(&packed, &torn[..torn.len() / 2]).unwrap();
        assert!(matches!(documents(&packed), Err(DatasetError::Unpack { .. })), "{tool}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let error = |text: &str| questions(&written(home.path(), "q", text), true).unwrap_err().to_string();
    assert!(error("{\"query\": 1}").contains("line 1: this is no query"));
    assert!(error("\n{\"query\": \"a\", \"rel\": [\"x\"]}").contains("line 2: there is no `query_no_name`"));
    assert!(error("{\"query\": \"a\", \"query_no_name\": \"b\", \"rel\": []}").contains("`rel` names no document"));
    assert!(error(" \n").contains("holds no query"));
    assert!(matches!(documents(&home.path().join("absent")), Err(DatasetError::Io { .. })));
    std::fs::write(home.path().join("q"), b"\xff\xfe").unwrap();
    assert!(matches!(documents(&home.path().join("q")), Err(DatasetError::Malformed { line: 0, .. })));
}
