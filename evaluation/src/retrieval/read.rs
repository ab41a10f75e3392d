//! Reads documents and queries, and takes the names out of both.

use crate::{DatasetError, dataset};
use picket_core::ids::DocumentId;
use picket_core::knowledge::Document;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::Path;

/// A name shorter than this is not taken out of a text: it would be found inside of words.
const NAME_MIN_CHARS: usize = 4;

#[derive(Deserialize)]
struct DocumentLine {
    id: String,
    title: String,
    text: String,
}

#[derive(Deserialize)]
struct QueryLine {
    query: String,
    query_no_name: Option<String>,
    rel: Vec<String>,
}

/// What is asked, and which documents answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The words.
    pub query: String,
    /// Any of these is right.
    pub relevant: BTreeSet<DocumentId>,
}

/// Documents, one a line: `id`, `title`, `text`. Plain, or packed by xz or gzip, whatever the file is called.
///
/// # Errors
/// When the file cannot be read, a line is not such a document, or there is none.
pub fn documents(path: &Path) -> Result<Vec<Document>, DatasetError> {
    let lines: Vec<(usize, DocumentLine)> = lines(path, "document")?;
    let document = |(_, line): (usize, DocumentLine)| Document {
        id: DocumentId::from(line.id.as_str()),
        title: line.title,
        cause: None,
        remedies: Vec::new(),
        text: line.text,
    };
    Ok(lines.into_iter().map(document).collect())
}

/// Queries, one a line: `query`, `query_no_name` (asked instead when `hard`), `rel` (ids of the documents that answer).
///
/// # Errors
/// When the file cannot be read, a line is not such a query, or there is none.
pub fn questions(path: &Path, hard: bool) -> Result<Vec<Question>, DatasetError> {
    let lines: Vec<(usize, QueryLine)> = lines(path, "query")?;
    let question = |(number, line): (usize, QueryLine)| {
        let malformed = |why: &str| DatasetError::Malformed { path: path.to_owned(), line: number, why: why.to_owned() };
        let query = if hard { line.query_no_name.ok_or_else(|| malformed("there is no `query_no_name` to ask"))? } else { line.query };
        if line.rel.is_empty() {
            return Err(malformed("`rel` names no document"));
        }
        Ok(Question { query, relevant: line.rel.iter().map(|id| DocumentId::from(id.as_str())).collect() })
    };
    lines.into_iter().map(question).collect()
}

/// The document without its title and without the alert's name, wherever the text says it, in capitals or not. The name is the title, and
/// what follows the last `:` of the id.
#[must_use]
pub fn harder(document: &Document) -> Document {
    let by_id = document.id.0.rsplit(':').next().unwrap_or_default();
    let mut text = document.text.clone();
    for name in [document.title.as_str(), by_id] {
        if name.chars().count() >= NAME_MIN_CHARS {
            text = without(&text, name);
        }
    }
    Document { title: String::new(), text, ..document.clone() }
}

fn without(text: &str, name: &str) -> String {
    // Only ASCII letters change, and those keep their length: places in one text are places in the other.
    let (lower, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let (mut left, mut from) = (String::with_capacity(text.len()), 0);
    for (at, found) in lower.match_indices(&name) {
        left.push_str(&text[from..at]);
        from = at + found.len();
    }
    left.push_str(&text[from..]);
    left
}

/// Every line that is not empty, with its number from 1.
pub(crate) fn lines<T: DeserializeOwned>(path: &Path, what: &str) -> Result<Vec<(usize, T)>, DatasetError> {
    let text = dataset::unpacked_text(path)?;
    let parsed = |(index, line): (usize, &str)| {
        let malformed = |error: serde_json::Error| DatasetError::Malformed {
            path: path.to_owned(),
            line: index + 1,
            why: format!("this is no {what}: {error}"),
        };
        Ok((index + 1, serde_json::from_str(line).map_err(malformed)?))
    };
    let found: Vec<_> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parsed).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(DatasetError::Missing { path: path.to_owned(), what: what.to_owned() });
    }
    Ok(found)
}
