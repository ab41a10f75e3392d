//! What was measured on.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Appends that are timed.
const SYNCS: usize = 200;

/// Processor, cores, memory, kernel, and how long the disk takes for an append of 500 bytes with fdatasync.
///
/// # Errors
/// When the disk refuses.
pub fn describe(folder: &Path) -> anyhow::Result<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|l| l.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory_kb: u64 =
        field(&read("/proc/meminfo"), "MemTotal").and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let (p50, p99) = fdatasync(folder)?;
    Ok(format!(
        "{model}, {cores} cores, {} GB, Linux {kernel}; append of 500 bytes and fdatasync: p50 {:.2} ms, p99 {:.2} ms",
        memory_kb.div_ceil(1 << 20),
        p50.as_secs_f64() * 1000.0,
        p99.as_secs_f64() * 1000.0,
    ))
}

fn fdatasync(folder: &Path) -> anyhow::Result<(Duration, Duration)> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; 500])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    took.sort();
    Ok((took[SYNCS / 2], took[SYNCS * 99 / 100]))
}

/// Resident memory of a process, in megabytes.
///
/// # Errors
/// When there is no such process.
pub fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    let kb: f64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(kb / 1024.0)
}
