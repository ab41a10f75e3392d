//! What is asked, and what of it must be the same for an answer to be given again.

use crate::literal::{is_identifier, is_instance, is_number, words};
use picket_core::ids::ServiceId;
use picket_core::severity::Severity;
use std::collections::BTreeSet;

/// Stands where the name of an instance stood.
const INSTANCE: &str = "(instance)";

/// Words that turn a sentence into another one that looks alike: degree, direction, negation.
const TURNING: [&str; 40] = [
    "no",
    "not",
    "none",
    "never",
    "without",
    "cannot",
    "any",
    "some",
    "all",
    "every",
    "more",
    "most",
    "less",
    "least",
    "fewer",
    "above",
    "below",
    "high",
    "higher",
    "low",
    "lower",
    "up",
    "down",
    "over",
    "under",
    "near",
    "nearing",
    "nearly",
    "almost",
    "soon",
    "full",
    "fully",
    "critical",
    "critically",
    "warning",
    "fast",
    "slow",
    "before",
    "after",
    "stuck",
];

/// All of it must be equal; nothing else is compared before it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey {
    /// The alert, or the symptom, by its name.
    pub alert: String,
    /// How bad.
    pub severity: Severity,
    /// Kind of the object that it is about: `Deployment`, `PersistentVolumeClaim`, `Node`.
    pub resource_kind: String,
    /// Version of the runbooks that were searched: a digest of them.
    pub runbook_version: String,
    /// Version of the catalogue of causes and remedies.
    pub catalogue_version: String,
}

impl CacheKey {
    /// False when a part is not known: then it cannot tell two questions apart.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        [&self.alert, &self.resource_kind, &self.runbook_version, &self.catalogue_version].iter().all(|part| !part.trim().is_empty())
    }
}

/// A question as the cache compares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub(super) key: CacheKey,
    pub(super) service: ServiceId,
    pub(super) text: String,
    pub(super) marks: BTreeSet<String>,
}

impl Question {
    /// `service`: whose trouble it is. `names`: instances that the asker knows (services, pods, nodes, volumes); these, and what has the form
    /// of an instance's name, may differ between two askings of one question.
    #[must_use]
    pub fn new(key: CacheKey, service: ServiceId, text: &str, names: &[&str]) -> Self {
        let text = mask(text, names);
        let marks = marks(&text);
        Self { key, service, text, marks }
    }

    /// The text without names of instances: what is to be embedded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn mask(text: &str, names: &[&str]) -> String {
    let mut masked = String::with_capacity(text.len());
    for (number, word) in text.split_whitespace().enumerate() {
        if number > 0 {
            masked.push(' ');
        }
        match words(word).next().filter(|inner| names.contains(inner) || is_instance(inner)) {
            Some(inner) => masked.push_str(&word.replacen(inner, INSTANCE, 1)),
            None => masked.push_str(word),
        }
    }
    masked
}

/// Numbers, identifiers and turning words.
fn marks(masked: &str) -> BTreeSet<String> {
    let turning = |word: &str| Some(word.to_lowercase()).filter(|word| TURNING.contains(&word.as_str()));
    words(masked).filter_map(|word| if is_number(word) || is_identifier(word) { Some(word.to_owned()) } else { turning(word) }).collect()
}
