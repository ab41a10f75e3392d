//! Builds adapters from the configuration.

use anyhow::{Context as _, bail};
use picket_adapters::clock::RunClock;
use picket_adapters::kubernetes::{ApiObjects, ClusterAccess, KubernetesExecutor, KubernetesReader, client};
use picket_adapters::nats::{JetStreamBus, StreamSettings};
use picket_coordinator_client::CoordinatorClient;
use picket_core::config::{Cluster, Config};
use picket_core::ids::{ClusterName, Principal};
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, DetectionSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Environment variable that carries a run's clock to all its processes.
pub const CLOCK_VARIABLE: &str = "PICKET_CLOCK";

/// What every role starts from.
#[derive(Clone)]
pub struct Wiring {
    /// The configuration, checked.
    pub config: Config,
    /// The run clock.
    pub clock: RunClock,
}

impl Wiring {
    /// Reads the configuration and the clock.
    ///
    /// # Errors
    /// When either is bad.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { config: crate::config_file::load(path)?, clock: RunClock::from_env(CLOCK_VARIABLE)? })
    }

    /// The clock as pure code takes it.
    #[must_use]
    pub fn now(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clock;
        Arc::new(move || clock.now())
    }

    /// A folder below `data_dir`, made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn data(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = Path::new(&self.config.mesh.data_dir).join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        Ok(folder)
    }

    /// The certificates' folder.
    #[must_use]
    pub fn pki(&self) -> &Path {
        Path::new(&self.config.mesh.pki_dir)
    }

    /// The coordinator, spoken to as `principal`.
    ///
    /// # Errors
    /// When its certificate cannot be read.
    pub fn coordinator(&self, principal: &Principal) -> anyhow::Result<CoordinatorClient> {
        self.coordinator_at(principal, &[])
    }

    /// The same at these addresses; at those of the configuration when there are none.
    ///
    /// # Errors
    /// As `coordinator`.
    pub fn coordinator_at(&self, principal: &Principal, endpoints: &[String]) -> anyhow::Result<CoordinatorClient> {
        let configured = || self.config.mesh.coordinators.values().cloned().collect();
        let endpoints = if endpoints.is_empty() { configured() } else { endpoints.to_vec() };
        CoordinatorClient::from_pki_dir(self.pki(), principal, endpoints)
            .with_context(|| format!("no certificate of {principal} in {} (`picket pki init` makes one)", self.pki().display()))
    }

    /// The bus.
    ///
    /// # Errors
    /// When the server does not answer or runs its streams in another way.
    pub async fn bus(&self) -> anyhow::Result<JetStreamBus> {
        let url = &self.config.mesh.nats_url;
        JetStreamBus::connect(url, StreamSettings::default()).await.with_context(|| format!("the bus at {url}"))
    }

    /// One of the configured clusters.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn cluster(&self, name: &str) -> anyhow::Result<&Cluster> {
        let clusters = &self.config.mesh.clusters;
        clusters.iter().find(|c| c.name == name).with_context(|| {
            let known: Vec<_> = clusters.iter().map(|c| c.name.as_str()).collect();
            format!("mesh.clusters has no `{name}`; it has: {}", known.join(", "))
        })
    }

    /// The names of all clusters.
    #[must_use]
    pub fn cluster_names(&self) -> Vec<ClusterName> {
        self.config.mesh.clusters.iter().map(|c| ClusterName::from(c.name.as_str())).collect()
    }

    /// Refuses to start when the configuration asks for what is not built.
    ///
    /// # Errors
    /// Naming the key and what to use instead.
    pub fn require_built(&self) -> anyhow::Result<()> {
        match self.config.not_built().first() {
            Some(problem) => bail!("{problem}"),
            None => Ok(()),
        }
    }

    /// The baselines' settings.
    #[must_use]
    pub fn detection(&self) -> DetectionSettings {
        let detection = &self.config.detection;
        DetectionSettings {
            baseline_window_ms: detection.baseline_window.ms(),
            threshold_sigma: detection.anomaly_threshold_sigma,
            contamination: detection.isolation_forest_contamination,
            interval_ms: self.config.mesh.look_interval.ms(),
            ..DetectionSettings::default()
        }
    }

    /// Correlation's settings.
    #[must_use]
    pub fn correlation(&self) -> CorrelationSettings {
        let engine = &self.config.detection.correlation_engine;
        CorrelationSettings {
            dedup_window_ms: engine.deduplication_window.ms(),
            max_incidents_per_service: engine.max_incidents_per_service as usize,
            ..CorrelationSettings::default()
        }
    }
}

/// One write's timeout, real time.
const CALL_TIMEOUT_MS: u64 = 2000;

fn api(cluster: &Cluster, token_file: &str) -> anyhow::Result<ApiObjects> {
    let ca_pem = match cluster.api_ca_file.as_str() {
        "" => None,
        file => Some(std::fs::read_to_string(file).with_context(|| format!("{file}: cannot be read"))?),
    };
    let access = ClusterAccess { url: cluster.api_url.clone(), token: secret(token_file)?, ca_pem };
    Ok(ApiObjects::new(client(&access)?, CALL_TIMEOUT_MS))
}

/// The cluster's API with read-only credentials.
///
/// # Errors
/// When a file cannot be read.
pub fn reader(cluster: &Cluster) -> anyhow::Result<KubernetesReader> {
    Ok(KubernetesReader::new(cluster.name.as_str().into(), api(cluster, &cluster.read_token_file)?))
}

/// The cluster's API with write credentials: for the actuator alone.
///
/// # Errors
/// When a file cannot be read.
pub fn executor(cluster: &Cluster) -> anyhow::Result<KubernetesExecutor> {
    Ok(KubernetesExecutor::new(api(cluster, &cluster.write_token_file)?))
}

/// A secret's file, without surrounding white space.
///
/// # Errors
/// When it cannot be read.
pub fn secret(file: &str) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(file).with_context(|| format!("{file}: cannot be read"))?.trim().to_owned())
}
