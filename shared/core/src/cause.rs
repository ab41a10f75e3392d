//! The closed catalogue of causes. A cause that is not here is unknown, and unknown means abstain (I12).

use crate::action::RemediationKind;
use crate::ids::AgentKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Every cause that picket can name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The working set outgrew a limit that was set too low.
    MemoryLimitTooLow,
    /// Memory grows without load and is never given back.
    MemoryLeak,
    /// A new revision made errors or latency worse.
    BadDeployment,
    /// A new revision does not start (crash loop).
    CrashLoop,
    /// More load than the replicas can carry, sustained.
    LoadSurge,
    /// A process is stuck (deadlock, exhausted pool) while load is as usual.
    StuckProcess,
    /// A volume is filling up.
    DiskFilling,
    /// A certificate ends soon.
    CertificateExpiring,
    /// Something it calls is slow or failing: the cause is there, not here.
    SlowDependency,
    /// Requests are set far above use.
    OverRequested,
    /// Nobody calls it.
    IdleService,
    /// Picket took its last replica while nobody called it, and now somebody does.
    ScaledToZero,
    /// A workload behaves as an intruder would.
    SuspiciousWorkload,
}

impl Cause {
    /// The catalogue.
    pub const ALL: [Self; 13] = [
        Self::MemoryLimitTooLow,
        Self::MemoryLeak,
        Self::BadDeployment,
        Self::CrashLoop,
        Self::LoadSurge,
        Self::StuckProcess,
        Self::DiskFilling,
        Self::CertificateExpiring,
        Self::SlowDependency,
        Self::OverRequested,
        Self::IdleService,
        Self::ScaledToZero,
        Self::SuspiciousWorkload,
    ];

    /// Its name in JSON, runbooks' front matter and on the dashboard.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemoryLimitTooLow => "memory_limit_too_low",
            Self::MemoryLeak => "memory_leak",
            Self::BadDeployment => "bad_deployment",
            Self::CrashLoop => "crash_loop",
            Self::LoadSurge => "load_surge",
            Self::StuckProcess => "stuck_process",
            Self::DiskFilling => "disk_filling",
            Self::CertificateExpiring => "certificate_expiring",
            Self::SlowDependency => "slow_dependency",
            Self::OverRequested => "over_requested",
            Self::IdleService => "idle_service",
            Self::ScaledToZero => "scaled_to_zero",
            Self::SuspiciousWorkload => "suspicious_workload",
        }
    }

    /// What may be done about it, the preferred first. Empty: the remedy is to repair something else.
    #[must_use]
    pub const fn remedies(self) -> &'static [RemediationKind] {
        use RemediationKind as R;
        match self {
            Self::MemoryLimitTooLow => &[R::SetMemoryLimit],
            Self::MemoryLeak => &[R::RolloutRestart, R::SetMemoryLimit],
            Self::BadDeployment | Self::CrashLoop => &[R::Rollback],
            Self::LoadSurge => &[R::Scale, R::SetReplicaBounds],
            Self::StuckProcess => &[R::RolloutRestart],
            Self::DiskFilling => &[R::ExpandVolume],
            Self::CertificateExpiring => &[R::RenewCertificate],
            Self::SlowDependency => &[],
            Self::OverRequested => &[R::SetResources],
            Self::IdleService | Self::ScaledToZero => &[R::Scale],
            Self::SuspiciousWorkload => &[R::Quarantine],
        }
    }

    /// Whose business it is.
    #[must_use]
    pub const fn agent(self) -> AgentKind {
        match self {
            Self::OverRequested | Self::IdleService => AgentKind::FinOps,
            Self::SuspiciousWorkload | Self::CertificateExpiring => AgentKind::SecOps,
            _ => AgentKind::Sre,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
