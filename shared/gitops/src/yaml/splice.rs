//! One entry of a document becomes what it is in another text, comments and all.

use super::tree::{Node, parse};
use super::{Told, lines};
use crate::pointer;
use std::ops::Range;

/// Writes the entry at `pointer` of document `index` as it stands in document `from_index` of `from`.
///
/// # Errors
/// In words, when either is not an entry of lines of its own. What was done MUST be checked by reading it back.
pub(crate) fn splice(source: &str, index: usize, pointer: &str, from: &str, from_index: usize) -> Told<String> {
    let (old, old_column) = lines_of(source, index, pointer)?;
    let (new, new_column) = lines_of(from, from_index, pointer)?;
    let mut text = shifted(&from[new], new_column, old_column)?;
    if source.len() > old.end && !text.ends_with('\n') {
        text.push_str(lines::line_break(source));
    }
    let mut edited = source.to_owned();
    edited.replace_range(old, &text);
    Ok(edited)
}

/// The lines of an entry, and its column.
fn lines_of(source: &str, index: usize, pointer: &str) -> Told<(Range<usize>, usize)> {
    let documents = parse(source)?;
    let root = documents.get(index).and_then(|document| document.root.as_ref()).ok_or("the document is empty")?;
    let steps = pointer::steps(pointer);
    let (last, way) = steps.split_last().ok_or("the whole document is no entry")?;
    let parent = way.iter().try_fold(root, |at: &Node, step| at.get(step)).ok_or_else(|| format!("{pointer} is not there"))?;
    let entry = parent.entries().iter().find(|(key, _)| key.text() == Some(last.as_str()));
    let (key, value) = entry.ok_or_else(|| format!("{pointer} is not there"))?;
    if parent.is_flow || !lines::is_first(source, key.start) {
        return Err(format!("{pointer} shares its line with something else"));
    }
    let end = if value.is_unwritten() { key.end } else { value.last(source) };
    Ok((lines::start(source, key.start)..lines::end(source, end), lines::column(source, key.start)))
}

/// The lines, moved from one column to another.
fn shifted(text: &str, from: usize, to: usize) -> Told<String> {
    if from == to {
        return Ok(text.to_owned());
    }
    let (less, more) = (" ".repeat(from.saturating_sub(to)), " ".repeat(to.saturating_sub(from)));
    let mut moved = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            moved += line;
            continue;
        }
        moved += &more;
        moved += line.strip_prefix(&less).ok_or("its lines cannot be moved to the other column")?;
    }
    Ok(moved)
}
