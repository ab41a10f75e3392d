//! The files: `graph.csv` (row calls column), `metrics.csv` (three header rows: node, metric, statistic; then a row per step that
//! begins with a Unix time), `target.json` beside an incident's metrics. Files are told apart by what they hold, not by their names.

use crate::csv::Table;
use crate::{Dataset, DatasetError};
use picket_diagnosis::root_cause::CallGraph;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Node, metric, statistic.
pub(super) type Column = (String, String, String);

/// Readings at even steps.
pub(super) struct Metrics {
    /// Unix seconds, rising: the begin of each step.
    pub times: Vec<f64>,
    /// Every column's readings; NaN where a cell is empty.
    pub columns: BTreeMap<Column, Vec<f64>>,
}

/// The complaint, and what was behind it.
pub(super) struct Incident {
    pub name: String,
    /// Folder it lies in, relative to the set.
    pub part: String,
    pub node: String,
    pub metric: String,
    pub statistic: String,
    /// Unix seconds.
    pub at: f64,
    pub root_cause: String,
    pub metrics: Metrics,
}

/// One graph with its normal period and incidents.
pub(super) struct Scenario {
    /// Folder it lies in, relative to the set.
    pub name: String,
    pub graph: CallGraph,
    pub normal: Metrics,
    pub incidents: Vec<Incident>,
}

fn graph(table: &Table) -> Result<CallGraph, DatasetError> {
    let mut graph = CallGraph::default();
    for row in 1..table.rows.len() {
        for column in 1..table.rows[row].len() {
            if table.number(row, column)? > 0.0 {
                graph.add(&table.rows[row][0], &table.rows[0][column]);
            }
        }
    }
    if graph.is_empty() { Err(table.wrong(0, "a graph in which nobody calls anybody")) } else { Ok(graph) }
}

fn metrics(table: &Table) -> Result<Metrics, DatasetError> {
    if table.rows.len() < 4 {
        return Err(table.wrong(table.rows.len().saturating_sub(1), "three header rows and readings are expected"));
    }
    // The name of the time column may have a line of its own.
    let is_time = |row: usize| table.rows[row][0].trim().parse::<f64>().is_ok();
    let first = if is_time(3) { 3 } else { 4 };
    let mut times: Vec<f64> = Vec::new();
    for row in first..table.rows.len() {
        let time = table.number(row, 0)?;
        if time.is_nan() || times.last().is_some_and(|last| *last >= time) {
            return Err(table.wrong(row, "its time is missing, or not after the one before"));
        }
        times.push(time);
    }
    if times.is_empty() {
        return Err(table.wrong(table.rows.len() - 1, "no readings"));
    }
    let mut columns = BTreeMap::new();
    for column in 1..table.rows[0].len() {
        let key = (table.rows[0][column].clone(), table.rows[1][column].clone(), table.rows[2][column].clone());
        let readings: Result<Vec<_>, _> = (first..table.rows.len()).map(|row| table.number(row, column)).collect();
        columns.insert(key, readings?);
    }
    Ok(Metrics { times, columns })
}

/// Node, metric, statistic, time, root cause.
struct Target(String, String, String, f64, String);

fn target(path: &Path) -> Result<Target, DatasetError> {
    let text = std::fs::read_to_string(path).map_err(|error| DatasetError::Io { path: path.to_owned(), error })?;
    let wrong = |line: usize, why: String| DatasetError::Malformed { path: path.to_owned(), line, why };
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(e.line(), e.to_string()))?;
    let text = |at: &str| json.pointer(at).and_then(serde_json::Value::as_str).map(str::to_owned);
    let need = |at: &str| text(at).ok_or_else(|| wrong(0, format!("no text at {at}")));
    let at = json.pointer("/target/timestamp").and_then(serde_json::Value::as_f64);
    let at = at.ok_or_else(|| wrong(0, "no number at /target/timestamp".to_owned()))?;
    let statistic = text("/target/agg").unwrap_or_else(|| "Average".to_owned());
    Ok(Target(need("/target/node")?, need("/target/metric")?, statistic, at, need("/root_cause/node")?))
}

/// The metrics that lie beside a target: the only ones in its folder, or those of the same name.
fn beside<'a>(target: &Path, tables: &'a BTreeMap<PathBuf, Table>) -> Option<&'a Table> {
    let near: Vec<_> = tables.values().filter(|t| t.path.parent() == target.parent()).collect();
    match near.as_slice() {
        [only] => Some(*only),
        several => several.iter().copied().find(|t| t.path.file_stem() == target.file_stem()),
    }
}

/// Reads every scenario of the set.
pub(super) fn scenarios(set: &Dataset) -> Result<Vec<Scenario>, DatasetError> {
    let (mut graphs, mut tables, mut targets) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for path in set.files()? {
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => {
                let table = Table::read(&path)?;
                match table.rows[0][0].trim() {
                    "" => graphs.insert(path, table),
                    "microservice" => tables.insert(path, table),
                    other => return Err(table.wrong(0, &format!("begins with `{other}`: neither a graph nor metrics"))),
                };
            }
            Some("json") => targets.push(path),
            _ => {}
        }
    }
    let missing = |what: &str| DatasetError::Missing { path: set.folder().to_owned(), what: what.to_owned() };
    let folder = |path: &Path| path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let relative = |path: &Path| path.strip_prefix(set.folder()).unwrap_or(path).display().to_string();
    let mut scenarios = Vec::new();
    for (path, table) in &graphs {
        let home = folder(path);
        let mut incidents = Vec::new();
        for path in targets.iter().filter(|t| t.starts_with(&home)) {
            let found = beside(path, &tables).ok_or_else(|| missing(&format!("metrics beside {}", path.display())))?;
            let Target(node, metric, statistic, at, root_cause) = target(path)?;
            let place = folder(path);
            let (part, name) = (relative(&folder(&place)), relative(&place));
            incidents.push(Incident { name, part, node, metric, statistic, at, root_cause, metrics: metrics(found)? });
        }
        let has_target = |t: &Table| targets.iter().any(|target| target.parent() == t.path.parent());
        let normal = tables.values().find(|t| t.path.starts_with(&home) && !has_target(t));
        let normal = normal.ok_or_else(|| missing(&format!("metrics of a normal period below {}", home.display())))?;
        scenarios.push(Scenario { name: relative(&home), graph: graph(table)?, normal: metrics(normal)?, incidents });
    }
    if scenarios.iter().all(|s| s.incidents.is_empty()) {
        return Err(missing("graph with incidents"));
    }
    Ok(scenarios)
}
