//! What a reasoner is given: passages that were shortened, and answers that are given again. Measured on alerts and their runbooks.

mod read;
mod reuse;
mod shortening;

pub use read::alerts;
pub use reuse::{AlertText, ReuseReport, reuse};
pub use shortening::{ShorteningReport, shortening};
