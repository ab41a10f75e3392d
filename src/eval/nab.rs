//! `picket eval nab`: the streaming detector on the Numenta Anomaly Benchmark.

use picket_evaluation::Dataset;
use picket_evaluation::nab::{NabReport, evaluate};
use std::path::PathBuf;

/// What the evaluation is told.
#[derive(Clone, Debug, clap::Args)]
pub struct NabOptions {
    /// The benchmark: a folder with `data` and `labels`, an archive of it, or a folder of archives.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// Scores the set and prints the numbers.
///
/// # Errors
/// When the set cannot be read.
pub async fn run(options: &NabOptions) -> anyhow::Result<()> {
    let bar = if options.json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(0) };
    let (path, shown) = (options.data.clone(), bar.clone());
    let report = tokio::task::spawn_blocking(move || {
        let set = Dataset::open(&path)?;
        evaluate(&set, |done, total| {
            shown.set_length(total as u64);
            shown.set_position(done as u64);
        })
    })
    .await??;
    bar.finish_and_clear();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table(&report));
    }
    Ok(())
}

/// The report for people.
fn table(report: &NabReport) -> String {
    let rows = [
        ("standard profile", format!("{:.1}", report.standard)),
        ("rewarding few false calls", format!("{:.1}", report.low_fp)),
        ("rewarding few misses", format!("{:.1}", report.low_fn)),
        ("standard, threshold of the other half", format!("{:.1}", report.standard_split_half)),
        ("windows hit", format!("{} of {}", report.windows_hit, report.windows)),
        ("rows called falsely", report.false_positive_rows.to_string()),
    ];
    rows.iter().map(|(what, value)| format!("  {what:<40} {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_has_every_number() {
        let report = NabReport {
            standard: 71.2,
            low_fp: 62.5,
            low_fn: 75.0,
            standard_split_half: 68.5,
            windows: 80,
            windows_hit: 66,
            false_positive_rows: 1_203,
        };
        let table = table(&report);
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        for number in ["71.2", "62.5", "75.0", "68.5", "66 of 80", "1203"] {
            assert!(table.contains(number), "{number} in {table}");
        }
    }
}
