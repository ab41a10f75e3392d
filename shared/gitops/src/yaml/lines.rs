//! Lines around a place in a text.

/// Where the line of `at` begins.
pub(super) fn start(source: &str, at: usize) -> usize {
    source.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// After the end of the line of `at`, its line break included.
pub(super) fn end(source: &str, at: usize) -> usize {
    source.get(at..).and_then(|after| after.find('\n')).map_or(source.len(), |newline| at + newline + 1)
}

/// Columns (characters) from the line's beginning to `at`.
pub(super) fn column(source: &str, at: usize) -> usize {
    source.get(start(source, at)..at).unwrap_or_default().chars().count()
}

/// Whether only blanks stand before `at` in its line.
pub(super) fn is_first(source: &str, at: usize) -> bool {
    source.get(start(source, at)..at).unwrap_or_default().chars().all(|c| c == ' ')
}

/// The text's line break.
pub(super) fn line_break(source: &str) -> &'static str {
    if source.contains("\r\n") { "\r\n" } else { "\n" }
}
