//! Reads a folder of runbooks: `documents.jsonl.xz` and `queries-dev.jsonl`.

use super::{AlertText, Question};
use crate::DatasetError;
use picket_core::knowledge::Document;
use picket_core::severity::Severity;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[derive(Deserialize)]
struct DocumentLine {
    id: String,
    title: String,
    text: String,
}

#[derive(Deserialize)]
struct QueryLine {
    query: String,
    query_no_name: String,
    rel: BTreeSet<String>,
    alert: String,
    severity: String,
}

fn lines<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<T>, DatasetError> {
    let malformed = |line: usize, why: String| DatasetError::Malformed { path: path.to_owned(), line, why };
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered.map(|(n, line)| serde_json::from_str(line).map_err(|e| malformed(n + 1, e.to_string()))).collect()
}

fn queries(folder: &Path) -> Result<Vec<QueryLine>, DatasetError> {
    let path = folder.join("queries-dev.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| DatasetError::Io { path: path.clone(), error })?;
    lines(&path, &text)
}

/// The alerts, with their names in the text or (`named` false) without.
///
/// # Errors
/// When the file cannot be read, or a line is no query.
pub fn alerts(folder: &Path, named: bool) -> Result<Vec<AlertText>, DatasetError> {
    let severity = |word: &str| match word {
        "critical" => Severity::Two,
        "warning" => Severity::Three,
        _ => Severity::Four,
    };
    let alert =
        |q: QueryLine| AlertText { severity: severity(&q.severity), text: if named { q.query } else { q.query_no_name }, alert: q.alert };
    Ok(queries(folder)?.into_iter().map(alert).collect())
}

/// The same as questions, with the documents that answer them.
///
/// # Errors
/// As `alerts`.
pub fn questions(folder: &Path, named: bool) -> Result<Vec<Question>, DatasetError> {
    let question = |q: QueryLine| Question {
        query: if named { q.query } else { q.query_no_name },
        relevant: q.rel.iter().map(|id| id.as_str().into()).collect(),
    };
    Ok(queries(folder)?.into_iter().map(question).collect())
}

/// The runbooks.
///
/// # Errors
/// When they cannot be read or unpacked, or a line is no document.
pub fn documents(folder: &Path) -> Result<Vec<Document>, DatasetError> {
    let path = folder.join("documents.jsonl.xz");
    let unpack = |why: String| DatasetError::Unpack { path: path.clone(), why };
    let out = Command::new("xz").arg("-dc").arg(&path).output().map_err(|e| unpack(e.to_string()))?;
    if !out.status.success() {
        return Err(unpack(String::from_utf8_lossy(&out.stderr).trim().to_owned()));
    }
    let document = |line: DocumentLine| Document {
        id: line.id.as_str().into(),
        title: line.title,
        cause: None,
        remedies: Vec::new(),
        text: line.text,
    };
    Ok(lines(&path, &String::from_utf8_lossy(&out.stdout))?.into_iter().map(document).collect())
}
