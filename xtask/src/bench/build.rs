//! The programs that are measured and that measure.

use crate::cargo::cargo;
use anyhow::{Context as _, bail};
use std::path::PathBuf;

/// Where they are, and how they were built.
pub struct Programs {
    /// `picket`: the coordinator, and its load.
    pub picket: PathBuf,
    /// The same load on etcd.
    pub etcd_bench: PathBuf,
    /// Cargo's profile, with what was changed of it.
    pub profile: String,
    /// Cargo's folder for what it builds; measurements keep their data below it, on the same disk.
    pub target: PathBuf,
}

/// Builds both with a profile of cargo's: `release`, or `dev` to measure while working.
///
/// # Errors
/// When they do not compile.
pub fn build(profile: &str) -> anyhow::Result<Programs> {
    println!("building picket in profile {profile} (the first time takes many minutes)");
    let programs = ["-p", "picket", "-p", "picket-loadtest", "--bin", "picket", "--bin", "etcd_bench"];
    let status = cargo().args(["build", "--locked", "--profile", profile]).args(programs).status();
    if !status.context("cargo cannot be run")?.success() {
        bail!("the build failed");
    }
    let metadata = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = PathBuf::from(metadata["target_directory"].as_str().context("cargo names no target folder")?);
    let folder = target.join(if profile == "dev" { "debug" } else { profile });
    Ok(Programs { picket: folder.join("picket"), etcd_bench: folder.join("etcd_bench"), profile: describe(profile), target })
}

/// Cargo's own variables change a profile: a figure says so.
fn describe(profile: &str) -> String {
    let prefix = format!("CARGO_PROFILE_{}_", profile.to_uppercase().replace('-', "_"));
    let mut changed: Vec<String> =
        std::env::vars().filter_map(|(name, value)| Some(format!("{} = {value}", name.strip_prefix(&prefix)?.to_lowercase()))).collect();
    changed.sort();
    if changed.is_empty() { profile.to_owned() } else { format!("{profile} ({})", changed.join(", ")) }
}
