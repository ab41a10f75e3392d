//! Comma-separated tables, read with the line that is wrong.

use crate::DatasetError;
use std::path::{Path, PathBuf};

/// A table as text, each row with its line.
#[derive(Debug)]
pub(crate) struct Table {
    pub path: PathBuf,
    pub rows: Vec<Vec<String>>,
}

fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A doubled quote within quotes is one quote.
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(letter),
        }
    }
    cells.push(cell);
    cells
}

impl Table {
    /// Reads it; every row must be as wide as the first. Empty lines at the end are left out.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let text = std::fs::read_to_string(path).map_err(|error| DatasetError::Io { path: path.to_owned(), error })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, DatasetError> {
        let rows: Vec<_> = text.trim_start_matches('\u{feff}').trim_end().lines().map(|l| cells(l.trim_end_matches('\r'))).collect();
        let table = Self { path: path.to_owned(), rows };
        let width = table.rows.first().map_or(0, Vec::len);
        match table.rows.iter().position(|row| row.len() != width) {
            Some(row) => Err(table.wrong(row, &format!("{} cells where the first line has {width}", table.rows[row].len()))),
            None if width < 2 => Err(table.wrong(0, "no table: fewer than two cells in the first line")),
            None => Ok(table),
        }
    }

    /// An error about a row, counted from 0.
    pub fn wrong(&self, row: usize, why: &str) -> DatasetError {
        DatasetError::Malformed { path: self.path.clone(), line: row + 1, why: why.to_owned() }
    }

    /// A reading; an empty cell or `NaN` is none.
    pub fn number(&self, row: usize, column: usize) -> Result<f64, DatasetError> {
        let cell = self.rows[row][column].trim();
        if cell.is_empty() || cell.eq_ignore_ascii_case("nan") {
            return Ok(f64::NAN);
        }
        let value = cell.parse::<f64>().map_err(|_| self.wrong(row, &format!("`{cell}` in column {} is no number", column + 1)))?;
        Ok(if value.is_finite() { value } else { f64::NAN })
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.rows.first()?.iter().position(|cell| cell.trim() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_the_line_that_is_wrong() {
        let at = Path::new("x.csv");
        let table = Table::parse(at, "a,b\r\n1,\"x, \"\"y\"\"\"\n,NaN\n").unwrap();
        assert_eq!(table.rows[1], ["1", "x, \"y\""]);
        assert!(table.number(2, 0).unwrap().is_nan() && table.number(2, 1).unwrap().is_nan());
        assert!(matches!(table.number(1, 1), Err(DatasetError::Malformed { line: 2, .. })));
        assert_eq!((table.column("b"), table.column("c")), (Some(1), None));
        assert!(matches!(Table::parse(at, "a,b\n1,2\n3\n"), Err(DatasetError::Malformed { line: 3, .. })));
        assert!(matches!(Table::parse(at, ""), Err(DatasetError::Malformed { line: 1, .. })));
    }
}
