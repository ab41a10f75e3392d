//! One field of one document is set or removed; every other byte stays.

use super::tree::{Kind, Node, parse};
use super::{Told, lines, scalar};
use crate::pointer;
use serde_json::Value;
use std::ops::Range;

/// A piece of the text, and what takes its place.
type Piece = (Range<usize>, String);

/// Sets the scalar at `pointer` (RFC 6901) of the file's document `index`; `null` removes the entry, and the maps that it leaves empty. Maps
/// that are missing on the way are made, items of lists are not.
///
/// # Errors
/// In words, when the place cannot be edited without touching something else. What was done MUST be checked by reading it back.
pub(crate) fn set(source: &str, index: usize, pointer: &str, value: &Value) -> Told<String> {
    let documents = parse(source)?;
    let root = documents.get(index).and_then(|document| document.root.as_ref()).ok_or("the document is empty")?;
    let steps = pointer::steps(pointer);
    let told = |why: String| format!("{pointer} cannot be edited in place: {why}");
    let piece = if value.is_null() { removal(source, root, &steps) } else { writing(source, root, &steps, value) };
    let (range, text) = piece.map_err(told)?;
    let mut edited = source.to_owned();
    edited.replace_range(range, &text);
    Ok(edited)
}

/// The deepest part on the way that is there, and how many steps lead to it.
fn deepest<'a>(root: &'a Node, steps: &[String]) -> Told<(Vec<&'a Node>, usize)> {
    let mut way = vec![root];
    for (taken, step) in steps.iter().enumerate() {
        let at = way[way.len() - 1];
        if at.is_marked || at.get("<<").is_some() {
            return Err("an anchor, an alias, a tag or a merge key is on the way".to_owned());
        }
        let next = match &at.kind {
            Kind::List(items) => Some(step.parse().ok().and_then(|n: usize| items.get(n)).ok_or("the list has no such item")?),
            Kind::Map(_) => at.get(step),
            Kind::Scalar(..) | Kind::Alias => return Err("a scalar is on the way".to_owned()),
        };
        match next {
            Some(next) => way.push(next),
            None => return Ok((way, taken)),
        }
    }
    Ok((way, steps.len()))
}

fn writing(source: &str, root: &Node, steps: &[String], value: &Value) -> Told<Piece> {
    let (way, taken) = deepest(root, steps)?;
    let at = way[way.len() - 1];
    if taken < steps.len() {
        return insertion(source, at, &steps[taken..], value);
    }
    let Kind::Scalar(old, style) = &at.kind else { return Err("it is no scalar".to_owned()) };
    if at.is_marked {
        return Err("it bears an anchor or a tag".to_owned());
    }
    if old.contains("{{") {
        return Err("it is a template".to_owned());
    }
    if at.is_unwritten() {
        return Err("nothing is written there yet".to_owned());
    }
    if source.get(at.start..at.end).is_none_or(|text| text.contains('\n')) {
        return Err("it is written over several lines".to_owned());
    }
    Ok((at.start..at.end, scalar::text(value, Some(*style))?))
}

/// New entries in an existing map.
fn insertion(source: &str, map: &Node, missing: &[String], value: &Value) -> Told<Piece> {
    if !matches!(map.kind, Kind::Map(_)) {
        return Err("what holds it is no map".to_owned());
    }
    let value = scalar::text(value, None)?;
    if map.is_flow {
        let inner = missing.iter().skip(1).map(|step| format!("{{{}: ", scalar::key(step))).collect::<String>();
        let entry = format!("{}: {inner}{value}{}", scalar::key(&missing[0]), "}".repeat(missing.len() - 1));
        return Ok(match map.entries().last() {
            Some((key, last)) => {
                let end = if last.is_unwritten() { key.end } else { last.last(source) };
                (end..end, format!(", {entry}"))
            }
            None => (map.start..map.end, format!("{{{entry}}}")),
        });
    }
    let (first, _) = map.entries().first().ok_or("what holds it is empty")?;
    let (indent, newline) = (lines::column(source, first.start), lines::line_break(source));
    let mut text = String::new();
    for (depth, step) in missing.iter().enumerate() {
        text += &format!("{}{}:", " ".repeat(indent + 2 * depth), scalar::key(step));
        text += &if depth + 1 == missing.len() { format!(" {value}{newline}") } else { newline.to_owned() };
    }
    let at = lines::end(source, map.last(source));
    if !source[..at].ends_with('\n') {
        text.insert_str(0, newline);
    }
    Ok((at..at, text))
}

fn removal(source: &str, root: &Node, steps: &[String]) -> Told<Piece> {
    let (way, taken) = deepest(root, steps)?;
    if taken < steps.len() {
        return Err("it is not there".to_owned());
    }
    // The highest map that would be left with nothing goes with it.
    let mut depth = steps.len();
    while depth > 1 && way[depth - 1].entries().len() == 1 {
        depth -= 1;
    }
    let parent = way[depth - 1];
    let Some((key, value)) = parent.entries().iter().find(|(key, _)| key.text() == Some(steps[depth - 1].as_str())) else {
        return Err("it is an item of a list".to_owned());
    };
    if parent.is_flow || !lines::is_first(source, key.start) {
        return Err("it shares its line with something else".to_owned());
    }
    let last = if value.is_unwritten() { key.end } else { value.last(source) };
    Ok((lines::start(source, key.start)..lines::end(source, last), String::new()))
}
