//! The set in a folder: `data/<category>/<file>.csv` and `labels/combined_windows.json`.

use super::civil;
use crate::{Dataset, DatasetError};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the windows are.
const WINDOWS: &str = "combined_windows.json";

/// Rows in which an anomaly is to be detected, first and last.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub first: usize,
    /// Last row.
    pub last: usize,
}

impl Window {
    /// Rows in it.
    #[must_use]
    pub const fn rows(self) -> usize {
        self.last - self.first + 1
    }
}

/// One series with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledSeries {
    /// Category and file.
    pub name: String,
    /// Time and value of each row, as the file has them.
    pub rows: Vec<(Timestamp, f64)>,
    /// What is to be detected, in order, apart from each other.
    pub windows: Vec<Window>,
}

impl LabelledSeries {
    /// Rows at the start that are not scored: 15 % of them, at most 750.
    #[must_use]
    pub fn probation(&self) -> usize {
        (self.rows.len() * 15 / 100).min(750)
    }
}

/// Every labelled series of a set, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// The series.
    pub series: Vec<LabelledSeries>,
}

impl Corpus {
    /// Reads a set.
    ///
    /// # Errors
    /// When labels or a labelled series are absent or not what they should be.
    pub fn read(set: &Dataset) -> Result<Self, DatasetError> {
        let files = set.files()?;
        let labels = files.iter().find(|p| p.file_name().is_some_and(|n| n == WINDOWS));
        let labels = labels.ok_or_else(|| DatasetError::Missing { path: set.folder().to_owned(), what: WINDOWS.to_owned() })?;
        let text = text(labels)?;
        let spans: BTreeMap<String, Vec<(String, String)>> =
            serde_json::from_str(&text).map_err(|e| malformed(labels, e.line(), e.to_string()))?;
        let mut series = Vec::new();
        for (name, spans) in spans {
            let path = files.iter().find(|p| p.ends_with(Path::new("data").join(&name)));
            let path = path.ok_or_else(|| DatasetError::Missing { path: set.folder().to_owned(), what: format!("data/{name}") })?;
            let rows = rows(path)?;
            let windows = spans.iter().map(|span| window(&rows, span).ok_or_else(|| bad_window(labels, &name, span)));
            let mut windows: Vec<Window> = windows.collect::<Result<_, _>>()?;
            windows.sort_by_key(|w| w.first);
            if let Some(pair) = windows.windows(2).find(|pair| pair[0].last >= pair[1].first) {
                return Err(malformed(labels, 0, format!("{name}: windows share row {}", pair[1].first)));
            }
            series.push(LabelledSeries { name, rows, windows });
        }
        if series.iter().all(|s| s.windows.is_empty()) {
            return Err(malformed(labels, 0, "no window in any series".to_owned()));
        }
        Ok(Self { series })
    }
}

fn text(path: &Path) -> Result<String, DatasetError> {
    std::fs::read_to_string(path).map_err(|error| DatasetError::Io { path: path.to_owned(), error })
}

fn malformed(path: &Path, line: usize, why: String) -> DatasetError {
    DatasetError::Malformed { path: PathBuf::from(path), line, why }
}

fn bad_window(path: &Path, name: &str, (from, to): &(String, String)) -> DatasetError {
    malformed(path, 0, format!("{name}: no rows from {from:?} to {to:?}"))
}

/// The rows of a file after its heading.
fn rows(path: &Path) -> Result<Vec<(Timestamp, f64)>, DatasetError> {
    let text = text(path)?;
    let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    let row = |(i, line): (usize, &str)| {
        let read = line.split_once(',').and_then(|(at, value)| Some((civil::timestamp(at)?, value.trim().parse().ok()?)));
        read.ok_or_else(|| malformed(path, i + 1, format!("{line:?} is no timestamp and value")))
    };
    lines.map(row).collect()
}

/// The rows of a span of time: from the first row in it to the first that carries its end, or else the last before it. Clocks that
/// were set back make a time occur twice; the first counts, as it does in the published scorer.
fn window(rows: &[(Timestamp, f64)], (from, to): &(String, String)) -> Option<Window> {
    let (from, to) = (civil::timestamp(from)?, civil::timestamp(to)?);
    let first = rows.iter().position(|(at, _)| *at >= from)?;
    let last = match rows[first..].iter().position(|(at, _)| *at >= to) {
        Some(after) if rows[first + after].0 == to => first + after,
        Some(after) => (first + after).checked_sub(1)?,
        None => rows.len() - 1,
    };
    (from <= to && last >= first).then_some(Window { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &str, data: &str) -> Result<Corpus, DatasetError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("data/a")).unwrap();
        std::fs::create_dir_all(home.path().join("labels")).unwrap();
        std::fs::write(home.path().join("data/a/x.csv"), data).unwrap();
        std::fs::write(home.path().join("labels").join(WINDOWS), labels).unwrap();
        Corpus::read(&Dataset::open(home.path()).unwrap())
    }

    const DATA: &str = "timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 00:05:00,2.5\n2014-01-01 00:10:00,-3e1\n";

    #[test]
    fn series_and_windows_are_read() {
        let corpus = set(r#"{"a/x.csv": [["2014-01-01 00:05:00.000000", "2014-01-01 00:10:00.000000"]]}"#, DATA).unwrap();
        let series = &corpus.series[0];
        assert_eq!((series.name.as_str(), series.rows.len(), series.rows[2].1), ("a/x.csv", 3, -30.0));
        assert_eq!(series.windows, [Window { first: 1, last: 2 }]);
        let between = set(r#"{"a/x.csv": [["2014-01-01 00:01:00", "2014-01-01 00:07:00"]]}"#, DATA).unwrap();
        assert_eq!(between.series[0].windows, [Window { first: 1, last: 1 }]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let window = r#"{"a/x.csv": [["2014-01-01 00:05:00", "2014-01-01 00:10:00"]]}"#;
        let broken = set(window, "timestamp,value\n2014-01-01 00:00:00,1\nyesterday,2\n").unwrap_err().to_string();
        assert!(broken.contains("line 3") && broken.contains("yesterday"), "{broken}");
        let absent = set(r#"{"a/y.csv": []}"#, DATA).unwrap_err().to_string();
        assert!(absent.contains("data/a/y.csv"), "{absent}");
        let late = set(r#"{"a/x.csv": [["2015-01-01 00:05:00", "2015-01-01 00:10:00"]]}"#, DATA).unwrap_err().to_string();
        assert!(late.contains("no rows"), "{late}");
        assert!(set(r#"{"a/x.csv": []}"#, DATA).is_err(), "nothing to detect");
    }
}
