//! `picket audit verify | export`.

use crate::wiring::Wiring;
use anyhow::{Context as _, bail};
use picket_adapters::sqlite::SqliteAuditLog;
use picket_core::ports::AuditLog as _;
use std::path::PathBuf;

/// Records read at a time.
const PAGE: usize = 1000;

/// The record of what was done.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Checks every chain from its first record; exit 1 names the first that is wrong.
    Verify {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Prints every record as JSON Lines.
    Export,
}

fn files(wiring: &Wiring) -> anyhow::Result<Vec<PathBuf>> {
    let folder = wiring.data("audit")?;
    let listing = std::fs::read_dir(&folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut files: Vec<_> =
        listing.filter_map(Result::ok).map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "sqlite")).collect();
    files.sort();
    if files.is_empty() {
        bail!("{}: no audit log yet; an actuator writes it before its first act", folder.display());
    }
    Ok(files)
}

/// Runs it.
///
/// # Errors
/// When a chain is broken or a file cannot be read.
pub async fn run(wiring: &Wiring, command: &AuditCommand) -> anyhow::Result<()> {
    let mut verified = Vec::new();
    for file in files(wiring)? {
        let log = SqliteAuditLog::open(&file).await?;
        match command {
            AuditCommand::Verify { json } => {
                let (records, head) = log.verify().await.with_context(|| file.display().to_string())?;
                if !json {
                    println!("{}: {records} records, head {head}", file.display());
                }
                verified.push(serde_json::json!({ "file": file, "records": records, "head": head }));
            }
            AuditCommand::Export => export(&log).await?,
        }
    }
    if matches!(command, AuditCommand::Verify { json: true }) {
        super::print_json(&verified)?;
    }
    Ok(())
}

async fn export(log: &SqliteAuditLog) -> anyhow::Result<()> {
    let mut next = 1;
    loop {
        let records = log.read(next, PAGE).await?;
        let Some(last) = records.last() else { return Ok(()) };
        next = last.seq + 1;
        for record in &records {
            println!("{}", serde_json::to_string(record)?);
        }
    }
}
