//! Prints rows so that columns line up.

/// Prints a header and rows; nothing but a sentence when there are none.
pub fn print<const N: usize>(header: [&str; N], rows: &[[String; N]], empty: &str) {
    if rows.is_empty() {
        println!("{empty}");
        return;
    }
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).chain([header[column].chars().count()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(header);
    for row in rows {
        line(std::array::from_fn(|i| row[i].as_str()));
    }
}
