//! Retrieval: alerts as queries, runbooks as documents, both as lines of JSON. The search is the one that live diagnosis runs.

mod evaluate;
mod read;

pub use evaluate::{Miss, RetrievalReport, evaluate};
pub(crate) use read::lines;
pub use read::{Question, documents, harder, questions};

#[cfg(test)]
mod tests;
