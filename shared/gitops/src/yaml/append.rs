//! One more item of a list of texts.

use super::tree::{Kind, parse};
use super::{Told, lines, scalar};

/// Adds `text` to the list at the top-level `key` of the file's only document.
///
/// # Errors
/// In words, when there is no such list, or it has no item yet.
pub(crate) fn append(source: &str, key: &str, text: &str) -> Told<String> {
    let documents = parse(source)?;
    let [document] = documents.as_slice() else { return Err("it has not exactly one document".to_owned()) };
    let list = document.root.as_ref().and_then(|root| root.get(key)).ok_or_else(|| format!("it has no `{key}`"))?;
    let (Kind::List(items), false) = (&list.kind, list.is_marked) else { return Err(format!("`{key}` is no plain list")) };
    let last = items.last().ok_or_else(|| format!("`{key}` is empty"))?;
    let (at, added) = if list.is_flow {
        (last.last(source), format!(", {}", scalar::key(text)))
    } else {
        let at = lines::end(source, last.last(source));
        let newline = lines::line_break(source);
        // The dash stands before the item.
        let dash = source[..last.start].rfind('-').ok_or("an item without a dash")?;
        let indent = " ".repeat(lines::column(source, dash));
        let lead = if source[..at].ends_with('\n') { "" } else { newline };
        (at, format!("{lead}{indent}- {}{newline}", scalar::key(text)))
    };
    let mut edited = source.to_owned();
    edited.insert_str(at, &added);
    Ok(edited)
}
