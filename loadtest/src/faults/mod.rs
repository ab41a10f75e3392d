//! What can go wrong in a simulated cluster, and what would be right to do about it. Ground truth: only the report sees it.

pub mod effects;
pub mod lifecycle;
pub mod person;
pub mod remedied;

use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::ids::{AgentKind, ClusterName};
use serde::{Deserialize, Serialize};

/// Every kind of fault, trap and waste.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The working set outgrows the limit; containers are killed for memory.
    OomKill,
    /// Memory grows in the running processes until they are replaced.
    MemoryLeak,
    /// Processes are stuck on an exhausted pool: slow, hardly any CPU.
    LatencySpike,
    /// A new release fails a third of its requests.
    ErrorSurge,
    /// A new release is slow and burns CPU.
    BadDeployment,
    /// A new release does not start.
    CrashLoop,
    /// More load than the replicas carry, for good.
    LoadSurge,
    /// A volume fills up.
    DiskFilling,
    /// A certificate that ends within hours was installed.
    CertificateExpiring,
    /// A callee is stuck, its callers are slow.
    SlowDependency,
    /// A workload behaves as an intruder would.
    SuspiciousWorkload,
    /// A bad release after an irreversible migration: rolling back makes it worse.
    NoWayBack,
    /// More load than the replicas carry, where more replicas exhaust the database behind them.
    ScaleHurts,
    /// Requests far above use, from the start.
    OverRequested,
    /// Nobody calls it, from the start.
    IdleService,
    /// Packets get lost between a service and one that it calls.
    PacketLoss,
    /// A node's disk is slow: pods with volumes on it suffer.
    NodeTrouble,
    /// A service cannot resolve names.
    DnsFailure,
    /// Somebody outside, whom a service depends on, is down.
    ThirdPartyOutage,
    /// A feature flag was switched on that breaks requests; no release.
    BadFeatureFlag,
    /// Trap: load grows and ebbs by itself.
    LoadEbb,
    /// Trap: a release fails requests while its caches are cold, then heals.
    SelfHealingDeployment,
    /// Trap: a stuck process in a service that picket may not touch.
    ProtectedFault,
    /// Trap: errors come and go.
    Flapping,
}

/// How a fault counts in the report.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// Its cause is in picket's catalogue.
    Catalogued,
    /// Its cause is not: the right answer is to abstain.
    Uncatalogued,
    /// Acting is wrong.
    Trap,
    /// Money lost without harm; there from the start, so it has no onset to measure from.
    Waste,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::OomKill,
        Self::MemoryLeak,
        Self::LatencySpike,
        Self::ErrorSurge,
        Self::BadDeployment,
        Self::CrashLoop,
        Self::LoadSurge,
        Self::DiskFilling,
        Self::CertificateExpiring,
        Self::SlowDependency,
        Self::SuspiciousWorkload,
        Self::NoWayBack,
        Self::ScaleHurts,
        Self::OverRequested,
        Self::IdleService,
        Self::PacketLoss,
        Self::NodeTrouble,
        Self::DnsFailure,
        Self::ThirdPartyOutage,
        Self::BadFeatureFlag,
        Self::LoadEbb,
        Self::SelfHealingDeployment,
        Self::ProtectedFault,
        Self::Flapping,
    ];

    /// Its name in the report: as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OomKill => "oom_kill",
            Self::MemoryLeak => "memory_leak",
            Self::LatencySpike => "latency_spike",
            Self::ErrorSurge => "error_surge",
            Self::BadDeployment => "bad_deployment",
            Self::CrashLoop => "crash_loop",
            Self::LoadSurge => "load_surge",
            Self::DiskFilling => "disk_filling",
            Self::CertificateExpiring => "certificate_expiring",
            Self::SlowDependency => "slow_dependency",
            Self::SuspiciousWorkload => "suspicious_workload",
            Self::NoWayBack => "no_way_back",
            Self::ScaleHurts => "scale_hurts",
            Self::OverRequested => "over_requested",
            Self::IdleService => "idle_service",
            Self::PacketLoss => "packet_loss",
            Self::NodeTrouble => "node_trouble",
            Self::DnsFailure => "dns_failure",
            Self::ThirdPartyOutage => "third_party_outage",
            Self::BadFeatureFlag => "bad_feature_flag",
            Self::LoadEbb => "load_ebb",
            Self::SelfHealingDeployment => "self_healing_deployment",
            Self::ProtectedFault => "protected_fault",
            Self::Flapping => "flapping",
        }
    }

    /// How it counts.
    #[must_use]
    pub const fn class(self) -> FaultClass {
        match self {
            Self::OverRequested | Self::IdleService => FaultClass::Waste,
            Self::PacketLoss | Self::NodeTrouble | Self::DnsFailure | Self::ThirdPartyOutage | Self::BadFeatureFlag => {
                FaultClass::Uncatalogued
            }
            Self::LoadEbb | Self::SelfHealingDeployment | Self::ProtectedFault | Self::Flapping => FaultClass::Trap,
            _ => FaultClass::Catalogued,
        }
    }

    /// The causes that are right to name, the exact one first; none for what is not in the catalogue (traps included).
    #[must_use]
    pub const fn causes(self) -> &'static [Cause] {
        match self {
            Self::OomKill => &[Cause::MemoryLimitTooLow],
            Self::MemoryLeak => &[Cause::MemoryLeak],
            Self::LatencySpike => &[Cause::StuckProcess],
            Self::ErrorSurge | Self::BadDeployment | Self::NoWayBack => &[Cause::BadDeployment],
            Self::CrashLoop => &[Cause::CrashLoop],
            Self::LoadSurge | Self::ScaleHurts => &[Cause::LoadSurge],
            Self::DiskFilling => &[Cause::DiskFilling],
            Self::CertificateExpiring => &[Cause::CertificateExpiring],
            // Seen from the caller it is a slow dependency, seen from the callee a stuck process; both must name the callee.
            Self::SlowDependency => &[Cause::StuckProcess, Cause::SlowDependency],
            Self::SuspiciousWorkload => &[Cause::SuspiciousWorkload],
            Self::OverRequested => &[Cause::OverRequested],
            Self::IdleService => &[Cause::IdleService],
            _ => &[],
        }
    }

    /// Other names that are right, when nothing is done about it: whoever may not touch a service may still say what is wrong with it.
    #[must_use]
    pub const fn right_without_act(self) -> &'static [Cause] {
        match self {
            Self::ProtectedFault => &[Cause::StuckProcess],
            _ => &[],
        }
    }

    /// What clears it.
    #[must_use]
    pub const fn remedies(self) -> &'static [RemediationKind] {
        match self {
            // Only a person can repair these two: the remedy of the catalogue makes them worse.
            Self::NoWayBack | Self::ScaleHurts => &[],
            Self::SlowDependency => Cause::StuckProcess.remedies(),
            // A larger limit also replaces the pods, and gives the leak room.
            _ => match self.causes() {
                [] => &[],
                [cause, ..] => cause.remedies(),
            },
        }
    }

    /// Whose business it is.
    #[must_use]
    pub const fn agent(self) -> AgentKind {
        match self.causes() {
            [] => AgentKind::Sre,
            [cause, ..] => cause.agent(),
        }
    }

    /// Its remedy takes pods away for a while (and so shares in the disruption budget).
    #[must_use]
    pub const fn remedy_disrupts(self) -> bool {
        matches!(
            self,
            Self::OomKill
                | Self::MemoryLeak
                | Self::LatencySpike
                | Self::ErrorSurge
                | Self::BadDeployment
                | Self::CrashLoop
                | Self::SlowDependency
                | Self::NoWayBack
        )
    }

    /// It ends by itself, without a person.
    #[must_use]
    pub const fn ends_by_itself(self) -> bool {
        matches!(self, Self::LoadEbb | Self::SelfHealingDeployment | Self::Flapping)
    }
}

/// How the right remedy turns out.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyLuck {
    /// As it should.
    #[default]
    Works,
    /// Late.
    Slow,
    /// Not the first time.
    Fails,
    /// It makes matters worse.
    Regresses,
}

/// One fault as planned. Every random number it needs is drawn when the plan is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// `fault-01`, unique in a run.
    pub id: String,
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub cluster: ClusterName,
    /// On which service.
    pub service: String,
    /// When, in seconds from the start of the run.
    pub onset_s: f64,
    /// After how many seconds it ends without anybody's remedy.
    pub natural_s: f64,
    /// How the right remedy turns out.
    pub luck: RemedyLuck,
    /// How much later a slow remedy works, in seconds.
    pub slow_s: f64,
    /// How long after a remedy that failed a person repairs it, in seconds.
    pub person_after_s: f64,
    /// How strong it is, 0.9 to 1.1.
    pub strength: f64,
    /// For how many seconds a wrong restart hides it; 0 for not at all.
    pub wrong_hides_s: f64,
}
