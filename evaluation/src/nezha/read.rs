//! The files of one day, told apart by their headers: metrics of each pod, the users' view, who calls whom, latencies of each call at
//! its source and at its destination, and the list of faults.
//!
//! The `Time` column is the clock: one pod's `TimeStamp` column is years off, and the fault list's `inject_timestamp` is off by a time
//! zone (`inject_time` is UTC).

use super::clock::seconds;
use crate::csv::Table;
use crate::{Dataset, DatasetError};
use picket_diagnosis::root_cause::{CallGraph, MetricKind, Period, Series};
use std::collections::BTreeMap;
use std::path::Path;

/// Length of a step, seconds.
const STEP_S: f64 = 60.0;
/// More rows than this are no day: a clock is wrong.
const ROWS_MAX: usize = 100_000;

/// An injected fault.
pub(super) struct Fault {
    pub what: String,
    pub service: String,
    /// First row that is stamped at or after the injection.
    pub row: usize,
}

/// One day.
pub(super) struct Day {
    pub graph: CallGraph,
    /// The node whose series are the users' view.
    pub front: String,
    /// Services that have pods: the possible causes.
    pub services: Vec<String>,
    pub period: Period,
    pub faults: Vec<Fault>,
}

/// `name-5b67c48447-mv5hb` is a pod of `name`.
fn service(pod: &str) -> String {
    let parts: Vec<_> = pod.split('-').collect();
    parts[..parts.len().saturating_sub(2).max(1)].join("-")
}

fn pod_kind(column: &str) -> Option<MetricKind> {
    match column {
        "CpuUsage(m)" => Some(MetricKind::Cpu),
        "MemoryUsage(Mi)" => Some(MetricKind::Memory),
        "NetworkTransmitBytes" => Some(MetricKind::Sent),
        "PodWorkload(Ops)" => Some(MetricKind::Traffic),
        // Read for the comparison alone.
        "NetworkReceiveBytes" | "PodClientLatencyP90(s)" | "PodSuccessRate(%)" => Some(MetricKind::Other),
        _ if column.starts_with("PodServerLatency") => Some(MetricKind::Latency),
        _ => None,
    }
}

fn front_kind(column: &str) -> Option<MetricKind> {
    if column.starts_with("SuccessRate") {
        return Some(MetricKind::Availability);
    }
    column.starts_with("Latency").then_some(MetricKind::Latency)
}

/// Rows of a table by step since `begin`.
struct Grid {
    begin: f64,
    rows: usize,
}

impl Grid {
    fn step(&self, at: f64) -> f64 {
        (at - self.begin) / STEP_S
    }

    fn readings(&self, table: &Table, column: usize) -> Result<Vec<f64>, DatasetError> {
        let mut readings = vec![f64::NAN; self.rows];
        for row in 1..table.rows.len() {
            let step = self.step(time(table, row)?).round();
            if step >= 0.0 && (step as usize) < self.rows {
                readings[step as usize] = table.number(row, column)?;
            }
        }
        Ok(readings)
    }
}

fn time(table: &Table, row: usize) -> Result<f64, DatasetError> {
    let cell = &table.rows[row][0];
    seconds(cell).ok_or_else(|| table.wrong(row, &format!("`{cell}` is no time like `2022-08-22 03:51:19 +0000`")))
}

#[derive(Default)]
struct Tables {
    pods: Vec<Table>,
    front: Option<Table>,
    calls: Option<Table>,
    at_source: Option<Table>,
    at_destination: Option<Table>,
}

fn tables(set: &Dataset, day: &str) -> Result<Tables, DatasetError> {
    let mut found = Tables::default();
    let of_day = |path: &Path| path.strip_prefix(set.folder()).unwrap_or(path).to_string_lossy().contains(day);
    for path in set.files()?.into_iter().filter(|p| of_day(p) && p.extension().is_some_and(|e| e == "csv")) {
        let table = Table::read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match (table.rows[0][0].trim(), table.rows[0].get(2).map_or("", |c| c.trim())) {
            ("Source", _) => found.calls = Some(table),
            (_, "PodName") => found.pods.push(table),
            (_, "ServiceName") => found.front = Some(table),
            _ if name.contains("source") => found.at_source = Some(table),
            _ if name.contains("destination") => found.at_destination = Some(table),
            _ => return Err(table.wrong(0, "neither a pod's metrics nor the users' view, calls or their latencies")),
        }
    }
    Ok(found)
}

fn faults(set: &Dataset, day: &str, grid: &Grid) -> Result<Vec<Fault>, DatasetError> {
    // The day stands in the file's name, or else in its times.
    let (mut named, mut timed) = (None, None);
    for path in set.files()?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
        let text = std::fs::read_to_string(&path).map_err(|error| DatasetError::Io { path: path.clone(), error })?;
        let place = path.strip_prefix(set.folder()).unwrap_or(&path).to_string_lossy().contains(day);
        if place && named.is_none() {
            named = Some((path, text));
        } else if timed.is_none() && text.contains("inject_time") && text.contains(day) {
            timed = Some((path, text));
        }
    }
    let missing = || DatasetError::Missing { path: set.folder().to_owned(), what: format!("fault list of {day}") };
    let (path, text) = named.or(timed).ok_or_else(missing)?;
    let wrong = |line: usize, why: String| DatasetError::Malformed { path: path.clone(), line, why };
    let hours: BTreeMap<String, Vec<BTreeMap<String, serde_json::Value>>> =
        serde_json::from_str(&text).map_err(|e| wrong(e.line(), e.to_string()))?;
    let mut faults = Vec::new();
    for fault in hours.values().flatten() {
        let get = |key: &str| fault.get(key).and_then(|v| v.as_str()).ok_or_else(|| wrong(0, format!("a fault without `{key}`")));
        let (at, pod) = (get("inject_time")?, get("inject_pod")?);
        let step = grid.step(seconds(at).ok_or_else(|| wrong(0, format!("`{at}` is no time")))?).ceil();
        if step < 0.0 || step as usize >= grid.rows {
            return Err(wrong(0, format!("the fault at {at} lies outside the metrics")));
        }
        let what = format!("{at} {} {pod}", get("inject_type")?);
        faults.push(Fault { what, service: service(pod), row: step as usize });
    }
    faults.sort_by_key(|f| f.row);
    Ok(faults)
}

/// Latency of each call at its source beyond that at its destination: time on the way.
fn on_the_way(source: &Table, destination: &Table, grid: &Grid, services: &[String]) -> Result<Vec<Series>, DatasetError> {
    let mut series = Vec::new();
    for (column, name) in source.rows[0].iter().enumerate().skip(2) {
        let known = |(caller, callee): (&str, &str)| [caller, callee].iter().all(|s| services.iter().any(|known| known == s));
        let split = name.match_indices('_').map(|(at, _)| (&name[..at], &name[at + 1..])).find(|pair| known(*pair));
        let (Some((caller, callee)), Some(other)) = (split, destination.column(name)) else { continue };
        let (there, here) = (grid.readings(source, column)?, grid.readings(destination, other)?);
        let readings = there.iter().zip(&here).map(|(s, d)| if s.is_nan() || d.is_nan() { f64::NAN } else { (s - d).max(0.0) });
        series.push(Series {
            node: callee.to_owned(),
            instance: String::new(),
            metric: format!("time on the way from {caller}"),
            kind: MetricKind::Network,
            readings: readings.collect(),
        });
    }
    Ok(series)
}

/// Reads one day.
pub(super) fn day(set: &Dataset, day: &str) -> Result<Day, DatasetError> {
    let found = tables(set, day)?;
    let missing = |what: &str| DatasetError::Missing { path: set.folder().to_owned(), what: format!("{what} of {day}") };
    let front_table = found.front.ok_or_else(|| missing("users' view (a table with ServiceName)"))?;
    let (mut begin, mut end) = (f64::INFINITY, f64::NEG_INFINITY);
    for table in found.pods.iter().chain([&front_table]).filter(|t| t.rows.len() > 1) {
        begin = begin.min(time(table, 1)?);
        end = end.max(time(table, table.rows.len() - 1)?);
    }
    let rows = ((end - begin) / STEP_S).round();
    if found.pods.is_empty() || !(0.0..ROWS_MAX as f64).contains(&rows) {
        return Err(missing("metrics of pods, within one day,"));
    }
    let grid = Grid { begin, rows: rows as usize + 1 };
    let (mut series, mut services) = (Vec::new(), Vec::new());
    for table in &found.pods {
        let pod = table.rows.get(1).map(|row| row[2].clone()).ok_or_else(|| table.wrong(0, "no readings"))?;
        services.push(service(&pod));
        for (column, name) in table.rows[0].iter().enumerate() {
            if let Some(kind) = pod_kind(name.trim()) {
                let readings = grid.readings(table, column)?;
                series.push(Series { node: service(&pod), instance: pod.clone(), metric: name.clone(), kind, readings });
            }
        }
    }
    services.sort();
    services.dedup();
    let mut graph = CallGraph::default();
    for row in found.calls.iter().flat_map(|t| t.rows.iter().skip(1)) {
        // Other rows say which host a service runs on.
        if [&row[0], &row[1]].iter().all(|name| services.contains(name)) {
            graph.add(&row[0], &row[1]);
        }
    }
    let label = front_table.rows.get(1).map(|row| row[2].clone()).ok_or_else(|| front_table.wrong(0, "no readings"))?;
    let front = services.iter().find(|s| s.eq_ignore_ascii_case(&label)).cloned().unwrap_or_else(|| label.clone());
    if !services.contains(&front) {
        let entries: Vec<_> = graph.entries().map(str::to_owned).collect();
        entries.iter().for_each(|entry| graph.add(&front, entry));
    }
    for (column, name) in front_table.rows[0].iter().enumerate() {
        if let Some(kind) = front_kind(name.trim()) {
            let readings = grid.readings(&front_table, column)?;
            series.push(Series { node: front.clone(), instance: label.clone(), metric: name.clone(), kind, readings });
        }
    }
    if let (Some(source), Some(destination)) = (&found.at_source, &found.at_destination) {
        series.extend(on_the_way(source, destination, &grid, &services)?);
    }
    let faults = faults(set, day, &grid)?;
    Ok(Day { graph, front, services, period: Period { series, usable: Vec::new() }, faults })
}
