//! `picket doctor`: looks at everything that this configuration names, and says what does not work and what to do about it. It changes
//! nothing.

mod clusters;
mod mesh;
mod report;

use crate::wiring::Wiring;
use report::Check;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

/// What is to be looked at.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorOptions {
    /// Machine output: `{"ok": bool, "checks": [{"name", "status": "ok|warning|failed", "found", "advice"}]}`.
    #[arg(long)]
    json: bool,
}

/// Deadline of one check: what does not answer for so long would not answer the mesh either.
const DEADLINE: Duration = Duration::from_secs(8);

/// Runs every check, one after the other, and prints them. The exit status is 1 when one has failed; a warning is none.
///
/// # Errors
/// When the output cannot be written.
pub async fn run(wiring: &Wiring, options: &DoctorOptions) -> anyhow::Result<ExitCode> {
    let mut checks = mesh::configuration(wiring);
    checks.extend(mesh::certificates(wiring));
    checks.extend(mesh::coordinators(wiring).await);
    checks.push(mesh::bus(wiring).await);
    checks.push(mesh::knowledge());
    for cluster in &wiring.config.mesh.clusters {
        checks.extend(clusters::check(cluster).await);
    }
    if options.json {
        super::print_json(&report::json(&checks))?;
    } else {
        report::print(&checks);
    }
    Ok(if checks.iter().any(Check::has_failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The answer, or what was in its way, in words.
async fn in_time<T>(what: impl Future<Output = anyhow::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(DEADLINE, what).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}
