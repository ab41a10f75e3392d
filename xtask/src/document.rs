//! Tables that commands write into documents that people write.

use anyhow::Context as _;
use std::path::Path;

/// Replaces what stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
///
/// # Errors
/// When the document cannot be read or written, or has no such marks.
pub fn replace(file: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let at = || file.display().to_string();
    let document = std::fs::read_to_string(file).with_context(at)?;
    let replaced = replaced(&document, name, text).with_context(at)?;
    std::fs::write(file, replaced).with_context(at)
}

fn replaced(document: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- begin: {name} -->"), format!("<!-- end: {name} -->"));
    let (before, rest) = document.split_once(&begin).with_context(|| format!("there is no line `{begin}`"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("there is no line `{end}`"))?;
    Ok(format!("{before}{begin}\n{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let document = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\n<!-- begin: y -->\nkept\n<!-- end: y -->\nb\n";
        let new = replaced(document, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- begin: x -->\nnew\n<!-- end: x -->\n<!-- begin: y -->\nkept\n<!-- end: y -->\nb\n");
        assert!(replaced(document, "z", "").is_err());
    }
}
