//! Language models beside the built-in reasoner: what they are asked, how their answers are read and judged, what they may cost.
//!
//! Architecture invariant: a model decides no act. It is shown evidence, quoted as data and redacted; it answers from closed catalogues; its
//! answer is checked as any hypothesis is ([`crate::validate`]) and can only confirm what the evidence says, lower its confidence, or be a
//! hint for people. What is done, to what and with which figures, always comes from [`crate::size`].

mod advised;
mod answer;
mod combine;
mod consultation;
mod judge;
mod prices;
mod prompt;
mod question;
mod spend;

pub use advised::{AdvisedEngine, Panel};
pub use prices::{Price, price_of};
pub use question::Question;
pub use spend::Caps;
