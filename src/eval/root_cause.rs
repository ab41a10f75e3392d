//! `picket eval petshop` and `picket eval nezha`: root-cause ranking against public sets.

use picket_evaluation::{Dataset, DatasetError, RootCauseReport, nezha, petshop};
use std::path::PathBuf;

/// What `petshop` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct PetShopOptions {
    /// The set: a folder, an archive, or a folder of archives.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What `nezha` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct NezhaOptions {
    /// The set: a folder, an archive, or a folder of archives.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Which day: 2022-08-22 (Online Boutique), 2023-01-29 (Train Ticket).
    #[arg(long, value_name = "DATE")]
    day: String,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// Evaluates on PetShop.
///
/// # Errors
/// When the set cannot be read.
pub async fn petshop(options: &PetShopOptions) -> anyhow::Result<()> {
    let data = options.data.clone();
    run(options.json, move |progress| petshop::evaluate(&Dataset::open(&data)?, progress)).await
}

/// Evaluates on one day of Nezha.
///
/// # Errors
/// When the set cannot be read.
pub async fn nezha(options: &NezhaOptions) -> anyhow::Result<()> {
    let (data, day) = (options.data.clone(), options.day.clone());
    run(options.json, move |progress| nezha::evaluate(&Dataset::open(&data)?, &day, progress)).await
}

/// Told what is done, of how much.
type Progress = Box<dyn FnMut(usize, usize) + Send>;

async fn run(json: bool, evaluate: impl FnOnce(Progress) -> Result<RootCauseReport, DatasetError> + Send + 'static) -> anyhow::Result<()> {
    let bar = if json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(1) };
    let moved = bar.clone();
    let progress: Progress = Box::new(move |done, total| {
        moved.set_length(total as u64);
        moved.set_position(done as u64);
    });
    let report = tokio::task::spawn_blocking(move || evaluate(progress)).await?;
    bar.finish_and_clear();
    let report = report?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn percent(share: f64) -> String {
    if share.is_nan() { "-".to_owned() } else { format!("{:.1} %", share * 100.0) }
}

fn print(report: &RootCauseReport) {
    let top = |[one, three, five]: [f64; 3]| format!("{}, {}, {}", percent(one), percent(three), percent(five));
    println!("  {:<32} {}", "true cause in top 1, 3, 5", top([report.top1, report.top3, report.top5]));
    println!("  {:<32} {}", "the same by largest z-score", top(report.largest_z));
    println!("  {:<32} {}", "first and named", percent(report.top1_named));
    println!("  {:<32} {} ({} windows)", "no cause in normal windows", percent(report.specificity), report.normal_windows);
    println!("  {:<32} {}", "cases", report.cases);
    for (name, part) in report.parts.iter().filter(|(_, part)| part.cases > 0) {
        println!("  {name:<32} {} of {}", top([part.top1, part.top3, part.top5]), part.cases);
    }
    for case in report.placed.iter().filter(|case| case.position != Some(1)) {
        let place = case.position.map_or_else(|| "not among the suspects".to_owned(), |at| format!("place {at}"));
        let first = case.first.as_deref().unwrap_or("nobody");
        println!("  {}: {} at {place}; first {first} ({})", case.case, case.truth, case.reasons.join("; "));
    }
}
