//! What was found, and how it is shown.

use crate::commands::table;
use serde::Serialize;
use serde_json::{Value, json};

/// How a check ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// The mesh works, with less than it could have.
    Warning,
    /// Something will not work.
    Failed,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    name: String,
    status: Status,
    found: String,
    /// What to do; empty when nothing is.
    advice: String,
}

impl Check {
    /// As it should be.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, found: found.into(), advice: String::new() }
    }

    /// It works, with less than it could have.
    pub fn warning(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Warning, found: found.into(), advice: advice.into() }
    }

    /// It will not work.
    pub fn failed(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Failed, found: found.into(), advice: advice.into() }
    }

    /// Whether it will not work.
    pub fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }
}

/// For machines.
pub fn json(checks: &[Check]) -> Value {
    json!({ "ok": !checks.iter().any(Check::has_failed), "checks": checks })
}

/// For people: a table, and below it what to do, the failures first.
pub fn print(checks: &[Check]) {
    let word = |status| match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failed => "FAILED",
    };
    let rows: Vec<_> = checks.iter().map(|c| [word(c.status).to_owned(), c.name.clone(), c.found.clone()]).collect();
    table::print(["STATUS", "CHECK", "FOUND"], &rows, "nothing to check");
    let mut advised: Vec<&Check> = checks.iter().filter(|c| !c.advice.is_empty()).collect();
    advised.sort_by_key(|c| !c.has_failed());
    if !advised.is_empty() {
        println!("\nWhat to do:");
    }
    for check in advised {
        println!("  {}: {}", check.name, check.advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_no_failure() {
        let checks = [Check::ok("a", "fine"), Check::warning("b", "less", "do this")];
        assert_eq!(json(&checks)["ok"], true);
        let checks = [Check::ok("a", "fine"), Check::failed("c", "gone", "do that")];
        let report = json(&checks);
        assert_eq!((&report["ok"], &report["checks"][1]["status"]), (&json!(false), &json!("failed")));
    }
}
