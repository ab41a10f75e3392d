//! The Numenta Anomaly Benchmark: one file per series, `timestamp,value`.

use super::recording::Point;
use super::{ReplayError, read};
use crate::calendar::parse_timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// First line of a series.
pub(super) const HEADER: &str = "timestamp,value";

/// The points of one file: service and metric are named by the file, the namespace by its folder.
pub(super) fn points(path: &Path) -> Result<Vec<Point>, ReplayError> {
    let text = read(path)?;
    let name = |path: Option<&std::ffi::OsStr>| path.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let service = name(path.file_stem());
    let namespace = name(path.parent().and_then(Path::file_name));
    let mut first_ms = None;
    let mut points = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = |why: &str| ReplayError::Malformed { path: path.to_owned(), line: index + 1, why: why.to_owned() };
        let (at, value) = line.split_once(',').ok_or_else(|| malformed("expected timestamp,value"))?;
        let at = parse_timestamp(at).ok_or_else(|| malformed("the timestamp is no time"))?;
        let value: f64 = value.trim().parse().map_err(|_| malformed("the value is no number"))?;
        let offset_ms = at.0 - *first_ms.get_or_insert(at.0);
        points.push(Point {
            offset_ms,
            namespace: namespace.clone(),
            service: service.clone(),
            metric: "nab.value".to_owned(),
            unit: "1",
            attributes: BTreeMap::new(),
            value,
        });
    }
    // Clock changes make a few series step back: a recording goes forward only.
    points.retain(|point| point.offset_ms >= 0);
    Ok(points)
}
