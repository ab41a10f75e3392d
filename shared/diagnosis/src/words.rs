//! Symptoms and what was measured, in words.

use picket_core::anomaly::{Anomaly, Symptom};

/// A symptom in words, as runbooks say it.
#[must_use]
pub const fn words(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::LatencyHigh => "latency higher than usual",
        Symptom::ErrorRateHigh => "more requests fail than usual",
        Symptom::TrafficHigh => "more requests than usual",
        Symptom::TrafficLow => "fewer requests than usual",
        Symptom::DependencyLatencyHigh => "calls to a dependency are slow",
        Symptom::DependencyErrorsHigh => "calls to a dependency fail",
        Symptom::MemoryHigh => "memory working set rises towards the limit",
        Symptom::OomKilled => "a container was OOMKilled",
        Symptom::Restarts => "containers restart",
        Symptom::CrashLoop => "a container waits in CrashLoopBackOff",
        Symptom::CpuHigh => "CPU use is high",
        Symptom::CpuLow => "CPU use fell far below the usual",
        Symptom::ReplicasUnavailable => "fewer pods are available than desired",
        Symptom::FailedScheduling => "a pod cannot be scheduled",
        Symptom::DiskFilling => "a volume is filling up",
        Symptom::CertificateExpiring => "a certificate ends soon",
        Symptom::ConnectionsSaturated => "the connection pool is used up",
        Symptom::ErrorLogsHigh => "more error logs than usual",
        Symptom::OverRequested => "requests are far above use",
        Symptom::Idle => "no traffic over a long window",
        Symptom::SecurityFinding => "a security sensor fired",
        Symptom::JointlyUnusual => "its figures are jointly unusual",
        Symptom::MetricUnusual => "a metric of its own is where it never was",
    }
}

/// What was measured, for people.
#[must_use]
pub fn figures(anomaly: &Anomaly) -> String {
    let whose = if anomaly.object.is_some() { anomaly.object.as_deref() } else { anomaly.pod.as_deref() };
    let whose = whose.map(|w| format!(" of {w}")).unwrap_or_default();
    format!("{}{whose} is {}, usually {}", anomaly.series, figure(anomaly.value), figure(anomaly.expected))
}

/// As many digits as a person reads: whole numbers from 100 on, three digits below.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}
