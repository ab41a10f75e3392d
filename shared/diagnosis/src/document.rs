//! Reads a runbook or post-mortem: a small front matter between two `---` lines, then Markdown.

use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::ids::DocumentId;
use picket_core::knowledge::Document;

/// Longest document accepted: a knowledge base is a shelf, not an archive.
pub const DOCUMENT_MAX_BYTES: usize = 256 * 1024;
const KEYS: &str = "title, kind, cause, remedies";

/// Why a document could not be read. Names the document and the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnowledgeError {
    /// Something on one line is wrong.
    #[error("{document}, line {line}: {why}")]
    Line {
        /// Which document.
        document: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what is expected.
        why: String,
    },
    /// It is longer than [`DOCUMENT_MAX_BYTES`].
    #[error("{document} has {bytes} bytes, {DOCUMENT_MAX_BYTES} are allowed: split it")]
    TooLong {
        /// Which document.
        document: String,
        /// Its length.
        bytes: usize,
    },
}

/// Parses `text` as the document `id` (the file's name without its extension).
pub fn parse_document(id: &str, text: &str) -> Result<Document, KnowledgeError> {
    if text.len() > DOCUMENT_MAX_BYTES {
        return Err(KnowledgeError::TooLong { document: id.to_owned(), bytes: text.len() });
    }
    let wrong = |line: usize, why: String| KnowledgeError::Line { document: id.to_owned(), line, why };
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line.trim_end()) != Some("---") {
        return Err(wrong(1, "expected `---`, the start of the front matter (title, kind, cause, remedies)".to_owned()));
    }
    let (mut title, mut cause, mut remedies, mut seen) = (None, None, Vec::new(), Vec::new());
    let mut body_from = None;
    for (index, line) in lines.by_ref() {
        let number = index + 1;
        let line = line.trim_end();
        if line == "---" {
            body_from = Some(number);
            break;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(':').ok_or_else(|| wrong(number, format!("expected `key: value`, found `{line}`")))?;
        let (key, value) = (key.trim(), unquoted(value.trim()));
        if seen.contains(&key) {
            return Err(wrong(number, format!("`{key}` is given twice")));
        }
        seen.push(key);
        match key {
            "title" if value.is_empty() => return Err(wrong(number, "the title is empty".to_owned())),
            "title" => title = Some(value.to_owned()),
            "kind" if matches!(value, "runbook" | "post-mortem") => {}
            "kind" => return Err(wrong(number, format!("`{value}` is no kind of document: runbook or post-mortem"))),
            "cause" => cause = Some(named_cause(value).ok_or_else(|| wrong(number, unknown_cause(value)))?),
            "remedies" => remedies = named_remedies(value).map_err(|why| wrong(number, why))?,
            _ => return Err(wrong(number, format!("unknown key `{key}`; known are {KEYS}"))),
        }
    }
    let body_from =
        body_from.ok_or_else(|| wrong(text.lines().count().max(1), "the front matter does not end: expected `---`".to_owned()))?;
    let title = title.ok_or_else(|| wrong(body_from, "the front matter has no `title`".to_owned()))?;
    let body: Vec<_> = lines.map(|(_, line)| line).collect();
    let body = body.join("\n").trim().to_owned();
    if body.is_empty() {
        return Err(wrong(body_from, "nothing follows the front matter".to_owned()));
    }
    Ok(Document { id: DocumentId::from(id), title, cause, remedies, text: body })
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

fn named_cause(value: &str) -> Option<Cause> {
    Cause::ALL.into_iter().find(|c| c.as_str() == value)
}

fn unknown_cause(value: &str) -> String {
    let known: Vec<_> = Cause::ALL.iter().map(|c| c.as_str()).collect();
    format!("`{value}` is not in the catalogue of causes ({}); leave the key out for a trouble outside it", known.join(", "))
}

fn named_remedies(value: &str) -> Result<Vec<RemediationKind>, String> {
    let inner = value
        .strip_prefix('[')
        .and_then(|v| v.strip_suffix(']'))
        .ok_or_else(|| format!("expected a list such as [scale, rollback], found `{value}`"))?;
    inner
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            RemediationKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
                let known: Vec<_> = RemediationKind::ALL.iter().map(|k| k.as_str()).collect();
                format!("`{name}` is no remedy; known are {}", known.join(", "))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_read() {
        let text = "---\ntitle: Memory: too small\nkind: runbook\ncause: memory_limit_too_low\nremedies: [set_memory_limit]\n---\n\n## Symptoms\nKills.\n";
        let document = parse_document("oom", text).unwrap();
        assert_eq!(document.title, "Memory: too small");
        assert_eq!(document.cause, Some(Cause::MemoryLimitTooLow));
        assert_eq!(document.remedies, [RemediationKind::SetMemoryLimit]);
        assert_eq!(document.text, "## Symptoms\nKills.");
    }

    #[test]
    fn errors_name_the_line_and_what_to_do() {
        let cases = [
            ("no front matter", "line 1: expected `---`"),
            ("---\ntitle: a\ncolour: red\n---\nx", "line 3: unknown key `colour`; known are title"),
            ("---\ntitle: a\ncause: gremlins\n---\nx", "line 3: `gremlins` is not in the catalogue"),
            ("---\ntitle: a\nremedies: scale\n---\nx", "line 3: expected a list"),
            ("---\ntitle: a\nremedies: [reboot]\n---\nx", "line 3: `reboot` is no remedy"),
            ("---\ntitle: a\ntitle: b\n---\nx", "line 3: `title` is given twice"),
            ("---\nkind: runbook\n---\nx", "line 3: the front matter has no `title`"),
            ("---\ntitle: a\n", "line 2: the front matter does not end"),
            ("---\ntitle: a\n---\n", "line 3: nothing follows"),
            ("---\nkind: novel\n---\nx", "line 2: `novel` is no kind"),
        ];
        for (text, expected) in cases {
            let error = parse_document("doc", text).unwrap_err().to_string();
            assert!(error.starts_with("doc, ") && error.contains(expected), "{error} does not say {expected}");
        }
        assert!(matches!(parse_document("d", &"x".repeat(DOCUMENT_MAX_BYTES + 1)), Err(KnowledgeError::TooLong { .. })));
    }
}
