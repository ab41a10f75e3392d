//! `cargo xtask demo`: everything between a fresh clone and a running mesh.

use crate::cargo::cargo;
use crate::{dashboard, model, packages};
use anyhow::{Context as _, bail};
use std::process::Command;

/// Sets up, builds, and hands over to `picket demo`.
///
/// # Errors
/// When something cannot be installed, fetched or built, or the demo fails.
pub fn run(options: &[String]) -> anyhow::Result<()> {
    packages::ensure(&[packages::NATS, packages::CURL, packages::PYTHON])?;
    let model = model::ensure()?;
    dashboard::build()?;
    let binary = build()?;
    let status = Command::new(&binary).arg("demo").args(options).env("PICKET_MODEL_DIR", model).status();
    let status = status.with_context(|| format!("{} cannot be run", binary.display()))?;
    if status.success() { Ok(()) } else { bail!("the demo ended with {status}") }
}

/// Builds the binary and says where it is.
///
/// # Errors
/// When it does not compile.
pub fn build() -> anyhow::Result<std::path::PathBuf> {
    println!("building picket (the first time takes many minutes)");
    let status = cargo().args(["build", "--locked", "--bin", "picket"]).status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("the build failed");
    }
    let metadata = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(std::path::Path::new(target).join("debug").join("picket"))
}
