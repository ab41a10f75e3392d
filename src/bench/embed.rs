//! `picket bench embed`: the embedding model, as fast as this machine runs it.

use picket_adapters::candle::{MiniLm, model};
use picket_core::ports::Embedder;
use std::time::Instant;

/// A short text: an alert's summary.
const SHORT: &str = "the container was killed because it ran out of memory";
/// Repeats of it that fill the model's window.
const LONG_REPEATS: usize = 40;
/// Texts of the batch: as an index over a few runbooks is made.
const BATCH: usize = 64;

/// How much.
#[derive(Clone, Debug, clap::Args)]
pub struct EmbedOptions {
    /// Calls of each kind, of which the median is reported.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeats: u32,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What was measured; times on the clock.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EmbedReport {
    /// Checking the model's files and loading them.
    pub load_ms: f64,
    /// One text of ten words, median.
    pub short_ms_p50: f64,
    /// One text that fills the window of 256 tokens, median.
    pub long_ms_p50: f64,
    /// Texts per second, 64 in one call, every fourth of them about half a window long.
    pub texts_per_s: f64,
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Median time of embedding these, ms.
fn median_ms(embedder: &dyn Embedder, texts: &[String], repeats: u32) -> anyhow::Result<f64> {
    // The first call pays for what is made once.
    embedder.embed(texts)?;
    let mut times = Vec::new();
    for _ in 0..repeats {
        let begun = Instant::now();
        embedder.embed(texts)?;
        times.push(ms(begun));
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Measures and prints.
///
/// # Errors
/// When the model is missing or fails.
pub fn run(options: &EmbedOptions) -> anyhow::Result<()> {
    let begun = Instant::now();
    let embedder = MiniLm::load(&model::locate()?)?;
    let load_ms = ms(begun);
    let long = |repeats: usize| format!("{SHORT}; ").repeat(repeats);
    let batch: Vec<_> = (0..BATCH).map(|n| if n % 4 == 0 { long(LONG_REPEATS / 4) } else { format!("{SHORT} {n}") }).collect();
    let report = EmbedReport {
        load_ms,
        short_ms_p50: median_ms(&embedder, &[SHORT.to_owned()], options.repeats)?,
        long_ms_p50: median_ms(&embedder, &[long(LONG_REPEATS)], options.repeats)?,
        texts_per_s: BATCH as f64 * 1e3 / median_ms(&embedder, &batch, options.repeats.div_ceil(5))?.max(1e-6),
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let EmbedReport { short_ms_p50, long_ms_p50, texts_per_s, .. } = report;
    println!(
        "loaded in {load_ms:.0} ms; a short text {short_ms_p50:.1} ms, a long one {long_ms_p50:.1} ms; {texts_per_s:.0} texts/s in batches of {BATCH}"
    );
    Ok(())
}
