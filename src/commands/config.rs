//! `picket config validate | schema`.

use crate::{config_file, side_files};
use picket_core::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks a configuration, prints its schema.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Says everything that is wrong with a file; exit 1 when there is anything.
    Validate {
        /// The file.
        file: PathBuf,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Prints the JSON schema.
    Schema,
}

/// Runs it.
///
/// # Errors
/// When the file cannot be read or has an unknown key.
pub fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Schema => super::print_json(&schemars::schema_for!(Config))?,
        ConfigCommand::Validate { file, json } => return validate(file, *json),
    }
    Ok(ExitCode::SUCCESS)
}

fn validate(file: &PathBuf, json: bool) -> anyhow::Result<ExitCode> {
    let config = config_file::parse(file)?;
    let text = std::fs::read_to_string(file)?;
    let problems = config.problems();
    let rows: Vec<_> = problems.iter().map(|p| (config_file::line_of(&text, &p.key), p)).collect();
    let beside = side_files::problems(&config);
    let valid = rows.is_empty() && beside.is_empty();
    if json {
        let rows: Vec<_> = rows.iter().map(|(line, p)| serde_json::json!({ "line": line, "key": p.key, "why": p.why })).collect();
        super::print_json(&serde_json::json!({ "valid": valid, "problems": rows, "side_files": beside }))?;
    } else {
        for (line, problem) in &rows {
            let line = line.map(|n| format!("{n}:")).unwrap_or_default();
            eprintln!("{}:{line} {problem}", file.display());
        }
        for problem in &beside {
            eprintln!("{problem}");
        }
        for later in config.not_built() {
            println!("note: {later} (roles refuse to start with it)");
        }
        if valid {
            println!("{}: valid", file.display());
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
