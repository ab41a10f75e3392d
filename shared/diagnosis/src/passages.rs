//! Cuts documents into passages by their headings.

use picket_core::knowledge::Document;

/// A section longer than this is cut into several passages, so that an embedder's window holds each.
const PASSAGE_MAX_CHARS: usize = 1200;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which document, by its place in the collection.
    pub document: usize,
    /// The heading it stands under; the document's title before the first.
    pub heading: String,
    /// What stands there.
    pub text: String,
}

impl Chunk {
    /// What is embedded and indexed of it: the title and heading tell what a bare list of steps does not.
    #[must_use]
    pub fn indexed(&self, document: &Document) -> String {
        format!("{}. {}. {}", document.title, self.heading, self.text)
    }
}

/// The passages of the document at place `number`, in its order.
#[must_use]
pub fn cut(number: usize, document: &Document) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let (mut heading, mut text, mut in_code) = (document.title.clone(), String::new(), false);
    let mut close = |heading: &str, text: &mut String| {
        for part in parts(text.trim()) {
            chunks.push(Chunk { document: number, heading: heading.to_owned(), text: part });
        }
        text.clear();
    };
    for line in document.text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        // A comment in a script begins like a heading.
        if line.starts_with('#') && !in_code {
            close(&heading, &mut text);
            heading = line.trim_start_matches('#').trim().to_owned();
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    close(&heading, &mut text);
    chunks
}

fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        if !part.is_empty() && part.len() + paragraph.len() > PASSAGE_MAX_CHARS {
            parts.push(std::mem::take(&mut part));
        }
        if !part.is_empty() {
            part.push_str("\n\n");
        }
        part.push_str(paragraph);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_cut_and_comments_in_code_do_not() {
        let text =
            format!("Before.\n\n# First\n\nOne.\n\n```sh\n# a comment\nls\n```\n\n## Second\n\n{0}\n\n{0}\n\n## Empty\n", "x".repeat(700));
        let document = Document { id: "d".into(), title: "Title".into(), cause: None, remedies: Vec::new(), text };
        let chunks = cut(3, &document);
        let headings: Vec<_> = chunks.iter().map(|c| c.heading.as_str()).collect();
        assert_eq!(headings, ["Title", "First", "Second", "Second"]);
        assert_eq!(chunks[1].text, "One.\n\n```sh\n# a comment\nls\n```");
        assert!(chunks.iter().all(|c| c.document == 3) && chunks[0].indexed(&document) == "Title. Title. Before.");
    }
}
