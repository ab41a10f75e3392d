//! `picket eval scenarios`: the pipeline's own code against simulated clusters, on virtual time: as fast as the machine allows, and repeatable.

use super::world::{START, World};
use crate::judge::Earned;
use crate::roles::agent::retriever;
use crate::score_table::ScoreTable;
use futures::StreamExt as _;
use picket_diagnosis::Retriever;
use picket_diagnosis::calibration::{Calibrator, brier_score, cross_fit, expected_calibration_error};
use picket_loadtest::bootstrap::share_low;
use picket_loadtest::disturbance::Disturbance;
use picket_loadtest::report::{Observations, Report, score};
use picket_loadtest::scenario::Scenario;
use picket_loadtest::truth::TruthRecord;

/// What an evaluation is told.
#[derive(Clone, Debug, clap::Args)]
pub struct ScenarioOptions {
    /// Runs, each with a seed of its own from `--from`.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// demo, quiet, one-oom, conflict, earn.
    #[arg(long, default_value = "demo", value_name = "NAME")]
    scenario: Scenario,
    /// Length of one run, event time [default: 540; earn: 3600; quiet: 86400].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(200..=86_400))]
    duration_s: Option<u32>,
    /// Metrics arrive so many seconds after they were measured.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=600))]
    metrics_late_s: u32,
    /// Share of metric points that never arrive, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    points_missing: f64,
    /// Services' clocks are up to so many seconds apart.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=600))]
    clocks_apart_s: u32,
    /// Machine output.
    #[arg(long)]
    json: bool,
    /// Writes what was seen, said and done beside the truth into this file.
    #[arg(long)]
    trace: Option<std::path::PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| format!("`{text}` is no share between 0 and 1"))
}

impl ScenarioOptions {
    fn disturbance(&self) -> Disturbance {
        Disturbance {
            metrics_late_ms: i64::from(self.metrics_late_s) * 1000,
            points_missing: self.points_missing,
            clocks_apart_ms: i64::from(self.clocks_apart_s) * 1000,
        }
    }
}

/// Folds of the calibration that is judged.
const FOLDS: usize = 5;

/// What calibration would make of the named causes' posteriors, each fitted to the other folds.
#[derive(serde::Serialize)]
struct CalibrationReport {
    ece_calibrated: Option<f64>,
    brier_calibrated: Option<f64>,
    /// Fitted to all of them.
    calibration: Calibrator,
}

impl CalibrationReport {
    fn of(score: &Report) -> Self {
        let crossed = cross_fit(&score.judged, FOLDS);
        Self {
            ece_calibrated: expected_calibration_error(&crossed),
            brier_calibrated: brier_score(&crossed),
            calibration: Calibrator::fit(&score.judged),
        }
    }
}

/// The score over all seeds, and what each agent earned in each.
#[derive(serde::Serialize)]
struct EvalReport<'a> {
    #[serde(flatten)]
    score: &'a Report,
    #[serde(flatten)]
    calibration: CalibrationReport,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    earned: &'a [Earned],
}

/// What came of one seed.
struct Run {
    seed: u64,
    truth: Vec<TruthRecord>,
    observed: Observations,
    told: String,
    earned: Vec<Earned>,
}

async fn one(
    scenario: Scenario,
    seed: u64,
    duration_s: i64,
    disturbance: &Disturbance,
    retriever: &std::sync::Arc<Retriever>,
) -> anyhow::Result<Run> {
    let mut world = World::new(scenario, seed, duration_s, disturbance, retriever).await?;
    world.run(duration_s).await?;
    let earned = if world.judge.promotes() { world.judge.earned(seed, START).await? } else { Vec::new() };
    let (truth, observed, told) = world.finish().await?;
    Ok(Run { seed, truth, observed, told, earned })
}

/// Runs every seed and prints one score over all.
///
/// # Errors
/// When the model is missing or an invariant was violated.
pub async fn run(options: &ScenarioOptions) -> anyhow::Result<()> {
    let scenario = options.scenario;
    let retriever = tokio::task::spawn_blocking(retriever).await??;
    let bar = if options.json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(options.seeds) };
    let duration_s = options.duration_s.map_or(scenario.run_s() as i64, i64::from);
    let disturbance = options.disturbance();
    let (mut truths, mut seen, mut earned, mut right) = (Vec::new(), Observations::default(), Vec::new(), Vec::new());
    // Runs share nothing, and come out in the order of their seeds whichever ends first.
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runs = futures::stream::iter(options.from..options.from + options.seeds)
        .map(|seed| {
            let (disturbance, retriever) = (disturbance.clone(), retriever.clone());
            tokio::spawn(async move { one(scenario, seed, duration_s, &disturbance, &retriever).await })
        })
        .buffered(at_once);
    while let Some(run) = runs.next().await {
        let Run { seed, truth, observed, told, earned: earned_here } = run??;
        earned.extend(earned_here);
        if let Some(path) = &options.trace {
            use std::io::Write as _;
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "SEED {seed}\n{told}")?;
        }
        let alone = score(&truth, &observed);
        right.push((alone.catalogued_right, alone.catalogued_diagnosed));
        truths.extend(truth);
        seen.incidents.extend(observed.incidents);
        seen.diagnoses.extend(observed.diagnoses);
        seen.ledger.extend(observed.ledger);
        for (invariant, count) in observed.violations {
            *seen.violations.entry(invariant).or_default() += count;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut report = score(&truths, &seen);
    if let (Some(wilson), Some(over_runs)) = (report.diagnosis_accuracy_low, share_low(&right)) {
        report.diagnosis_accuracy_low = Some(wilson.min(over_runs));
    }
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&EvalReport { score: &report, calibration: CalibrationReport::of(&report), earned: &earned })?
        );
    } else {
        println!("{}", ScoreTable(&report));
        earned.iter().for_each(|one| print!("{one}"));
        for note in &report.notes {
            println!("  {note}");
        }
    }
    anyhow::ensure!(report.violations.values().all(|n| *n == 0), "invariants were violated: {:?}", report.violations);
    Ok(())
}
