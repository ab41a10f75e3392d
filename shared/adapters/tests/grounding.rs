//! Compression and the semantic cache with the real model, when it and the public runbooks are there (`PICKET_DATA` names their folder,
//! else `shared/data` beside the workspace).

use picket_adapters::candle::{MiniLm, TokenCounter, model};
use picket_core::ports::PortError;
use picket_diagnosis::Retriever;
use picket_diagnosis::cache::CacheSettings;
use picket_evaluation::grounding::{alerts, reuse, shortening};
use picket_evaluation::retrieval::{documents, questions};
use std::path::PathBuf;

/// Folders of the model and of the runbooks, or `None` and a word about it. A model that is there but damaged fails the test.
fn folders() -> Option<(PathBuf, PathBuf)> {
    let model = match model::locate() {
        Ok(dir) => dir,
        Err(PortError::NotFound { what }) => {
            println!("skipped: there is no {what}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PICKET_DATA").map_or_else(beside, PathBuf::from).join("runbooks");
    if data.join("queries-dev.jsonl").is_file() {
        return Some((model, data));
    }
    println!("skipped: no data in {} (PICKET_DATA names another folder)", data.display());
    None
}

#[test]
fn the_cache_never_answers_for_another_alert_where_plain_similarity_would() {
    let Some((model, data)) = folders() else { return };
    let embedder = MiniLm::load(&model).unwrap();
    for named in [true, false] {
        let report = reuse(&alerts(&data.join("queries-dev.jsonl"), named).unwrap(), &embedder, CacheSettings::default()).unwrap();
        println!("named {named}: {report:?}");
        assert_eq!(report.false_hits, 0);
        assert!(report.hits * 100 >= report.askings * 95, "{report:?}");
        assert!(report.alike > 0, "the set holds alerts that plain similarity takes for one another: {report:?}");
    }
}

#[test]
fn passages_are_shortened_to_the_budget_as_the_tokenizer_counts_it() {
    let Some((model, data)) = folders() else { return };
    let counter = TokenCounter::load(&model).unwrap();
    let retriever = Retriever::new(documents(&data.join("documents.jsonl.xz")).unwrap(), None).unwrap();
    for named in [true, false] {
        let questions = questions(&data.join("queries-dev.jsonl"), !named).unwrap();
        for target in [800, 400, 200] {
            let report = shortening(&retriever, &questions, target, &|text| counter.count(text)).unwrap();
            println!("named {named}: {report:?}");
            assert!(report.tokens_max <= target && report.shortened > 0, "{report:?}");
            assert!(report.right_after >= report.right_before - 0.05, "{report:?}");
        }
    }
}
