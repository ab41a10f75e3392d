//! Reads alerts: what they say, their names and severities.

use super::AlertText;
use crate::{DatasetError, retrieval};
use picket_core::severity::Severity;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct AlertLine {
    query: String,
    query_no_name: String,
    alert: String,
    severity: String,
}

/// The alerts of a file of queries, with their names in the text or (`named` false) without.
///
/// # Errors
/// When the file cannot be read, or a line is no alert.
pub fn alerts(path: &Path, named: bool) -> Result<Vec<AlertText>, DatasetError> {
    let severity = |word: &str| match word {
        "critical" => Severity::Two,
        "warning" => Severity::Three,
        _ => Severity::Four,
    };
    let alert =
        |a: AlertLine| AlertText { severity: severity(&a.severity), text: if named { a.query } else { a.query_no_name }, alert: a.alert };
    Ok(retrieval::lines(path, "alert")?.into_iter().map(|(_, line)| alert(line)).collect())
}
