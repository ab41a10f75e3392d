//! Compression and the semantic cache on public runbooks and alerts, when those are there: in the folder that `PICKET_DATA` names, or in
//! `shared/data` beside the workspace.

use picket_core::ids::DocumentId;
use picket_core::knowledge::Document;
use picket_core::severity::Severity;
use picket_diagnosis::Retriever;
use picket_diagnosis::cache::CacheSettings;
use picket_diagnosis::compress::rough_tokens;
use picket_diagnosis::embed_hash::HashEmbedder;
use picket_evaluation::grounding::{AlertText, Question, reuse, shortening};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

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

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn queries(folder: &std::path::Path) -> Vec<Value> {
    lines(&std::fs::read_to_string(folder.join("queries-dev.jsonl")).unwrap())
}

fn documents(folder: &std::path::Path) -> Vec<Document> {
    let packed = folder.join("documents.jsonl.xz");
    let out = Command::new("xz").arg("-dc").arg(&packed).output().expect("xz (Debian, Ubuntu: `apt-get install xz-utils`)");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let document = |line: Value| Document {
        id: DocumentId(text(&line["id"])),
        title: text(&line["title"]),
        cause: None,
        remedies: Vec::new(),
        text: text(&line["text"]),
    };
    lines(&String::from_utf8(out.stdout).unwrap()).into_iter().map(document).collect()
}

fn alerts(folder: &std::path::Path, field: &str) -> Vec<AlertText> {
    let severity = |word: &str| match word {
        "critical" => Severity::Two,
        "warning" => Severity::Three,
        _ => Severity::Four,
    };
    let alert = |q: Value| AlertText { alert: text(&q["alert"]), severity: severity(&text(&q["severity"])), text: text(&q[field]) };
    queries(folder).into_iter().map(alert).collect()
}

#[test]
fn the_cache_answers_for_other_instances_and_never_for_other_alerts() {
    let Some(folder) = folder() else { return };
    for field in ["query", "query_no_name"] {
        let report = reuse(&alerts(&folder, field), &HashEmbedder, CacheSettings::default()).unwrap();
        println!("{field}: {}", serde_json::to_string(&report).unwrap());
        assert_eq!(report.false_hits, 0);
        assert!(report.hits * 100 >= report.askings * 95, "{report:?}");
        assert!(report.false_hits_without_key * 1000 <= report.pairs, "{report:?}");
    }
}

#[test]
fn what_is_left_of_the_passages_still_tells_the_right_one() {
    let Some(folder) = folder() else { return };
    let retriever = Retriever::new(documents(&folder), None).unwrap();
    let relevant = |q: &Value| q["rel"].as_array().unwrap().iter().map(|id| DocumentId(text(id))).collect();
    for field in ["query", "query_no_name"] {
        let questions: Vec<_> = queries(&folder).iter().map(|q| Question { query: text(&q[field]), relevant: relevant(q) }).collect();
        for target in [800, 400, 200] {
            let report = shortening(&retriever, &questions, target, &rough_tokens).unwrap();
            println!("{field}: {}", serde_json::to_string(&report).unwrap());
            assert!(report.tokens_max <= target && report.questions > 90, "{report:?}");
            assert!(report.right_after >= report.right_before - 0.05, "{report:?}");
        }
    }
}
