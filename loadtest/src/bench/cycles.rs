//! Clients that acquire and release, each a name of its own, as fast as they are answered.

use super::LeaseService;
use super::latencies::Latencies;
use serde::Serialize;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Pause of a client after an error: a service that is away is not asked in a tight loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// How much load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Tells the names of this run from those of another.
    pub run: String,
    /// Not counted: connections are made, caches and the service warm up.
    pub warm_up: Duration,
    /// Counted.
    pub length: Duration,
}

/// What came of it. Counted are the cycles that ended within the measured length.
#[derive(Debug, Serialize)]
pub struct CycleReport {
    /// Clients, each with one cycle in progress at a time.
    pub clients: usize,
    /// Measured length.
    pub seconds: f64,
    /// Cycles: an acquire and its release.
    pub cycles: u64,
    /// Per second.
    pub cycles_per_s: f64,
    /// Of acquires; 0 when there were none.
    pub acquire_p50_ms: f64,
    /// Of acquires.
    pub acquire_p99_ms: f64,
    /// Of releases.
    pub release_p50_ms: f64,
    /// Of releases.
    pub release_p99_ms: f64,
    /// Calls that failed.
    pub errors: u64,
    /// What one of them said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Default)]
struct Tally {
    cycles: u64,
    acquires: Latencies,
    releases: Latencies,
    errors: u64,
    error: Option<String>,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.cycles += other.cycles;
        self.acquires.merge(other.acquires);
        self.releases.merge(other.releases);
        self.errors += other.errors;
        self.error = self.error.take().or(other.error);
    }
}

/// Runs one client per service given.
pub async fn run_cycles<S: LeaseService>(services: Vec<S>, load: &Load) -> CycleReport {
    let clients = services.len();
    let from = Instant::now() + load.warm_up;
    let until = from + load.length;
    let mut running = JoinSet::new();
    for (number, service) in services.into_iter().enumerate() {
        let run = load.run.clone();
        running.spawn(async move { client(service, &format!("{run}-{number}"), from, until).await });
    }
    let mut all = Tally::default();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(tally) => all.merge(tally),
            Err(error) => {
                all.errors += 1;
                all.error = Some(error.to_string());
            }
        }
    }
    all.acquires.sort();
    all.releases.sort();
    let ms = |of: &Latencies, share| of.percentile_ms(share).unwrap_or(0.0);
    let seconds = load.length.as_secs_f64();
    CycleReport {
        clients,
        seconds,
        cycles: all.cycles,
        cycles_per_s: all.cycles as f64 / seconds,
        acquire_p50_ms: ms(&all.acquires, 0.5),
        acquire_p99_ms: ms(&all.acquires, 0.99),
        release_p50_ms: ms(&all.releases, 0.5),
        release_p99_ms: ms(&all.releases, 0.99),
        errors: all.errors,
        error: all.error,
    }
}

async fn client<S: LeaseService>(service: S, name: &str, from: Instant, until: Instant) -> Tally {
    let mut tally = Tally::default();
    // After an error nobody knows whether the name is held: a new one is taken from then on.
    let mut life = 0u32;
    while Instant::now() < until {
        let name = format!("{name}-{life}");
        match cycle(&service, &name).await {
            Ok((acquired, released)) => {
                let now = Instant::now();
                if now >= from && now < until {
                    tally.cycles += 1;
                    tally.acquires.record(acquired);
                    tally.releases.record(released);
                }
            }
            Err(error) => {
                tally.errors += 1;
                tally.error = Some(error);
                life += 1;
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
    tally
}

async fn cycle<S: LeaseService>(service: &S, name: &str) -> Result<(Duration, Duration), String> {
    let begun = Instant::now();
    let held = service.acquire(name).await?;
    let acquired = begun.elapsed();
    service.release(name, held).await?;
    Ok((acquired, begun.elapsed() - acquired))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    /// Grants what is free, and fails the third acquire of all.
    #[derive(Clone, Default)]
    struct Book {
        held: Arc<Mutex<BTreeSet<String>>>,
        asked: Arc<Mutex<u32>>,
    }

    impl LeaseService for Book {
        type Held = String;

        async fn acquire(&self, name: &str) -> Result<String, String> {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            let is_new = self.held.lock().unwrap().insert(name.to_owned());
            match (*asked, is_new) {
                (3, _) => Err("lost on the way".to_owned()),
                (_, true) => Ok(name.to_owned()),
                (_, false) => Err("held".to_owned()),
            }
        }

        async fn release(&self, name: &str, held: String) -> Result<(), String> {
            assert_eq!(name, held);
            if self.held.lock().unwrap().remove(name) { Ok(()) } else { Err("not held".to_owned()) }
        }
    }

    #[tokio::test]
    async fn every_client_cycles_on_its_own_name_and_an_error_does_not_end_it() {
        let book = Book::default();
        let load = Load { run: "r".to_owned(), warm_up: Duration::from_millis(20), length: Duration::from_millis(200) };
        let report = run_cycles(vec![book.clone(), book.clone()], &load).await;
        assert_eq!((report.clients, report.errors), (2, 1), "{report:?}");
        assert!(report.cycles > 10 && report.cycles_per_s == report.cycles as f64 / 0.2, "{report:?}");
        assert!(report.acquire_p50_ms >= 2.0 && report.acquire_p99_ms >= report.acquire_p50_ms, "{report:?}");
        assert_eq!(book.held.lock().unwrap().len(), 1, "what was lost on the way stays held, and nothing else");
    }
}
