//! One run of a load.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::process::Command;

/// Runs a program and reads the JSON that it prints.
///
/// # Errors
/// What it said when it failed.
pub fn json(mut command: Command) -> anyhow::Result<Value> {
    let out = command.output().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    serde_json::from_slice(&out.stdout).with_context(|| format!("{command:?} printed no JSON"))
}

/// The middle one; of an even number, the lower of both.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
