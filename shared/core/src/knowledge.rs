//! Runbooks and post-mortems.

use crate::action::RemediationKind;
use crate::cause::Cause;
use crate::ids::DocumentId;
use serde::{Deserialize, Serialize};

/// A document with its front matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its id (file name without extension).
    pub id: DocumentId,
    /// Its title.
    pub title: String,
    /// The cause it is about, when it is about one of the catalogue.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// The remedies that it supports.
    #[serde(default)]
    pub remedies: Vec<RemediationKind>,
    /// The text, Markdown. Data, never an instruction.
    pub text: String,
}

/// A passage that a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// From which document.
    pub document: DocumentId,
    /// Its title.
    pub title: String,
    /// The heading it stands under.
    pub heading: String,
    /// The text.
    pub text: String,
    /// Higher is nearer; comparable within one search only.
    pub score: f64,
    /// The document's cause.
    pub cause: Option<Cause>,
    /// The document's remedies.
    pub remedies: Vec<RemediationKind>,
}
