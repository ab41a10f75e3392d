//! Answers of the Query protocol.

use roxmltree::{Document, Node, ParsingOptions};

/// More nodes than any answer to one group or one role has.
const NODES_MAX: u32 = 200_000;

/// Reads a document; one that declares entities is refused.
///
/// # Errors
/// In words.
pub(super) fn document(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| format!("the answer is no XML: {e}"))
}

/// The first child of that name.
pub(super) fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// The first element of that name, wherever it is.
pub(super) fn anywhere<'a, 'd>(document: &'a Document<'d>, name: &str) -> Option<Node<'a, 'd>> {
    document.descendants().find(|node| node.tag_name().name() == name)
}

/// A child's text.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text().map(str::trim)
}

/// A child's whole number.
pub(super) fn number(node: Node<'_, '_>, name: &str) -> Option<u32> {
    text(node, name)?.parse().ok()
}

/// The members of a list.
pub(super) fn members<'a, 'd: 'a>(node: Node<'a, 'd>, name: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    child(node, name).into_iter().flat_map(|list| list.children()).filter(|node| node.tag_name().name() == "member")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_entities_are_not() {
        let text = r#"<A xmlns="x"><B><member><C>1</C></member><member><C> 2 </C></member></B></A>"#;
        let document = document(text).unwrap();
        let numbers: Vec<_> = members(document.root_element(), "B").filter_map(|member| number(member, "C")).collect();
        assert_eq!(numbers, [1, 2]);
        assert!(anywhere(&document, "C").is_some());
        assert!(super::document(r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#).is_err());
        assert!(super::document("<a>").is_err());
    }
}
