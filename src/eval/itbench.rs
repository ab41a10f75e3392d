//! `picket eval itbench`: live diagnosis on the alerts of ITBench's incidents alone.

use picket_evaluation::Dataset;
use picket_evaluation::itbench::{ItBenchReport, Outcome, evaluate};
use std::fmt::Write as _;
use std::path::PathBuf;

/// What the evaluation is told.
#[derive(Clone, Debug, clap::Args)]
pub struct ItBenchOptions {
    /// The set: a folder with `groundtruth` and `scenarios`, an archive of it, or a folder of archives.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// Diagnoses every scenario and prints what came of it.
///
/// # Errors
/// When the set cannot be read, or the diagnosis fails.
pub async fn run(options: &ItBenchOptions) -> anyhow::Result<()> {
    let bar = if options.json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(0) };
    let (path, shown) = (options.data.clone(), bar.clone());
    let report = tokio::task::spawn_blocking(move || {
        let set = Dataset::open(&path)?;
        evaluate(&set, |done, total| {
            shown.set_length(total as u64);
            shown.set_position(done as u64);
        })
    })
    .await?;
    bar.finish_and_clear();
    let report = report?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table(&report));
    }
    Ok(())
}

/// The report for people: the score, the alerts that were left out, and every case whose cause is not first.
fn table(report: &ItBenchReport) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = [
        ("scenarios", report.scenarios.to_string()),
        ("cases: the cause is a service", report.cases.to_string()),
        ("its cause is none, not ranked", report.not_rankable.to_string()),
        ("no alert of a service", report.no_alerts.to_string()),
        ("no truth in the set", report.no_truth.to_string()),
        ("true cause in top 1, 3", format!("{}, {}", percent(report.top1), percent(report.top3))),
        ("top 1 by chance", percent(report.top1_by_chance)),
        ("cause named, of these wrongly", format!("{}, {}", report.named, report.named_wrong)),
        ("abstained", report.abstained.to_string()),
        ("acts proposed, of these wrong", format!("{}, {}", report.acts_proposed, report.acts_wrong)),
        ("alerts", report.alerts.to_string()),
        ("without a symptom, left out", report.alerts_unknown.to_string()),
        ("on no service, left out", report.alerts_unplaced.to_string()),
    ];
    let mut text: String = rows.iter().map(|(what, value)| format!("  {what:<32} {value}\n")).collect();
    let mut line = |what: String| {
        let fitting: String = what.chars().take(76).collect();
        let _ = writeln!(text, "  {fitting}");
    };
    for (id, count) in &report.unknown {
        line(format!("no symptom: {id} ({count})"));
    }
    for one in report.judged.iter().filter(|one| one.outcome == Outcome::Case && one.position != Some(1)) {
        let place = one.position.map_or_else(|| "not among the suspects".to_owned(), |at| format!("place {at} of {}", one.ranked));
        let first = one.first.as_deref().unwrap_or("nobody");
        line(format!("{}: {} at {place}; first {first}", one.scenario, one.right.join(" or ")));
    }
    for one in report.judged.iter().filter(|one| one.act_wrong) {
        line(format!("{}: wrong act: {}", one.scenario, one.act.as_deref().unwrap_or_default()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_evaluation::itbench::Judged;

    #[test]
    fn the_table_fits_a_terminal_and_has_every_number() {
        let missed = Judged {
            scenario: "41".to_owned(),
            outcome: Outcome::Case,
            right: vec!["cart".to_owned(), "c".repeat(200)],
            position: Some(3),
            ranked: 6,
            first: Some("ad".to_owned()),
            act: Some("rollout_restart ad".to_owned()),
            act_wrong: true,
            ..Judged::default()
        };
        let report = ItBenchReport {
            scenarios: 134,
            cases: 110,
            not_rankable: 21,
            no_alerts: 1,
            no_truth: 2,
            top1: 0.705,
            top3: 0.912,
            top1_by_chance: 0.198,
            named: 9,
            named_wrong: 5,
            abstained: 122,
            acts_proposed: 7,
            acts_wrong: 6,
            alerts: 1_212,
            alerts_unknown: 19,
            alerts_unplaced: 14,
            unknown: [("NoRequestsOpened".to_owned(), 3)].into(),
            judged: vec![missed],
        };
        let table = table(&report);
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        for part in ["134", "110", "21", "70.5 %, 91.2 %", "19.8 %", "9, 5", "122", "7, 6", "1212", "19", "14", "NoRequestsOpened (3)"] {
            assert!(table.contains(part), "{part} in {table}");
        }
        assert!(table.contains("41: cart or c") && table.contains("41: wrong act: rollout_restart ad"), "{table}");
    }
}
