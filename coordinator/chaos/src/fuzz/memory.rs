//! What a process holds.

use std::fs;

/// Resident memory of a process, in MB; of this one without an id. `None` when it is gone.
#[must_use]
pub fn resident_mb(process: Option<u32>) -> Option<u64> {
    let of = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let status = fs::read_to_string(format!("/proc/{of}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kb: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024)
}
