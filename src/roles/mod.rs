//! The roles: one process each.

pub mod actuator;
pub mod agent;
mod chat;
pub mod coordinator;
pub mod dashboard;
pub mod gateway;
pub mod observer;
pub mod pager;
pub mod simulator;

use picket_core::ports::PortError;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// Set by a supervisor that holds the child's standard input open: the child ends when it closes.
pub const SUPERVISED_VARIABLE: &str = "PICKET_SUPERVISED";

/// Resolves when the process is asked to end: SIGINT, SIGTERM, or its supervisor is gone.
pub async fn asked_to_end() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return std::future::pending().await;
        }
    };
    let supervisor_gone = async {
        if std::env::var_os(SUPERVISED_VARIABLE).is_none() {
            return std::future::pending().await;
        }
        let mut byte = [0];
        // Nobody writes to it: whatever comes back, the other end is gone.
        _ = tokio::io::stdin().read(&mut byte).await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = supervisor_gone => {}
    }
}

/// Takes one step after another until the process is asked to end.
pub async fn drive(every_ms: u64, mut step: impl AsyncFnMut() -> Result<(), PortError>) {
    let mut pace = Pace::new(every_ms);
    let end = asked_to_end();
    tokio::pin!(end);
    loop {
        let pause = tokio::select! {
            () = &mut end => return,
            done = step() => {
                let result = if done.is_ok() { "ok" } else { "failed" };
                metrics::counter!("picket_steps_total", "result" => result).increment(1);
                pace.after(done)
            }
        };
        tokio::select! {
            () = &mut end => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Pauses between steps: short while all is well, growing (with jitter) while a port is away.
#[derive(Debug)]
struct Pace {
    every: Duration,
    failures: u32,
}

/// Longest pause after failures.
const PAUSE_MAX_MS: u64 = 5_000;

impl Pace {
    /// One step every `every_ms`.
    const fn new(every_ms: u64) -> Self {
        Self { every: Duration::from_millis(every_ms), failures: 0 }
    }

    /// Logs a failure once per streak and says how long to wait.
    fn after(&mut self, outcome: Result<(), PortError>) -> Duration {
        match outcome {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::info!(failures = self.failures, "working again");
                }
                self.failures = 0;
                self.every
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(%error, "step failed; trying again");
                }
                self.failures = (self.failures + 1).min(16);
                let base = (self.every.as_millis() as u64) << self.failures.min(5);
                let jitter = rand::random_range(0.5..1.0);
                Duration::from_millis((base.min(PAUSE_MAX_MS) as f64 * jitter) as u64)
            }
        }
    }
}
