//! A simulated cluster as a process: follows the run clock, sends telemetry, serves the Kubernetes API, keeps the ground truth's file,
//! and answers the person who looks after the simulation.

use crate::cluster::SimCluster;
use crate::faults::FaultPlan;
use crate::kubernetes_api::{self, ApiTokens};
use crate::otlp_out::{OtlpSender, SenderError};
use crate::parameters::SimParameters;
use crate::truth::TruthRecord;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// How often the model catches up with the clock, in real time.
const STEP: Duration = Duration::from_millis(200);
/// How long the last telemetry may take at the end.
const CLOSING: Duration = Duration::from_secs(3);

/// What a process needs to know.
pub struct SimConfig {
    /// The cluster's name.
    pub cluster: String,
    /// Seed of the run.
    pub seed: u64,
    /// The run clock (event time).
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Event time at which the run starts.
    pub start: Timestamp,
    /// The gateway's OTLP/HTTP endpoint.
    pub gateway_http: String,
    /// This cluster's token at the gateway.
    pub token: String,
    /// Where the Kubernetes API listens; port 0 takes a free one.
    pub api_listen: SocketAddr,
    /// Who may use it.
    pub api_tokens: ApiTokens,
    /// Where the simulation's own door listens (ground truth, pages): never given to picket.
    pub control_listen: SocketAddr,
    /// The ground truth's file; it is written anew.
    pub truth_path: PathBuf,
    /// The faults (those of other clusters are passed over).
    pub plans: Vec<FaultPlan>,
    /// The model's parameters.
    pub parameters: SimParameters,
}

impl fmt::Debug for SimConfig {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimConfig")
            .field("cluster", &self.cluster)
            .field("seed", &self.seed)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// Why a simulation could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// An address is taken or not ours.
    #[error("cannot listen on {address} for the {what}: {source}; choose another address or port 0")]
    Listen {
        /// Which door.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The ground truth cannot be written.
    #[error("cannot write the ground truth to {path}: {source}")]
    Truth {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No client for the gateway.
    #[error(transparent)]
    Sender(#[from] SenderError),
    /// A server stopped.
    #[error("the {what} stopped: {source}")]
    Server {
        /// Which door.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A simulation that is bound to its addresses and ready to run.
#[derive(Debug)]
pub struct Simulation {
    config: SimConfig,
    cluster: Arc<Mutex<SimCluster>>,
    api: TcpListener,
    control: TcpListener,
    truth: File,
}

/// Binds and runs until `shutdown` resolves.
pub async fn run(config: SimConfig, shutdown: impl Future<Output = ()> + Send) -> Result<(), ProcessError> {
    Simulation::prepare(config).await?.run(shutdown).await
}

impl Simulation {
    /// Builds the cluster, binds the addresses, opens the ground truth's file.
    pub async fn prepare(config: SimConfig) -> Result<Self, ProcessError> {
        // Only the first installation in a process counts; a second one is told so and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bind = |what, address| async move {
            TcpListener::bind(address).await.map_err(|source| ProcessError::Listen { what, address, source })
        };
        let api = bind("Kubernetes API", config.api_listen).await?;
        let control = bind("control door", config.control_listen).await?;
        let truth = File::create(&config.truth_path).map_err(|source| ProcessError::Truth { path: config.truth_path.clone(), source })?;
        let cluster = SimCluster::new(&config.cluster, config.seed, config.start, config.parameters.clone()).with_faults(&config.plans);
        Ok(Self { cluster: Arc::new(Mutex::new(cluster)), config, api, control, truth })
    }

    /// Where the Kubernetes API listens.
    pub fn api_address(&self) -> std::io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Where the control door listens.
    pub fn control_address(&self) -> std::io::Result<SocketAddr> {
        self.control.local_addr()
    }

    /// The cluster, for tests in the same process.
    #[must_use]
    pub fn cluster(&self) -> Arc<Mutex<SimCluster>> {
        self.cluster.clone()
    }

    /// Runs until `shutdown` resolves.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ProcessError> {
        let Self { config, cluster, api, control, mut truth } = self;
        let sender = OtlpSender::new(&config.gateway_http, &config.token)?;
        let api_router = kubernetes_api::router(cluster.clone(), config.api_tokens.clone());
        let api_server =
            async move { axum::serve(api, api_router).await.map_err(|source| ProcessError::Server { what: "Kubernetes API", source }) };
        let control_router = control_router(cluster.clone());
        let control_server = async move {
            axum::serve(control, control_router).await.map_err(|source| ProcessError::Server { what: "control door", source })
        };
        let path = config.truth_path.clone();
        let clock = config.clock.clone();
        let (stepping, sending) = (cluster.clone(), &sender);
        let steps = async move {
            let mut interval = tokio::time::interval(STEP);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                step(&stepping, clock(), sending, &mut truth).map_err(|source| ProcessError::Truth { path: path.clone(), source })?;
            }
        };
        let result = tokio::select! {
            () = shutdown => Ok(()),
            stopped = api_server => stopped,
            stopped = control_server => stopped,
            failed = steps => failed,
        };
        sender.close(CLOSING).await;
        result
    }
}

/// Catches up with the clock. A jump of the clock is walked through in whole intervals, so that no telemetry is left out.
fn step(cluster: &Mutex<SimCluster>, to: Timestamp, sender: &OtlpSender, truth: &mut File) -> std::io::Result<()> {
    let mut changed = Vec::new();
    loop {
        let telemetry = {
            let mut cluster = lock(cluster);
            cluster.advance_until_due(to);
            changed.extend(cluster.take_changed_truths());
            cluster.telemetry_is_due().then(|| cluster.telemetry())
        };
        match telemetry {
            Some(telemetry) => sender.send(&telemetry),
            None => break,
        }
    }
    for record in changed {
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        truth.write_all(line.as_bytes())?;
    }
    truth.flush()
}

/// A model whose lock was poisoned by a panic in another request is still whole: each step ends before the lock is given up.
fn lock(cluster: &Mutex<SimCluster>) -> MutexGuard<'_, SimCluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A page: the service, by name or as `cluster/namespace/name`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Page {
    /// The service.
    pub service: String,
}

/// What a page brought about.
#[derive(Debug, Deserialize, Serialize)]
pub struct Paged {
    /// Faults that the person on call will repair.
    pub faults: usize,
}

/// The simulation's own door: `GET /truth`, `POST /page`, `GET /health`.
pub fn control_router(cluster: Arc<Mutex<SimCluster>>) -> Router {
    Router::new()
        .route("/health", get(|| async { StatusCode::OK }))
        .route(
            "/truth",
            get(|State(cluster): State<Arc<Mutex<SimCluster>>>| async move { Json::<Vec<TruthRecord>>(lock(&cluster).truths()) }),
        )
        .route(
            "/page",
            post(|State(cluster): State<Arc<Mutex<SimCluster>>>, Json(page): Json<Page>| async move {
                Json(Paged { faults: lock(&cluster).page(&page.service) })
            }),
        )
        .with_state(cluster)
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
