//! Compression and the semantic cache on public runbooks and alerts, when those are there: in the folder that `PICKET_DATA` names, or in
//! `shared/data` beside the workspace.

use picket_diagnosis::Retriever;
use picket_diagnosis::cache::CacheSettings;
use picket_diagnosis::compress::rough_tokens;
use picket_diagnosis::embed_hash::HashEmbedder;
use picket_evaluation::grounding::{alerts, reuse, shortening};
use picket_evaluation::retrieval::{documents, questions};
use std::path::PathBuf;

/// The folder, or `None` and a word about it.
fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("runbooks");
    if path.join("queries-dev.jsonl").is_file() {
        return Some(path);
    }
    println!("skipped: no data in {} (PICKET_DATA names another folder)", path.display());
    None
}

#[test]
fn the_cache_answers_for_other_instances_and_never_for_other_alerts() {
    let Some(folder) = folder() else { return };
    for named in [true, false] {
        let report = reuse(&alerts(&folder.join("queries-dev.jsonl"), named).unwrap(), &HashEmbedder, CacheSettings::default()).unwrap();
        println!("named {named}: {}", serde_json::to_string(&report).unwrap());
        assert_eq!(report.false_hits, 0);
        assert!(report.hits * 100 >= report.askings * 95, "{report:?}");
        assert!(report.false_hits_without_key * 1000 <= report.pairs, "{report:?}");
    }
}

#[test]
fn what_is_left_of_the_passages_still_tells_the_right_one() {
    let Some(folder) = folder() else { return };
    let retriever = Retriever::new(documents(&folder.join("documents.jsonl.xz")).unwrap(), None).unwrap();
    for named in [true, false] {
        let questions = questions(&folder.join("queries-dev.jsonl"), !named).unwrap();
        for target in [800, 400, 200] {
            let report = shortening(&retriever, &questions, target, &rough_tokens).unwrap();
            println!("named {named}: {}", serde_json::to_string(&report).unwrap());
            assert!(report.tokens_max <= target && report.questions > 90, "{report:?}");
            assert!(report.right_after >= report.right_before - 0.05, "{report:?}");
        }
    }
}
