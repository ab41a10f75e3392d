//! YAML that is edited in place: every byte that is not meant stays as its author wrote it.

mod append;
mod edit;
mod emit;
mod lines;
mod resolve;
mod scalar;
mod splice;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use append::append;
pub(crate) use edit::set;
pub(crate) use emit::emit;
pub(crate) use resolve::value;
pub(crate) use splice::splice;
pub(crate) use tree::{Node, parse};

/// Why a text cannot be read, or not be edited in place. In words, for people.
pub(crate) type Told<T> = Result<T, String>;
