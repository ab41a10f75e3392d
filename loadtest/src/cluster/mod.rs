//! One simulated cluster: objects, controllers, load, faults and telemetry, advanced in steps of one second of event time.
//!
//! The API server works on [`SimCluster::store`] alone; the model reacts to what stands there at the next step, as controllers do.

pub mod controllers;
pub mod histogram;
pub mod pod;
mod routine;
pub mod service;
pub mod traffic;

use crate::faults::lifecycle::ActiveFault;
use crate::objects;
use crate::parameters::SimParameters;
use crate::store::{ObjectStore, hash_text};
use crate::telemetry::ExportState;
use crate::topology;
use picket_core::ids::{ClusterName, ServiceId};
use picket_core::time::Timestamp;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use service::ServiceState;
use std::collections::BTreeSet;

/// A Kubernetes event or an error log record, before it becomes telemetry.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Of which service (index).
    pub service: usize,
    /// Of which pod.
    pub pod: Option<String>,
    /// OpenTelemetry severity number.
    pub severity: i32,
    /// Text.
    pub body: String,
    /// `k8s.event.reason`, for Kubernetes events.
    pub reason: Option<&'static str>,
    /// `k8s.deployment.revision`, for rollouts.
    pub revision: Option<i64>,
}

/// Random numbers, one stream per purpose, so that a change in one part of the model does not shift the others.
#[derive(Debug)]
pub(crate) struct Streams {
    pub controllers: ChaCha8Rng,
    pub traffic: ChaCha8Rng,
    pub faults: ChaCha8Rng,
    pub telemetry: ChaCha8Rng,
    pub routine: ChaCha8Rng,
}

impl Streams {
    fn new(seed: u64, cluster: &str) -> Self {
        let of = |stream: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ hash_text(cluster));
            rng.set_stream(stream);
            rng
        };
        Self { controllers: of(1), traffic: of(2), faults: of(3), telemetry: of(4), routine: of(5) }
    }
}

/// A simulated cluster.
#[derive(Debug)]
pub struct SimCluster {
    /// Its objects: the API server reads and writes here.
    pub store: ObjectStore,
    pub(crate) name: ClusterName,
    pub(crate) started_at: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) parameters: SimParameters,
    pub(crate) services: Vec<ServiceState>,
    pub(crate) streams: Streams,
    pub(crate) log_lines: Vec<LogLine>,
    pub(crate) faults: Vec<ActiveFault>,
    pub(crate) exported: ExportState,
    pub(crate) routines: Vec<routine::Routine>,
}

impl SimCluster {
    /// A healthy cluster at `start`, every pod ready.
    #[must_use]
    pub fn new(name: &str, seed: u64, start: Timestamp, parameters: SimParameters) -> Self {
        let store = ObjectStore::new(seed ^ hash_text(name), start);
        let services = topology::services().into_iter().map(ServiceState::new).collect();
        let mut cluster = Self {
            store,
            name: name.into(),
            started_at: start,
            now: start,
            parameters,
            services,
            streams: Streams::new(seed, name),
            log_lines: Vec::new(),
            faults: Vec::new(),
            exported: ExportState::default(),
            routines: Vec::new(),
        };
        cluster.set_up();
        cluster
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Event time it has been advanced to.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Its services' names, in a stable order.
    #[must_use]
    pub fn service_ids(&self) -> Vec<ServiceId> {
        self.services.iter().map(|s| ServiceId::new(self.name.clone(), s.spec.namespace, s.spec.name)).collect()
    }

    /// Advances the model in steps of one second until `to`.
    pub fn advance(&mut self, to: Timestamp) {
        while self.now.plus_ms(1000) <= to {
            self.step();
        }
    }

    /// As [`Self::advance`], but stops as soon as telemetry is due.
    pub fn advance_until_due(&mut self, to: Timestamp) {
        while self.now.plus_ms(1000) <= to && !self.telemetry_is_due() {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now = self.now.plus_ms(1000);
        self.store.set_now(self.now);
        self.run_routine();
        self.run_controllers();
        self.run_faults();
        self.run_traffic();
        self.judge_faults();
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|s| s.spec.name == name)
    }

    pub(crate) fn log(&mut self, line: LogLine) {
        // Telemetry drains this every few seconds; the bound only matters when nobody does.
        if self.log_lines.len() < 10_000 {
            self.log_lines.push(line);
        }
    }

    fn set_up(&mut self) {
        let namespaces: BTreeSet<&str> = self.services.iter().map(|s| s.spec.namespace).collect();
        for name in namespaces {
            if let Err(error) = self.store.create(objects::namespace(name)) {
                tracing::error!(%error, name, "a new store holds this namespace already");
            }
        }
        for at in 0..self.services.len() {
            let spec = self.services[at].spec.clone();
            let mut objects = vec![objects::deployment(&spec, "v1.0.0")];
            if spec.volume_gib > 0 {
                objects.push(objects::claim(&spec));
            }
            for object in objects {
                // The topology names every object once, so none can be there already.
                if let Err(error) = self.store.create(object) {
                    tracing::error!(%error, service = spec.name, "the topology states an object twice");
                }
            }
            if spec.certificate {
                self.issue_certificate(at, self.now.plus_ms((self.parameters.certificate_life_s * 1000.0) as i64));
            }
        }
        self.start_pods_ready();
        self.settle_nominal_traffic();
    }
}

#[cfg(test)]
mod tests;
