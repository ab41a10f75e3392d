//! `picket bench detect`: baselines and Isolation Forests, as fast as one thread takes them.

use picket_core::time::Timestamp;
use picket_detection::{Baseline, IsolationForest};
use std::hint::black_box;
use std::time::Instant;

/// One point of a series comes this often.
const INTERVAL_MS: i64 = 5_000;
/// Points of a series before the measurement: its baseline is warm then.
const WARM_UP: usize = 16;
/// Rows that a forest is fitted to, and features of a row.
const ROWS: usize = 256;
const FEATURES: usize = 8;
/// Fits, and passes over all rows, of which the median is reported.
const REPEATS: usize = 51;

/// How much.
#[derive(Clone, Debug, clap::Args)]
pub struct DetectOptions {
    /// Series, each with a baseline of its own.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    series: u32,
    /// Points that every series gets after its warm-up.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    points: u32,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DetectReport {
    /// Baselines held at once.
    pub series: u32,
    /// Values judged and learned per second of processor time.
    pub updates_per_cpu_s: f64,
    /// Memory of a baseline, its heap included.
    pub bytes_per_series: f64,
    /// Fitting a forest of 100 trees to 256 rows of 8 features, on the clock, median.
    pub iforest_fit_ms: f64,
    /// Scoring one row, on the clock, median over passes.
    pub iforest_score_us: f64,
    /// Values that were three deviations or more off: what the work was for.
    pub breaches: u64,
}

/// Processor time of this thread, s; without the kernel's count, time on the clock. The kernel counts in ticks of some milliseconds.
fn cpu_s(started: Instant) -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = spent.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    ns.map_or_else(|| started.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// Evenly from 0..1, by number.
fn drawn(number: u64) -> f64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Judges and learns, as detection does with a window's value of one series; in the order in which a collector's export names them.
fn baselines(options: &DetectOptions, started: Instant) -> (f64, f64, u64) {
    let mut series: Vec<Baseline> = (0..options.series).map(|_| Baseline::new(450_000, 12, 50_000)).collect();
    // Drawn beforehand: what is measured is the baseline.
    let noise: Vec<f64> = (0..4096).map(|n| 100.0 + 10.0 * (drawn(3 * n) + drawn(3 * n + 1) + drawn(3 * n + 2) - 1.5)).collect();
    let mut breaches = 0;
    let mut pass = |point: usize| {
        let at = Timestamp(point as i64 * INTERVAL_MS);
        for (number, baseline) in series.iter_mut().enumerate() {
            let value = noise[(number * 31 + point * 17) % noise.len()];
            let expected = baseline.expected().unwrap_or(value);
            breaches += u64::from(baseline.is_warm() && (value - expected).abs() >= 3.0 * baseline.sigma(0.1));
            baseline.learn(at, value, 0.1);
        }
    };
    (0..WARM_UP).for_each(&mut pass);
    let before = cpu_s(started);
    (WARM_UP..WARM_UP + options.points as usize).for_each(&mut pass);
    let spent = cpu_s(started) - before;
    let bytes: usize = series.iter().map(Baseline::bytes).sum();
    let updates = f64::from(options.series) * f64::from(options.points);
    (updates / spent.max(1e-9), bytes as f64 / f64::from(options.series), breaches)
}

/// Milliseconds to fit a forest, and microseconds to score a row.
fn forest() -> anyhow::Result<(f64, f64)> {
    let row = |r: usize| -> [f32; FEATURES] { std::array::from_fn(|f| drawn((r * FEATURES + f) as u64) as f32) };
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let (mut fits, mut scores) = (Vec::new(), Vec::new());
    for seed in 0..REPEATS as u64 {
        let begun = Instant::now();
        let forest = black_box(IsolationForest::fit(&rows, seed));
        fits.push(begun.elapsed().as_secs_f64() * 1e3);
        let forest = forest.ok_or_else(|| anyhow::anyhow!("no forest could be fitted"))?;
        let begun = Instant::now();
        black_box(rows.iter().map(|row| forest.score(row)).sum::<f32>());
        scores.push(begun.elapsed().as_secs_f64() * 1e6 / ROWS as f64);
    }
    Ok((median(&mut fits), median(&mut scores)))
}

/// Measures and prints.
///
/// # Errors
/// When the forest cannot be fitted.
pub fn run(options: &DetectOptions) -> anyhow::Result<()> {
    let started = Instant::now();
    let (updates_per_cpu_s, bytes_per_series, breaches) = baselines(options, started);
    let (iforest_fit_ms, iforest_score_us) = forest()?;
    let report = DetectReport { series: options.series, updates_per_cpu_s, bytes_per_series, iforest_fit_ms, iforest_score_us, breaches };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    println!("{} series: {updates_per_cpu_s:.0} updates per second of processor time, {bytes_per_series:.0} bytes each", report.series);
    println!("Isolation Forest ({ROWS} x {FEATURES}): fitted in {iforest_fit_ms:.2} ms, a row scored in {iforest_score_us:.2} us");
    Ok(())
}
