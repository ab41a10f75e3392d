//! What is known of one service: its pods, its open window, its series and conditions.

mod arrival;
mod conditions;
mod gauges;
mod observe;
mod readings;
mod window;

pub(crate) use arrival::{Arrival, median};
pub(crate) use gauges::Records;

use crate::counter::Counter;
use crate::distribution::Distribution;
use crate::joint::Joint;
use crate::series::Series;
use crate::settings::DetectionSettings;
use crate::suppress::Gate;
use crate::use_summary::LongUse;
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::ids::ServiceId;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// A gauge's latest value.
type Latest = Option<(Timestamp, f64)>;

/// Bound on pods per service.
const PODS_MAX: usize = 1_000;
/// Bound on volumes, certificates, peers and event kinds per service.
const OBJECTS_MAX: usize = 100;
/// A pod not heard of for this long is forgotten.
const POD_FORGOTTEN_MS: i64 = 600_000;

#[derive(Clone, Debug, Default)]
struct Pod {
    last_seen: Timestamp,
    node: Option<String>,
    memory: Latest,
    memory_limit: Latest,
    memory_request: Latest,
    cpu: Latest,
    cpu_limit: Latest,
    cpu_request: Latest,
    restarts: Latest,
    crash_loop: Option<Timestamp>,
    pool_used: Latest,
    pool_max: Latest,
    /// Requests served per second, as of the last point.
    rate: BTreeMap<String, (Timestamp, f64)>,
    counters: BTreeMap<String, Counter>,
    /// Per metric: when its counters last reported, and the time before that.
    reported: BTreeMap<String, (Timestamp, Option<Timestamp>)>,
}

/// Calls of one kind in the open window, and in the windows before while there are too few to judge by.
#[derive(Clone, Debug, Default)]
struct Calls {
    open: Tally,
    before: VecDeque<Tally>,
    last_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    latency: Distribution,
    count: f64,
    errors: f64,
}

#[derive(Clone, Debug, Default)]
struct Volume {
    capacity: Latest,
    available: VecDeque<(Timestamp, f64)>,
}

/// A thing that happened, held for a while.
#[derive(Clone, Debug)]
struct Happened {
    first: Timestamp,
    last: Timestamp,
    count: u64,
    pod: Option<String>,
    series: String,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SeriesKey<'a> {
    Latency,
    Errors,
    Rate,
    Cpu,
    Memory,
    ErrorLogs,
    PeerLatency(&'a str),
    PeerErrors(&'a str),
}

/// A detected anomaly with its peer still by name.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub anomaly: Anomaly,
    pub peer_name: Option<String>,
}

/// The state of one service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceState {
    id: ServiceId,
    arrival: Arrival,
    last_seen: Timestamp,
    pods: BTreeMap<String, Pod>,
    container: Option<String>,
    server: Calls,
    peers: BTreeMap<String, Calls>,
    desired: Latest,
    desired_changed: Option<Timestamp>,
    available: Latest,
    short_since: Option<Timestamp>,
    volumes: BTreeMap<String, Volume>,
    certificates: BTreeMap<String, (Timestamp, f64)>,
    error_logs: u64,
    happened: BTreeMap<(Symptom, Option<String>), Happened>,
    series: BTreeMap<String, Series>,
    gauges: BTreeMap<String, gauges::Gauge>,
    gates: BTreeMap<(Symptom, Option<String>), Gate>,
    joint: Joint,
    long: LongUse,
    version: Option<String>,
    /// Points left out because a bound was reached.
    pub left_out: u64,
}

impl ServiceState {
    pub fn new(id: ServiceId, settings: &DetectionSettings) -> Self {
        let seed = settings.seed ^ fnv1a(&id.to_string());
        Self {
            id,
            arrival: Arrival::default(),
            last_seen: Timestamp(0),
            pods: BTreeMap::new(),
            container: None,
            server: Calls::default(),
            peers: BTreeMap::new(),
            desired: None,
            desired_changed: None,
            available: None,
            short_since: None,
            volumes: BTreeMap::new(),
            certificates: BTreeMap::new(),
            error_logs: 0,
            happened: BTreeMap::new(),
            series: BTreeMap::new(),
            gauges: BTreeMap::new(),
            gates: BTreeMap::new(),
            joint: Joint::new(seed),
            long: LongUse::default(),
            version: None,
            left_out: 0,
        }
    }

    pub const fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// How its telemetry arrives.
    pub const fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// The same, to be judged.
    pub const fn arrival_mut(&mut self) -> &mut Arrival {
        &mut self.arrival
    }

    /// Pods that still speak. One that misses a report which its siblings made is gone: its last figures describe nobody.
    fn live_pods(&self, settings: &DetectionSettings) -> impl Iterator<Item = &Pod> {
        let newest = self.pods.values().map(|pod| pod.last_seen).max().unwrap_or_default();
        let silent_ms = settings.interval_ms + settings.interval_ms / 2;
        self.pods.values().filter(move |pod| newest.since_ms(pod.last_seen) <= silent_ms)
    }

    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.values()
    }
}

/// A stable hash of a name: the forest's seed must not change with the compiler's hasher.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A gauge's value, unless it is too old to say anything of now.
fn fresh(latest: Latest, now: Timestamp, stale_ms: i64) -> Option<f64> {
    latest.filter(|(at, _)| now.since_ms(*at) <= stale_ms).map(|(_, value)| value)
}
