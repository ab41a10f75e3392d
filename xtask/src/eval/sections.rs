//! What is evaluated, and what is shown of it.

use std::path::{Path, PathBuf};

/// Where the public sets are, and how many runs the scenarios have.
pub struct Sets<'a> {
    pub data: Option<&'a Path>,
    pub seeds: u64,
    pub from: u64,
}

/// One table of the document.
pub struct Section {
    /// Its name on the command line and in the document.
    pub name: &'static str,
    /// What must be there for it.
    pub needs: Option<PathBuf>,
    /// Its rows.
    pub runs: Vec<Run>,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// One command of picket, one row.
pub struct Run {
    pub label: String,
    /// After `picket`, without `--json`.
    pub arguments: Vec<String>,
}

/// One value of the command's JSON.
pub struct Column {
    pub head: &'static str,
    pub show: Show,
}

/// How.
pub enum Show {
    /// A number, with so many decimals.
    Number(&'static str, usize),
    /// Part and whole.
    Of(&'static str, &'static str),
    /// The sum of an object's numbers.
    Sum(&'static str),
}

fn column(head: &'static str, show: Show) -> Column {
    Column { head, show }
}

fn run(label: &str, arguments: &[&str]) -> Run {
    Run { label: label.to_owned(), arguments: arguments.iter().map(|text| (*text).to_owned()).collect() }
}

/// All of them, in the document's order.
pub fn sections(sets: &Sets<'_>) -> Vec<Section> {
    vec![nab(sets), petshop(sets), nezha(sets), itbench(sets), retrieval(sets), scenarios(sets), quiet(sets)]
}

/// Where a set lies; without a folder at a place that is nowhere.
fn at(sets: &Sets<'_>, name: &str) -> PathBuf {
    sets.data.map_or_else(|| Path::new("DIR").join(name), |data| data.join(name))
}

fn nab(sets: &Sets<'_>) -> Section {
    let data = at(sets, "nab");
    Section {
        name: "nab",
        runs: vec![run("picket", &["eval", "nab", "--data", &data.to_string_lossy()])],
        needs: Some(data),
        columns: vec![
            column("standard", Show::Number("standard", 1)),
            column("low FP", Show::Number("low_fp", 1)),
            column("low FN", Show::Number("low_fn", 1)),
            column("split half", Show::Number("standard_split_half", 1)),
            column("windows hit", Show::Of("windows_hit", "windows")),
            column("rows flagged outside", Show::Number("false_positive_rows", 0)),
        ],
    }
}

fn root_cause_columns() -> Vec<Column> {
    vec![
        column("cases", Show::Number("cases", 0)),
        column("top 1", Show::Number("top1", 3)),
        column("top 3", Show::Number("top3", 3)),
        column("top 5", Show::Number("top5", 3)),
        column("first and named", Show::Number("top1_named", 3)),
        column("specificity", Show::Number("specificity", 3)),
        column("normal windows", Show::Number("normal_windows", 0)),
        column("by largest z: top 1", Show::Number("/largest_z/0", 2)),
        column("top 3", Show::Number("/largest_z/1", 2)),
        column("top 5", Show::Number("/largest_z/2", 2)),
    ]
}

fn petshop(sets: &Sets<'_>) -> Section {
    let data = at(sets, "petshop");
    Section {
        name: "petshop",
        runs: vec![run("PetShop", &["eval", "petshop", "--data", &data.to_string_lossy()])],
        needs: Some(data),
        columns: root_cause_columns(),
    }
}

fn nezha(sets: &Sets<'_>) -> Section {
    let data = at(sets, "nezha");
    let day = |label, day| run(label, &["eval", "nezha", "--data", &data.to_string_lossy(), "--day", day]);
    Section {
        name: "nezha",
        runs: vec![day("Online Boutique", "2022-08-22"), day("Train Ticket", "2023-01-29")],
        needs: Some(data),
        columns: root_cause_columns(),
    }
}

fn itbench(sets: &Sets<'_>) -> Section {
    let data = at(sets, "itbench");
    Section {
        name: "itbench",
        runs: vec![run("picket", &["eval", "itbench", "--data", &data.to_string_lossy()])],
        needs: Some(data),
        columns: vec![
            column("scenarios", Show::Number("scenarios", 0)),
            column("cases", Show::Number("cases", 0)),
            column("not rankable", Show::Number("not_rankable", 0)),
            column("without alerts", Show::Number("no_alerts", 0)),
            column("without truth", Show::Number("no_truth", 0)),
            column("top 1", Show::Number("top1", 3)),
            column("top 3", Show::Number("top3", 3)),
            column("top 1 by chance", Show::Number("top1_by_chance", 3)),
            column("named", Show::Number("named", 0)),
            column("abstained", Show::Number("abstained", 0)),
            column("wrong acts", Show::Of("acts_wrong", "acts_proposed")),
            column("alerts without a symptom", Show::Of("alerts_unknown", "alerts")),
        ],
    }
}

fn retrieval(sets: &Sets<'_>) -> Section {
    let data = at(sets, "runbooks");
    let file = |name: &str| data.join(name).to_string_lossy().into_owned();
    let (documents, queries) = (file("documents.jsonl.xz"), file("queries-dev.jsonl"));
    let arguments = ["eval", "retrieval", "--documents", &documents, "--queries", &queries];
    Section {
        name: "retrieval",
        runs: vec![run("normal", &arguments), run("hard", &[&arguments[..], &["--hard"]].concat())],
        needs: Some(data),
        columns: vec![
            column("queries", Show::Number("queries", 0)),
            column("documents", Show::Number("documents", 0)),
            column("recall@1", Show::Number("recall_at_1", 3)),
            column("recall@5", Show::Number("recall_at_5", 3)),
            column("MRR", Show::Number("mrr", 3)),
            column("ms a query, p50", Show::Number("ms_per_query_p50", 1)),
        ],
    }
}

fn scenario_columns() -> Vec<Column> {
    vec![
        column("detected", Show::Of("incidents_detected", "incidents_injected")),
        column("MTTD p50, s", Show::Number("mttd_p50_s", 0)),
        column("p95, s", Show::Number("mttd_p95_s", 0)),
        column("MTTR p95, s", Show::Number("mttr_p95_s", 0)),
        column("right cause", Show::Of("catalogued_right", "catalogued_diagnosed")),
        column("lower bound", Show::Number("diagnosis_accuracy_low", 3)),
        column("abstained, uncatalogued", Show::Of("uncatalogued_abstained", "uncatalogued")),
        column("false incidents", Show::Of("false_positives", "incidents_opened")),
        column("traps acted on", Show::Of("traps_acted_on", "traps")),
        column("acts", Show::Number("actions_applied", 0)),
        column("undone", Show::Number("actions_undone", 0)),
        column("ECE", Show::Number("ece", 3)),
        column("violations", Show::Sum("violations")),
    ]
}

fn scenarios(sets: &Sets<'_>) -> Section {
    let (seeds, from) = (sets.seeds.to_string(), sets.from.to_string());
    let arguments = ["eval", "scenarios", "--seeds", &seeds, "--from", &from];
    let with = |label, more: &[&str]| run(label, &[&arguments[..], more].concat());
    Section {
        name: "scenarios",
        needs: None,
        runs: vec![
            with("clean", &[]),
            with("metrics 60 s late", &["--metrics-late-s", "60"]),
            with("10 % of points missing", &["--points-missing", "0.1"]),
            with("clocks 30 s apart", &["--clocks-apart-s", "30"]),
            with("all three", &["--metrics-late-s", "60", "--points-missing", "0.1", "--clocks-apart-s", "30"]),
        ],
        columns: scenario_columns(),
    }
}

fn quiet(sets: &Sets<'_>) -> Section {
    let from = sets.from.to_string();
    Section {
        name: "quiet",
        needs: None,
        runs: vec![run("24 hours, 72 services", &["eval", "scenarios", "--scenario", "quiet", "--from", &from])],
        columns: vec![
            column("incidents", Show::Number("incidents_opened", 0)),
            column("false", Show::Number("false_positives", 0)),
            column("waste found", Show::Of("waste_found", "waste")),
            column("acts", Show::Number("actions_applied", 0)),
            column("of those without a fault", Show::Number("actions_without_fault", 0)),
            column("violations", Show::Sum("violations")),
        ],
    }
}
