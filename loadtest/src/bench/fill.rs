//! Many leases that live.

use super::LeaseService;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct FillReport {
    /// Leases that were taken and not given back.
    pub leases: usize,
    /// How long it took.
    pub seconds: f64,
}

/// Takes `count` names and keeps them; one client per service given.
///
/// # Errors
/// The first acquire that failed.
pub async fn fill<S: LeaseService>(services: Vec<S>, run: &str, count: usize) -> Result<FillReport, String> {
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut running: JoinSet<Result<(), String>> = JoinSet::new();
    for service in services {
        let (next, run) = (next.clone(), run.to_owned());
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                service.acquire(&format!("{run}-full-{number}")).await?;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(|e| e.to_string())??;
    }
    Ok(FillReport { leases: count, seconds: begun.elapsed().as_secs_f64() })
}
