//! `cargo xtask eval`: what detection and diagnosis score, by the commands that anybody can run, written where people read it.

mod sections;
mod table;

use crate::bench::{build, machine};
use crate::{document, model};
use anyhow::{Context as _, bail};
use clap::Args;
use sections::{Section, Sets, sections};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// What to measure, on what.
#[derive(Args)]
pub struct EvalOptions {
    /// The public sets: a folder with `nab`, `petshop`, `nezha`, `itbench` and `runbooks`. What is not there is left out, and said.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only these parts: nab, petshop, nezha, itbench, retrieval, scenarios, quiet.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Runs of the scenarios.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Their first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Cargo's profile.
    #[arg(long, default_value = "release", env = "PICKET_BENCH_PROFILE")]
    profile: String,
    /// Writes the tables into this document, in place of those that are there.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Builds, measures, prints, writes.
///
/// # Errors
/// Naming what could not be built, or which evaluation failed. Tables that were finished before are written.
pub fn run(options: &EvalOptions) -> anyhow::Result<()> {
    let wanted = chosen(options)?;
    let programs = build::build(&options.profile)?;
    let model = model::ensure()?;
    let on = machine::describe(&programs.target)?;
    for section in wanted {
        println!("{}", section.name);
        let mut rows = Vec::new();
        for run in &section.runs {
            println!("  picket {}", run.arguments.join(" "));
            let begun = Instant::now();
            let out = Command::new(&programs.picket).args(&run.arguments).arg("--json").env("PICKET_MODEL_DIR", &model).output();
            let out = out.context("picket cannot be run")?;
            if !out.status.success() {
                bail!("`picket {}` failed: {}", run.arguments.join(" "), String::from_utf8_lossy(&out.stderr).trim());
            }
            let report =
                serde_json::from_slice(&out.stdout).with_context(|| format!("`picket {}` printed no JSON", run.arguments.join(" ")))?;
            rows.push(table::Row { label: run.label.clone(), report, took: begun.elapsed() });
        }
        let text = table::markdown(&section, &rows, &on, &programs.profile, &revision());
        println!("\n{text}");
        if let Some(file) = &options.write {
            document::replace(file, &format!("cargo xtask eval {}", section.name), &text)?;
        }
    }
    Ok(())
}

/// Of the source that is measured: the commit, and whether something was changed since.
fn revision() -> String {
    let git = |arguments: &[&str]| {
        let out = Command::new("git").args(arguments).output().ok().filter(|out| out.status.success())?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = git(&["status", "--porcelain", "--", "*.rs"]).is_some_and(|changes| !changes.is_empty());
    if changed { format!("{commit} with changes") } else { commit }
}

fn chosen(options: &EvalOptions) -> anyhow::Result<Vec<Section>> {
    let sets = Sets { data: options.data.as_deref(), seeds: options.seeds, from: options.from };
    let all = sections(&sets);
    if let Some(unknown) = options.only.iter().find(|name| !all.iter().any(|section| section.name == name.as_str())) {
        let names: Vec<_> = all.iter().map(|section| section.name).collect();
        bail!("there is no part `{unknown}`; there are {}", names.join(", "));
    }
    let wanted = all.into_iter().filter(|section| options.only.is_empty() || options.only.iter().any(|name| name == section.name));
    let (able, missing): (Vec<_>, Vec<_>) = wanted.partition(|section| section.needs.as_ref().is_none_or(|path| path.exists()));
    for section in missing {
        let path = section.needs.map(|path| path.display().to_string()).unwrap_or_default();
        println!("{} is left out: {path} is not there (--data names the folder that holds it)", section.name);
    }
    Ok(able)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(only: &[&str]) -> EvalOptions {
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        EvalOptions { data: None, only, seeds: 2, from: 5, profile: "dev".into(), write: None }
    }

    #[test]
    fn without_the_public_sets_the_simulated_parts_are_left() {
        let names: Vec<_> = chosen(&options(&[])).unwrap().iter().map(|section| section.name).collect();
        assert_eq!(names, ["scenarios", "quiet"]);
        assert!(chosen(&options(&["everything"])).is_err());
    }

    #[test]
    fn the_document_has_a_place_for_every_part() {
        let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evaluation.md")).unwrap();
        for section in sections(&Sets { data: None, seeds: 1, from: 1 }) {
            for mark in ["begin", "end"] {
                let line = format!("<!-- {mark}: cargo xtask eval {} -->", section.name);
                assert!(document.contains(&line), "{line}");
            }
        }
    }
}
