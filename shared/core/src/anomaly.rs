//! What detection hands to correlation.

use crate::ids::ServiceId;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a deviation means to an operator: the closed vocabulary that causes are explained by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// Requests to it take longer than usual.
    LatencyHigh,
    /// More of its requests fail than usual.
    ErrorRateHigh,
    /// It gets more requests than usual.
    TrafficHigh,
    /// It gets fewer requests than usual.
    TrafficLow,
    /// Its calls to something it depends on take longer than usual.
    DependencyLatencyHigh,
    /// Its calls to something it depends on fail more than usual.
    DependencyErrorsHigh,
    /// Working set rises towards the limit.
    MemoryHigh,
    /// A container was killed for memory.
    OomKilled,
    /// Containers restart.
    Restarts,
    /// A container waits in CrashLoopBackOff.
    CrashLoop,
    /// CPU is used up to its limit or far above the usual.
    CpuHigh,
    /// CPU use fell far below the usual.
    CpuLow,
    /// Fewer pods are available than desired.
    ReplicasUnavailable,
    /// A pod cannot be scheduled.
    FailedScheduling,
    /// A volume will be full soon, or is.
    DiskFilling,
    /// A certificate ends soon.
    CertificateExpiring,
    /// A connection pool is used up.
    ConnectionsSaturated,
    /// More error log records than usual.
    ErrorLogsHigh,
    /// Requests far above use, over a long window.
    OverRequested,
    /// No traffic over a long window.
    Idle,
    /// A security sensor fired.
    SecurityFinding,
    /// The service's features are jointly unusual, none of them by itself (Isolation Forest).
    JointlyUnusual,
    /// A gauge of its own, of which picket knows no meaning, is where it never was.
    MetricUnusual,
}

/// Which way a value left its baseline.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Above.
    Up,
    /// Below.
    Down,
}

/// Who saw it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// The rolling baseline of one series.
    Baseline,
    /// The Isolation Forest of one service.
    IsolationForest,
    /// A signal that needs no statistics (OOMKilled, certificate not-after).
    Direct,
    /// A forecast to a bound (a volume to full).
    Forecast,
}

/// One deviation of one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The service it shows on.
    pub service: ServiceId,
    /// The pod, when it is one pod's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What it means.
    pub symptom: Symptom,
    /// Who saw it.
    pub detector: DetectorKind,
    /// The series, as a person would name it: metric name and what sets it apart.
    pub series: String,
    /// How far from the baseline, in standard deviations (direct signals: 10).
    pub score: f64,
    /// Which way.
    pub direction: Direction,
    /// The value seen, in the series' unit.
    pub value: f64,
    /// What was usual.
    pub expected: f64,
    /// First point that deviated.
    pub onset: Timestamp,
    /// Last point that deviated.
    pub last_seen: Timestamp,
    /// For symptoms on a dependency: the callee. For a volume or certificate: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<ServiceId>,
    /// The object that the symptom names beside the service: a claim, a certificate's secret, a security rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}
