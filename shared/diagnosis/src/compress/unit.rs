//! Cuts Markdown into the units that are kept or left out whole: code blocks, headings, list items, table rows, sentences.

use std::ops::Range;

/// What a unit is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading.
    Heading,
    /// A fenced or indented block of code, fences included.
    Code,
    /// A list item with its continuation, or a table row.
    Line,
    /// A sentence of a paragraph.
    Sentence,
}

/// A stretch of the text, without the white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub range: Range<usize>,
    pub kind: Kind,
}

/// Every unit in order; what lies between two of them is white space.
pub(super) fn units(text: &str) -> Vec<Unit> {
    let mut cutter = Cutter { text, units: Vec::new(), open: None };
    for line in text.split_inclusive('\n') {
        // Both are slices of the text: their distance is the line's place.
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        cutter.line(line, start);
    }
    cutter.close();
    cutter.units
}

/// A block that goes on with the next line.
enum Open {
    /// Until a line with this fence.
    Fence(&'static str),
    Indented,
    Item,
    Paragraph,
}

struct Cutter<'a> {
    text: &'a str,
    units: Vec<Unit>,
    /// The open block and its range so far.
    open: Option<(Open, Range<usize>)>,
}

impl Cutter<'_> {
    fn line(&mut self, line: &str, start: usize) {
        let (end, trimmed) = (start + line.len(), line.trim());
        if let Some((Open::Fence(fence), range)) = &mut self.open {
            range.end = end;
            if trimmed.starts_with(*fence) && trimmed.trim_start_matches(&fence[..1]).is_empty() {
                self.close();
            }
            return;
        }
        let fence = ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence));
        let indented = line.starts_with("    ") || line.starts_with('\t');
        if trimmed.is_empty() {
            // Blank lines belong to code that goes on behind them, and end everything else.
            if !matches!(self.open, Some((Open::Indented, _))) {
                self.close();
            }
        } else if let Some(fence) = fence {
            self.start(Open::Fence(fence), start..end);
        } else if trimmed.starts_with('#') {
            self.start(Open::Paragraph, start..end);
            self.take(Kind::Heading);
        } else if is_item(trimmed) {
            self.start(Open::Item, start..end);
        } else if trimmed.starts_with('|') {
            self.start(Open::Item, start..end);
            self.close();
        } else {
            match &mut self.open {
                Some((Open::Item | Open::Paragraph, range)) => range.end = end,
                Some((Open::Indented, range)) if indented => range.end = end,
                _ => self.start(if indented { Open::Indented } else { Open::Paragraph }, start..end),
            }
        }
    }

    fn start(&mut self, open: Open, range: Range<usize>) {
        self.close();
        self.open = Some((open, range));
    }

    fn close(&mut self) {
        match self.open {
            Some((Open::Fence(_) | Open::Indented, _)) => self.take(Kind::Code),
            Some((Open::Item, _)) => self.take(Kind::Line),
            Some((Open::Paragraph, _)) => self.take(Kind::Sentence),
            None => {}
        }
    }

    fn take(&mut self, kind: Kind) {
        let Some((_, range)) = self.open.take() else { return };
        let text = self.text;
        let parts = if kind == Kind::Sentence { sentences(text, range) } else { vec![range] };
        self.units.extend(parts.into_iter().map(|range| Unit { range: trimmed(text, range, kind), kind }));
    }
}

/// Without white space around; code keeps its first line's indent.
fn trimmed(text: &str, range: Range<usize>, kind: Kind) -> Range<usize> {
    let part = &text[range.clone()];
    let lead = if kind == Kind::Code { 0 } else { part.len() - part.trim_start().len() };
    range.start + lead..range.start + part.trim_end().len()
}

fn is_item(trimmed: &str) -> bool {
    let after_number = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
    ["- ", "* ", "+ "].iter().any(|mark| trimmed.starts_with(mark))
        || (after_number.len() < trimmed.len() && (after_number.starts_with(". ") || after_number.starts_with(") ")))
}

/// Ends of words that end no sentence.
const ABBREVIATIONS: [&str; 7] = ["e.g.", "i.e.", "etc.", "vs.", "cf.", "approx.", "no."];

/// A paragraph's sentences: cut behind `.`, `!`, `?` and white space, before a capital, a digit or code, outside of inline code.
fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let (mut found, mut from, mut in_code) = (Vec::new(), 0, false);
    for (at, c) in part.char_indices() {
        if c == '`' {
            in_code = !in_code;
        }
        if in_code || !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let rest = &part[at + 1..];
        let next = rest.trim_start();
        let begins = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || matches!(c, '`' | '*' | '"' | '['));
        let last_word = part[from..=at].rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
        let ends = rest.len() > next.len() && begins && !ABBREVIATIONS.contains(&last_word.trim_start_matches('('));
        if ends {
            found.push(range.start + from..range.start + at + 1);
            from = at + (rest.len() - next.len()) + 1;
        }
    }
    if !part[from..].trim().is_empty() {
        found.push(range.start + from..range.end);
    }
    found
}
