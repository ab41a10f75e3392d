//! Documents with the places of their parts.

use super::Told;
use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle};

/// Nesting that no manifest needs.
const NESTING_MAX: usize = 64;
/// Parts of all documents of a file.
const NODES_MAX: usize = 200_000;

/// One document of a file; empty ones have no root.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// What stands in it.
    pub root: Option<Node>,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A scalar after its escapes were read.
    Scalar(String, ScalarStyle),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(Node, Node)>),
    /// A reference to something above.
    Alias,
}

/// A part and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// After its last byte. Of what is written by indentation this reaches to the next token: see [`Node::last`].
    pub end: usize,
    /// Written with brackets.
    pub is_flow: bool,
    /// It bears a tag or an anchor, so others may depend on it.
    pub is_marked: bool,
}

impl Node {
    /// The scalar's text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a mapping's key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// Whether nothing is written there, as after `key:`.
    pub(crate) const fn is_unwritten(&self) -> bool {
        matches!(self.kind, Kind::Scalar(..)) && self.start == self.end
    }

    /// After the last byte of it that says something: no comment, no white space behind it.
    pub(crate) fn last(&self, source: &str) -> usize {
        match &self.kind {
            Kind::List(items) if !self.is_flow => items.last().map_or(self.start, |item| item.last(source)),
            Kind::Map(entries) if !self.is_flow => {
                entries.last().map_or(self.start, |(key, value)| if value.is_unwritten() { key.last(source) } else { value.last(source) })
            }
            Kind::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => {
                self.start + source.get(self.start..self.end).unwrap_or_default().trim_end().len()
            }
            _ => self.end,
        }
    }
}

/// A collection that is being read.
struct Open {
    node: Node,
    key: Option<Node>,
}

/// Reads all documents of a text.
pub(crate) fn parse(source: &str) -> Told<Vec<Document>> {
    let mut options = Options::default();
    options.flow_nesting_limit = NESTING_MAX;
    options.block_nesting_limit = NESTING_MAX;
    options.emit_comments = false;
    let (mut documents, mut open, mut nodes) = (Vec::new(), Vec::<Open>::new(), 0_usize);
    for event in Parser::new_from_str_with_options(source, options) {
        let (event, span) = event.map_err(|e| e.to_string())?;
        let range = span.byte_range().ok_or("the parser lost its place")?;
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(format!("it has more than {NODES_MAX} parts"));
        }
        let node = |kind, is_flow, is_marked| Node { kind, start: range.start, end: range.end, is_flow, is_marked };
        let begun = |kind, style, anchor: usize, tagged: bool| Open {
            node: node(kind, style == StructureStyle::Flow, anchor != 0 || tagged),
            key: None,
        };
        match event {
            Event::DocumentStart(..) => documents.push(Document { root: None }),
            Event::SequenceStart(style, anchor, tag) => open.push(begun(Kind::List(Vec::new()), style, anchor, tag.is_some())),
            Event::MappingStart(style, anchor, tag) => open.push(begun(Kind::Map(Vec::new()), style, anchor, tag.is_some())),
            Event::Scalar(text, style, anchor, tag) => {
                // `key:` without a value is a scalar of no length.
                let kind = Kind::Scalar(if range.is_empty() { String::new() } else { text.into_owned() }, style);
                put(&mut documents, &mut open, node(kind, false, anchor != 0 || tag.is_some()))?;
            }
            Event::Alias(_) => put(&mut documents, &mut open, node(Kind::Alias, false, true))?,
            Event::SequenceEnd | Event::MappingEnd => {
                let mut done = open.pop().ok_or("a collection ends that did not begin")?.node;
                done.end = range.end;
                put(&mut documents, &mut open, done)?;
            }
            _ => {}
        }
    }
    Ok(documents)
}

fn put(documents: &mut [Document], open: &mut [Open], node: Node) -> Told<()> {
    let Some(parent) = open.last_mut() else {
        let document = documents.last_mut().ok_or("something stands before the first document")?;
        document.root = Some(node);
        return Ok(());
    };
    match (&mut parent.node.kind, parent.key.take()) {
        (Kind::List(items), _) => items.push(node),
        (Kind::Map(entries), Some(key)) => {
            if entries.iter().any(|(other, _)| other.text().is_some() && other.text() == key.text()) {
                return Err(format!("the key `{}` stands there twice", key.text().unwrap_or_default()));
            }
            entries.push((key, node));
        }
        (Kind::Map(_), None) => parent.key = Some(node),
        _ => return Err("a scalar holds something".to_owned()),
    }
    Ok(())
}
