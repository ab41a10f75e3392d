//! Diagnosis: from an incident to a cause with its evidence and a remedy, or an abstention with its reason.
//!
//! Pure: time comes with [`picket_core::ports::DiagnosisContext::now`]; the only calls out go to the ports that are passed in.
//! The way through: [`rank`] (where), [`retrieve`] (what is written about it), [`reason`] (what, by log-odds over the closed
//! catalogue), [`validate`] (does the structure allow it), [`size`] (with which figures), put together by [`engine`]. Where
//! models are configured, [`model`] asks them about it; [`redact`] takes out of the question what must not leave.

pub mod bm25;
pub mod cache;
pub mod calibration;
pub mod compress;
#[doc(hidden)]
pub mod conformance;
pub mod document;
pub mod embed_hash;
pub mod engine;
mod experience;
mod late_interaction;
pub mod library;
mod literal;
mod meaning;
pub mod model;
mod passages;
pub mod passing;
pub mod rank;
pub mod reason;
pub mod redact;
pub mod retrieve;
pub mod root_cause;
pub mod sentence;
pub mod signs;
pub mod size;
pub mod terms;
pub mod validate;
pub mod weights;
mod words;

pub use document::{KnowledgeError, parse_document};
pub use engine::{EvidenceEngine, Settings};
pub use library::shipped;
pub use rank::{RankedService, rank};
pub use retrieve::Retriever;
pub use size::remedy;

#[cfg(test)]
mod tests;
