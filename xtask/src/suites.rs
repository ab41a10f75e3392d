//! `cargo xtask test`: every test, suite by suite, with the time that each took.

use crate::cargo::cargo;
use crate::{dashboard, model, packages};
use anyhow::{Context as _, bail};
use std::time::Instant;

struct Suite {
    name: &'static str,
    command: &'static [&'static str],
}

/// In the order in which a failure is cheapest to learn of.
const SUITES: &[Suite] = &[
    Suite { name: "format", command: &["fmt", "--all", "--check"] },
    Suite { name: "lints", command: &["clippy", "--locked", "--all-targets", "--", "--deny", "warnings"] },
    // By themselves, so that no other build has the feature.
    Suite {
        name: "planted faults",
        command: &[
            "test",
            "--locked",
            "--features",
            "picket-mesh-simulation/planted-faults",
            "--test",
            "planted",
            "--test",
            "teeth",
            "--test",
            "mesh_teeth",
            "--",
            "--nocapture",
        ],
    },
    Suite { name: "tests", command: &["test", "--locked", "--no-fail-fast"] },
];

/// Sets up and runs every suite; the first that fails ends it.
///
/// # Errors
/// Naming the suite that failed.
pub fn run() -> anyhow::Result<()> {
    let started = Instant::now();
    packages::ensure(&[
        packages::NATS,
        packages::ETCD,
        packages::REDIS,
        packages::GIT,
        packages::SSHD,
        packages::CHROMIUM,
        packages::NODE,
        packages::NPM,
        packages::CURL,
        packages::PYTHON,
        packages::IPROUTE,
    ])?;
    packages::ensure_venv()?;
    let model = model::ensure()?;
    dashboard::build()?;
    let mut times = vec![("set-up and page", started.elapsed())];
    for suite in SUITES {
        println!("\n== {} ==", suite.name);
        let begun = Instant::now();
        let status = cargo().args(suite.command).env("PICKET_MODEL_DIR", &model).status().context("cargo cannot be run")?;
        times.push((suite.name, begun.elapsed()));
        if !status.success() {
            print_times(&times);
            bail!("suite `{}` failed: cargo {}", suite.name, suite.command.join(" "));
        }
    }
    print_times(&times);
    println!("{} passed, 0 failed", times.len());
    Ok(())
}

fn print_times(times: &[(&str, std::time::Duration)]) {
    println!();
    for (name, took) in times {
        println!("{name:<18} {:>6.1} min", took.as_secs_f64() / 60.0);
    }
}
