//! What each symptom may do: open an incident, stand alone, or only be context.

use picket_core::anomaly::{Anomaly, DetectorKind, Symptom};
use picket_core::ids::AgentKind;

/// The part that an anomaly plays.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Joins others' incident, or opens one.
    Trouble,
    /// A matter of its own, whatever else happens near it.
    Alone,
    /// Joins an incident, never opens one.
    Context,
}

pub(super) const fn part(anomaly: &Anomaly) -> Part {
    match anomaly.symptom {
        Symptom::DiskFilling
        | Symptom::CertificateExpiring
        | Symptom::SecurityFinding
        | Symptom::OverRequested
        | Symptom::Idle
        | Symptom::MetricUnusual => Part::Alone,
        Symptom::TrafficHigh
        | Symptom::TrafficLow
        | Symptom::CpuHigh
        | Symptom::CpuLow
        | Symptom::JointlyUnusual
        | Symptom::ErrorLogsHigh => Part::Context,
        // High memory is nobody's trouble; memory that is about to end is.
        Symptom::MemoryHigh if !matches!(anomaly.detector, DetectorKind::Forecast) => Part::Context,
        _ => Part::Trouble,
    }
}

/// True for a symptom that only tells of a callee.
pub(super) const fn is_about_peer(symptom: Symptom) -> bool {
    matches!(symptom, Symptom::DependencyLatencyHigh | Symptom::DependencyErrorsHigh)
}

/// True for a symptom that a failing callee does not give to its callers: who has it has trouble of its own.
pub(super) const fn is_own(symptom: Symptom) -> bool {
    matches!(
        symptom,
        Symptom::OomKilled
            | Symptom::CrashLoop
            | Symptom::Restarts
            | Symptom::ReplicasUnavailable
            | Symptom::FailedScheduling
            | Symptom::MemoryHigh
    )
}

/// Which symptom names an incident when a service shows several: the most telling first.
pub(super) const fn rank(symptom: Symptom) -> u8 {
    match symptom {
        Symptom::OomKilled => 0,
        Symptom::CrashLoop => 1,
        Symptom::FailedScheduling => 2,
        Symptom::Restarts => 3,
        Symptom::ReplicasUnavailable => 4,
        Symptom::ConnectionsSaturated => 5,
        Symptom::ErrorRateHigh => 6,
        Symptom::LatencyHigh => 7,
        Symptom::MemoryHigh => 8,
        Symptom::DependencyErrorsHigh => 9,
        Symptom::DependencyLatencyHigh => 10,
        _ => 20,
    }
}

/// Who tends an incident of this symptom.
pub(super) const fn agent(symptom: Symptom) -> AgentKind {
    match symptom {
        Symptom::SecurityFinding | Symptom::CertificateExpiring => AgentKind::SecOps,
        Symptom::OverRequested | Symptom::Idle => AgentKind::FinOps,
        _ => AgentKind::Sre,
    }
}

/// A symptom's name as it is written in JSON.
pub(super) const fn name(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::LatencyHigh => "latency_high",
        Symptom::ErrorRateHigh => "error_rate_high",
        Symptom::TrafficHigh => "traffic_high",
        Symptom::TrafficLow => "traffic_low",
        Symptom::DependencyLatencyHigh => "dependency_latency_high",
        Symptom::DependencyErrorsHigh => "dependency_errors_high",
        Symptom::MemoryHigh => "memory_high",
        Symptom::OomKilled => "oom_killed",
        Symptom::Restarts => "restarts",
        Symptom::CrashLoop => "crash_loop",
        Symptom::CpuHigh => "cpu_high",
        Symptom::CpuLow => "cpu_low",
        Symptom::ReplicasUnavailable => "replicas_unavailable",
        Symptom::FailedScheduling => "failed_scheduling",
        Symptom::DiskFilling => "disk_filling",
        Symptom::CertificateExpiring => "certificate_expiring",
        Symptom::ConnectionsSaturated => "connections_saturated",
        Symptom::ErrorLogsHigh => "error_logs_high",
        Symptom::OverRequested => "over_requested",
        Symptom::Idle => "idle",
        Symptom::SecurityFinding => "security_finding",
        Symptom::JointlyUnusual => "jointly_unusual",
        Symptom::MetricUnusual => "metric_unusual",
    }
}
