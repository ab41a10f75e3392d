//! A section's table.

use super::sections::{Column, Section, Show};
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// What a run came to.
pub struct Row {
    pub label: String,
    /// What the command printed.
    pub report: Value,
    pub took: Duration,
}

/// As it goes into the document: what was typed, on what, and the table.
pub fn markdown(section: &Section, rows: &[Row], machine: &str, profile: &str, revision: &str) -> String {
    let mut text = String::new();
    for run in &section.runs {
        _ = writeln!(text, "    picket {}", anonymous(&run.arguments, section));
    }
    _ = writeln!(text, "\nRevision {revision}, profile {profile}. Machine: {machine}.\n");
    let heads: Vec<_> = section.columns.iter().map(|column| column.head).collect();
    _ = writeln!(text, "| | {} | took |\n|---|{}---|", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let cells: Vec<_> = section.columns.iter().map(|column| cell(column, &row.report)).collect();
        _ = writeln!(text, "| {} | {} | {:.0} s |", row.label, cells.join(" | "), row.took.as_secs_f64());
    }
    text
}

/// The command with `DIR` for the folder of the sets: where it lies is nobody's business.
fn anonymous(arguments: &[String], section: &Section) -> String {
    let folder = section.needs.as_ref().and_then(|path| path.parent()).map(|path| path.to_string_lossy().into_owned());
    let shown = |text: &String| folder.as_ref().filter(|f| !f.is_empty()).map_or_else(|| text.clone(), |f| text.replace(f.as_str(), "DIR"));
    arguments.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn cell(column: &Column, report: &Value) -> String {
    let value = |key: &str| if key.starts_with('/') { report.pointer(key) } else { report.get(key) };
    let number = |key: &str, decimals: usize| {
        value(key).and_then(Value::as_f64).map_or_else(|| "-".to_owned(), |number| format!("{number:.decimals$}"))
    };
    match column.show {
        Show::Number(key, decimals) => number(key, decimals),
        Show::Of(part, whole) => format!("{} of {}", number(part, 0), number(whole, 0)),
        Show::Sum(key) => {
            let all = value(key).and_then(Value::as_object);
            all.map_or_else(|| "-".to_owned(), |all| all.values().filter_map(Value::as_u64).sum::<u64>().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sections::Run;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_shows_every_column_and_a_dash_for_what_was_not_measured() {
        let section = Section {
            name: "x",
            needs: Some("/somewhere/sets/nab".into()),
            runs: vec![Run { label: "one".into(), arguments: vec!["eval".into(), "--data".into(), "/somewhere/sets/nab".into()] }],
            columns: vec![
                Column { head: "a", show: Show::Number("a", 2) },
                Column { head: "b", show: Show::Of("part", "whole") },
                Column { head: "c", show: Show::Sum("violations") },
                Column { head: "d", show: Show::Number("/list/1", 0) },
                Column { head: "e", show: Show::Number("none", 0) },
            ],
        };
        let report = json!({"a": 0.126, "part": 3, "whole": 4, "violations": {"I1": 2, "I2": 1}, "list": [1, 9], "none": null});
        let rows = [Row { label: "one".into(), report, took: Duration::from_secs(7) }];
        let text = markdown(&section, &rows, "machine", "release", "abc");
        assert!(text.contains("| one | 0.13 | 3 of 4 | 3 | 9 | - | 7 s |"), "{text}");
        assert!(text.contains("    picket eval --data DIR/nab\n") && !text.contains("somewhere"), "{text}");
    }
}
