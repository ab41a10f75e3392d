//! How long nobody is served after the leader dies.

use super::LeaseService;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// One death.
#[derive(Debug, Serialize)]
pub struct FailoverReport {
    /// From the kill until the next acquire succeeded.
    pub failover_ms: f64,
    /// Attempts that failed in between.
    pub failed_attempts: u64,
}

/// Cycles for `before` (so that connections stand), calls `kill`, and waits for the next acquire.
///
/// # Errors
/// What went wrong before the kill; or that nothing was acquired within `patience` after it.
pub async fn measure_failover<S: LeaseService>(
    service: &S,
    run: &str,
    before: Duration,
    patience: Duration,
    kill: impl AsyncFnOnce() -> Result<(), String>,
) -> Result<FailoverReport, String> {
    let warm_until = Instant::now() + before;
    while Instant::now() < warm_until {
        let held = service.acquire(run).await?;
        service.release(run, held).await?;
    }
    kill().await?;
    let killed = Instant::now();
    let mut failed_attempts = 0;
    loop {
        // A failed attempt may have taken the name.
        let name = format!("{run}-{failed_attempts}");
        let left = patience.saturating_sub(killed.elapsed());
        match tokio::time::timeout(left, service.acquire(&name)).await {
            Ok(Ok(held)) => {
                let failover_ms = killed.elapsed().as_secs_f64() * 1000.0;
                service.release(&name, held).await?;
                return Ok(FailoverReport { failover_ms, failed_attempts });
            }
            Ok(Err(_)) => {
                failed_attempts += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(_) => return Err(format!("nothing was acquired within {patience:?} after the kill")),
        }
    }
}
