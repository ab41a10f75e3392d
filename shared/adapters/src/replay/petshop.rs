//! PetShop: a table with three header rows (service, metric, statistic) and one row per five minutes.

use super::recording::Point;
use super::{ReplayError, read};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the table's file.
pub(super) const FILE: &str = "metrics.csv";
/// First cells of the header rows.
const HEADERS: [&str; 3] = ["microservice", "metric", "statistic"];
const NAMESPACE: &str = "petshop";

/// True when the file begins as such a table does.
pub(super) fn is_table(text: &str) -> bool {
    text.starts_with("microservice,")
}

/// The points of one table; an empty cell is no measurement.
pub(super) fn points(path: &Path) -> Result<Vec<Point>, ReplayError> {
    let text = read(path)?;
    let malformed = |line: usize, why: String| ReplayError::Malformed { path: path.to_owned(), line, why };
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    for (row, header) in HEADERS.iter().enumerate() {
        if rows.get(row).and_then(|row| row.first()) != Some(header) {
            return Err(malformed(row + 1, format!("expected the header row `{header}`")));
        }
    }
    let (services, metrics, statistics) = (&rows[0], &rows[1], &rows[2]);
    if metrics.len() != services.len() || statistics.len() != services.len() {
        return Err(malformed(2, "the header rows differ in length".to_owned()));
    }
    let mut first_ms = None;
    let mut points = Vec::new();
    // A fourth header row names the index: `unix_timestamp`.
    for (index, row) in rows.iter().enumerate().skip(HEADERS.len()).filter(|(_, row)| row[0] != "unix_timestamp" && !row[0].is_empty()) {
        let at_s: f64 = row[0].parse().map_err(|_| malformed(index + 1, format!("`{}` is no time", row[0])))?;
        let at_ms = (at_s * 1_000.0) as i64;
        let offset_ms = at_ms - *first_ms.get_or_insert(at_ms);
        for (column, cell) in row.iter().enumerate().skip(1).filter(|(_, cell)| !cell.is_empty()) {
            let value: f64 = cell.parse().map_err(|_| malformed(index + 1, format!("`{cell}` is no number")))?;
            let (Some(service), Some(metric), Some(statistic)) = (services.get(column), metrics.get(column), statistics.get(column)) else {
                return Err(malformed(index + 1, "the row is longer than the header".to_owned()));
            };
            points.push(Point {
                offset_ms,
                namespace: NAMESPACE.to_owned(),
                service: (*service).to_owned(),
                metric: format!("petshop.{metric}"),
                unit: unit(metric),
                attributes: BTreeMap::from([("statistic".to_owned(), (*statistic).to_owned())]),
                value,
            });
        }
    }
    points.retain(|point| point.offset_ms >= 0);
    Ok(points)
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "latency" => "s",
        "requests" => "{request}",
        "availability" => "%",
        _ => "1",
    }
}
