//! The state of one service in the model.

use crate::cluster::pod::Pod;
use crate::objects::DeploymentView;
use crate::topology::ServiceSpec;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// A volume.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// Size, in bytes.
    pub capacity_bytes: f64,
    /// Used, in bytes.
    pub used_bytes: f64,
    /// A resize under way: when it is done, and the new size.
    pub resizing: Option<(Timestamp, f64)>,
}

/// A certificate.
#[derive(Clone, Debug, Default)]
pub struct Certificate {
    /// Its end.
    pub not_after: Timestamp,
    /// An issue under way: when it is done.
    pub issuing: Option<Timestamp>,
    /// The last request seen (values of both annotations).
    pub request: (Option<String>, Option<String>),
    /// How often a new one was asked for.
    pub requests: u32,
    /// How often a new one was issued.
    pub issued: u32,
}

/// What faults do to a service as a whole, set anew every second.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceEffect {
    /// Its own ingress is multiplied by it.
    pub load_factor: f64,
    /// Requests per second on top.
    pub extra_rps: f64,
    /// Calls to that callee (index): extra seconds, and share that fails on the way.
    pub calls: BTreeMap<usize, (f64, f64)>,
}

impl ServiceEffect {
    /// Nothing is wrong.
    pub const NONE: Self = Self { load_factor: 1.0, extra_rps: 0.0, calls: BTreeMap::new() };
}

/// What a service's users see in this second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Requests per second.
    pub rate: f64,
    /// Mean latency, in seconds.
    pub latency_s: f64,
    /// Share of requests that fail.
    pub error_ratio: f64,
    /// Load of a pod, 0..1 (more when overloaded).
    pub utilisation: f64,
}

/// What error logs say on a good day.
pub const USUAL_COMPLAINT: &str = "client closed the connection";

/// One service.
#[derive(Clone, Debug)]
pub struct ServiceState {
    /// How it was set up.
    pub spec: ServiceSpec,
    /// Its Deployment as last read; `None` while there is none.
    pub deployment: Option<DeploymentView>,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// Revision of the present template.
    pub revision: i64,
    /// Its volume.
    pub volume: Option<Volume>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// A `NetworkPolicy` cuts it off.
    pub quarantined: bool,
    /// Slow-moving noise of its rate.
    pub drift: f64,
    /// This second's traffic.
    pub traffic: Traffic,
    /// Traffic of a healthy second without noise: what "usual" means.
    pub nominal: Traffic,
    /// This second's faults.
    pub effect: ServiceEffect,
    /// Bytes sent to each callee since the last export.
    pub flow_bytes: BTreeMap<usize, f64>,
    /// What its calls suffered on the way in this second, by callee: extra seconds, and share lost.
    pub link: BTreeMap<usize, (f64, f64)>,
    /// Requests that failed since the last export.
    pub failed_requests: f64,
    /// What its error logs say.
    pub complaint: &'static str,
    /// Since when it has fewer available replicas than wanted.
    pub short_since: Option<Timestamp>,
    /// Image tags are numbered; this one comes next.
    pub next_version: u32,
}

impl ServiceState {
    /// A service that is not set up yet.
    #[must_use]
    pub fn new(spec: ServiceSpec) -> Self {
        let gib = f64::from(spec.volume_gib) * 1_073_741_824.0;
        Self {
            volume: (spec.volume_gib > 0).then_some(Volume { capacity_bytes: gib, used_bytes: gib * 0.55, resizing: None }),
            spec,
            deployment: None,
            pods: Vec::new(),
            revision: 0,
            certificate: None,
            quarantined: false,
            drift: 0.0,
            traffic: Traffic::default(),
            nominal: Traffic::default(),
            effect: ServiceEffect::NONE,
            flow_bytes: BTreeMap::new(),
            link: BTreeMap::new(),
            failed_requests: 0.0,
            complaint: USUAL_COMPLAINT,
            short_since: None,
            next_version: 1,
        }
    }

    /// Pods that take traffic.
    #[must_use]
    pub fn ready_pods(&self) -> usize {
        self.pods.iter().filter(|pod| pod.ready()).count()
    }

    /// Replicas wanted.
    #[must_use]
    pub fn desired(&self) -> u32 {
        self.deployment.as_ref().map_or(0, |d| d.replicas)
    }

    /// Requests per second that one pod can serve.
    #[must_use]
    pub fn pod_capacity_rps(&self) -> f64 {
        (self.nominal.rate / f64::from(self.spec.replicas) / self.spec.usual_utilisation).max(1.0)
    }
}
