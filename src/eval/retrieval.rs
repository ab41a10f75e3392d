//! `picket eval retrieval`: the search of live diagnosis on a set of runbooks and alerts.

use anyhow::Context as _;
use picket_adapters::candle::MiniLm;
use picket_diagnosis::Retriever;
use picket_evaluation::retrieval::{RetrievalReport, documents, evaluate, harder, questions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the bar moves while the documents are embedded, which tells nothing in between.
const TICK: Duration = Duration::from_millis(200);

/// What the evaluation is told.
#[derive(Clone, Debug, clap::Args)]
pub struct RetrievalOptions {
    /// The documents, a line of JSON each: id, title, text; plain or packed by xz or gzip.
    #[arg(long, value_name = "FILE")]
    documents: PathBuf,
    /// The queries, a line of JSON each: query, query_no_name, rel (ids of documents).
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// Ask without the alert's name, of documents without title and alert name.
    #[arg(long)]
    hard: bool,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// Asks every query and prints the numbers.
///
/// # Errors
/// When a file cannot be read, or the embedding model is not there.
pub async fn run(options: &RetrievalOptions) -> anyhow::Result<()> {
    let bar = if options.json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new_spinner() };
    let (given, shown) = (options.clone(), bar.clone());
    let report = tokio::task::spawn_blocking(move || measure(&given, &shown)).await?;
    bar.finish_and_clear();
    let report = report?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table(&report));
    }
    Ok(())
}

fn measure(options: &RetrievalOptions, bar: &indicatif::ProgressBar) -> anyhow::Result<RetrievalReport> {
    let questions = questions(&options.queries, options.hard)?;
    let mut documents = documents(&options.documents)?;
    if options.hard {
        documents = documents.iter().map(harder).collect();
    }
    let embedder = Arc::new(MiniLm::locate_and_load()?);
    bar.set_message(format!("embedding {} documents", documents.len()));
    bar.enable_steady_tick(TICK);
    let retriever = Retriever::new(documents, Some(embedder)).context("the documents cannot be indexed")?;
    bar.set_message("asking");
    let started = Instant::now();
    let clock_ms = || started.elapsed().as_secs_f64() * 1000.0;
    let progress = |done: usize, total: usize| bar.set_message(format!("asking, {done} of {total}"));
    Ok(evaluate(&retriever, &questions, clock_ms, progress)?)
}

/// The report for people.
fn table(report: &RetrievalReport) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = [
        ("right document first", percent(report.recall_at_1)),
        ("right document among the first five", percent(report.recall_at_5)),
        ("mean reciprocal rank", format!("{:.3}", report.mrr)),
        ("queries", report.queries.to_string()),
        ("queries whose documents are not there", report.queries_without_document.to_string()),
        ("documents", report.documents.to_string()),
        ("ms a query, median", format!("{:.1}", report.ms_per_query_p50)),
        ("ms a query, 95th percentile", format!("{:.1}", report.ms_per_query_p95)),
    ];
    let misses = report.misses.iter().map(|miss| {
        let place = miss.position.map_or_else(|| "not found".to_owned(), |at| format!("at place {at}"));
        let right: Vec<_> = miss.relevant.iter().map(ToString::to_string).collect();
        let first = miss.first.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        format!("  {} {place}; first {first}\n", right.join(" or "))
    });
    rows.iter().map(|(what, value)| format!("  {what:<40} {value}\n")).chain(misses).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_evaluation::retrieval::Miss;

    #[test]
    fn the_table_has_every_number_and_the_json_the_promised_keys() {
        let miss = Miss { query: "it is slow".into(), position: Some(3), first: Some("other".into()), relevant: ["right".into()].into() };
        let report = RetrievalReport {
            recall_at_1: 0.917,
            recall_at_5: 0.991,
            mrr: 0.9461,
            queries: 109,
            queries_without_document: 2,
            documents: 372,
            ms_per_query_p50: 31.21,
            ms_per_query_p95: 47.5,
            misses: vec![miss],
        };
        let table = table(&report);
        for number in ["91.7 %", "99.1 %", "0.946", "109", "372", "31.2", "47.5", "right at place 3; first other"] {
            assert!(table.contains(number), "{number} in {table}");
        }
        let json = serde_json::to_value(&report).unwrap();
        for key in ["recall_at_1", "recall_at_5", "mrr", "queries", "documents", "ms_per_query_p50"] {
            assert!(json[key].is_number(), "{key} in {json}");
        }
    }
}
