//! Every weight of the evidence reasoner, in one table: what each cause is expected to show, and what speaks against it.
//!
//! Weights are natural log-odds, in four grades. A row gives what a sign adds when it is seen and when it is looked for and not
//! seen; a sign that cannot be looked for (no reading) adds nothing. The unknown cause has score 0: a cause must earn more.

use crate::signs::Sign;
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;

/// Odds of about 400 to 1: hardly ever there (or missing) without the cause.
pub const PROOF: f64 = 6.0;
/// About 20 to 1.
pub const STRONG: f64 = 3.0;
/// About 4.5 to 1.
pub const FAIR: f64 = 1.5;
/// About 1.6 to 1: tips a balance, no more.
pub const SLIGHT: f64 = 0.5;
/// Says nothing.
pub const NOTHING: f64 = 0.0;

/// Log-odds of one cause on one service against the unknown, before any evidence.
pub const PRIOR: f64 = -3.0;
/// Causes that are easily confused with trouble outside the catalogue (network, node) start lower.
pub const PRIOR_CONFUSABLE: f64 = -3.5;
/// The unknown cause: the zero that all others are measured from.
pub const UNKNOWN: f64 = 0.0;
/// What the graph ranking adds for its first place, in proportion below.
pub const RANK: f64 = 1.0;
/// Against a cause, for each symptom on its service that it does not explain.
pub const UNEXPLAINED_SYMPTOM: f64 = -1.0;
/// Against a cause, for each other service whose symptoms it does not explain.
pub const UNEXPLAINED_SERVICE: f64 = -1.0;
/// Bound on the sum of these: faults may overlap, and another fault's symptoms refute nothing.
pub const UNEXPLAINED_MAX: f64 = -4.0;
/// Divides scores before they become probabilities: the rows are not independent, so their sum says too much.
pub const TEMPERATURE: f64 = 1.2;
/// No confidence above this: telemetry never proves.
pub const CONFIDENCE_MAX: f64 = 0.99;

/// What one sign adds.
#[derive(Copy, Clone, Debug)]
pub struct Row {
    /// The sign.
    pub sign: Sign,
    /// When it is there.
    pub present: f64,
    /// When it is not.
    pub absent: f64,
}

const fn row(sign: Sign, present: f64, absent: f64) -> Row {
    Row { sign, present, absent }
}

const fn shows(symptom: Symptom, present: f64, absent: f64) -> Row {
    Row { sign: Sign::Shows(symptom), present, absent }
}

/// What a cause is known by.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Log-odds before evidence.
    pub prior: f64,
    /// Its rows.
    pub rows: &'static [Row],
    /// Key evidence: of each group at least one sign must be there, else the validator refuses the cause.
    pub key: &'static [&'static [Sign]],
    /// Symptoms on its own service that it explains, beside those that follow from any degradation.
    pub explains: &'static [Symptom],
    /// Its own sensor names it: it competes with the unknown alone and other symptoms do not speak against it.
    pub standalone: bool,
}

use Sign::{
    CalleeTroubled, CallersComplain, CallersSlow, CpuModest, CpuNearLimit, Degraded, FirstToShow, GraveFinding, KnownPeer, MemoryForecast,
    MemoryRampLong, MemoryRampShort, NoTraffic, OneNodeOnly, OwnResourceTrouble, RolloutJustBefore, RolloutRecent, ScaledToZero, Shows,
    SpreadUnrelated, TrafficAbove, TrafficSustained, Unmeasured, WorkingSetAtLimit,
};
use Symptom as S;

/// The profile of a cause.
#[must_use]
pub const fn profile(cause: Cause) -> &'static Profile {
    match cause {
        Cause::MemoryLimitTooLow => &MEMORY_LIMIT_TOO_LOW,
        Cause::MemoryLeak => &MEMORY_LEAK,
        Cause::BadDeployment => &BAD_DEPLOYMENT,
        Cause::CrashLoop => &CRASH_LOOP,
        Cause::LoadSurge => &LOAD_SURGE,
        Cause::StuckProcess => &STUCK_PROCESS,
        Cause::DiskFilling => &DISK_FILLING,
        Cause::CertificateExpiring => &CERTIFICATE_EXPIRING,
        Cause::SlowDependency => &SLOW_DEPENDENCY,
        Cause::OverRequested => &OVER_REQUESTED,
        Cause::IdleService => &IDLE_SERVICE,
        Cause::ScaledToZero => &SCALED_TO_ZERO,
        Cause::SuspiciousWorkload => &SUSPICIOUS_WORKLOAD,
    }
}

const MEMORY_LIMIT_TOO_LOW: Profile = Profile {
    prior: PRIOR,
    rows: &[
        // The kernel killed it for memory: without that there is no such cause.
        shows(S::OomKilled, PROOF, -PROOF),
        // It hits the limit soon after each start; a leak takes its time.
        row(MemoryRampShort, FAIR, NOTHING),
        row(MemoryRampLong, -PROOF, NOTHING),
        row(WorkingSetAtLimit, FAIR, -FAIR),
        // More memory because of a new revision or more load: rivals.
        row(RolloutRecent, -FAIR, SLIGHT),
        row(TrafficAbove, -FAIR, SLIGHT),
        shows(S::Restarts, SLIGHT, NOTHING),
        row(FirstToShow, SLIGHT, -SLIGHT),
    ],
    key: &[&[Shows(S::OomKilled)]],
    explains: &[S::OomKilled, S::Restarts, S::CrashLoop, S::MemoryHigh, S::ReplicasUnavailable],
    standalone: false,
};

const MEMORY_LEAK: Profile = Profile {
    prior: PRIOR,
    rows: &[
        shows(S::MemoryHigh, STRONG, -PROOF),
        // Growth that goes on; high and level is nobody's trouble.
        row(MemoryForecast, STRONG, -FAIR),
        // A minute of it and more: what tells it from a limit that is too low.
        row(MemoryRampLong, STRONG, -FAIR),
        shows(S::OomKilled, SLIGHT, NOTHING),
        // Caches and buffers grow with load: that is no leak.
        row(TrafficAbove, -FAIR, SLIGHT),
        row(RolloutJustBefore, -FAIR, SLIGHT),
        row(FirstToShow, SLIGHT, -SLIGHT),
    ],
    key: &[&[Shows(S::MemoryHigh)], &[MemoryForecast, MemoryRampLong]],
    explains: &[S::OomKilled, S::Restarts, S::CrashLoop, S::MemoryHigh, S::ReplicasUnavailable, S::CpuHigh],
    standalone: false,
};

const BAD_DEPLOYMENT: Profile = Profile {
    prior: PRIOR,
    rows: &[
        // No rollout, no bad deployment. One that served well for minutes is hardly a better reason than none: what else is asked here
        // (failing requests, nothing else to blame) shows with causes outside the catalogue just as well.
        row(RolloutRecent, STRONG, -PROOF),
        row(RolloutJustBefore, STRONG, -PROOF),
        row(Degraded, FAIR, -PROOF),
        shows(S::ErrorRateHigh, FAIR, -SLIGHT),
        shows(S::LatencyHigh, SLIGHT, NOTHING),
        row(CallersComplain, SLIGHT, NOTHING),
        // It runs, only badly: pods that do not start are the crash loop's.
        shows(S::CrashLoop, -PROOF, SLIGHT),
        shows(S::OomKilled, -FAIR, NOTHING),
        row(TrafficAbove, -FAIR, SLIGHT),
        row(CalleeTroubled, -FAIR, SLIGHT),
        // A revision of one service does not slow services that never call it.
        row(SpreadUnrelated, -STRONG, NOTHING),
        row(FirstToShow, SLIGHT, -FAIR),
    ],
    key: &[&[RolloutRecent], &[Degraded]],
    explains: &[
        S::CpuHigh,
        S::CpuLow,
        S::Restarts,
        S::ReplicasUnavailable,
        S::MemoryHigh,
        S::ConnectionsSaturated,
        S::DependencyErrorsHigh,
        S::DependencyLatencyHigh,
    ],
    standalone: false,
};

const CRASH_LOOP: Profile = Profile {
    prior: PRIOR,
    rows: &[
        shows(S::CrashLoop, STRONG, -PROOF),
        // A revision that does not start; without a rollout something else broke, and rolling back would not mend it.
        row(RolloutRecent, STRONG, -STRONG),
        shows(S::ReplicasUnavailable, FAIR, -SLIGHT),
        // Killed for memory until it backs off: the memory's fault.
        shows(S::OomKilled, -PROOF, SLIGHT),
        shows(S::Restarts, SLIGHT, NOTHING),
        row(FirstToShow, SLIGHT, NOTHING),
    ],
    key: &[&[Shows(S::CrashLoop)], &[RolloutRecent]],
    explains: &[S::CrashLoop, S::Restarts, S::ReplicasUnavailable, S::CpuLow, S::CpuHigh],
    standalone: false,
};

const LOAD_SURGE: Profile = Profile {
    prior: PRIOR,
    rows: &[
        row(TrafficAbove, STRONG, -PROOF),
        // A wave that has just begun may ebb.
        row(TrafficSustained, FAIR, -FAIR),
        // Load that the replicas carry is no trouble.
        row(CpuNearLimit, STRONG, -STRONG),
        row(Degraded, FAIR, -STRONG),
        row(RolloutRecent, -FAIR, SLIGHT),
    ],
    key: &[&[TrafficAbove], &[CpuNearLimit]],
    explains: &[S::TrafficHigh, S::CpuHigh, S::MemoryHigh, S::ConnectionsSaturated, S::DependencyLatencyHigh, S::DependencyErrorsHigh],
    standalone: false,
};

const STUCK_PROCESS: Profile = Profile {
    prior: PRIOR_CONFUSABLE,
    rows: &[
        shows(S::LatencyHigh, FAIR, -FAIR),
        shows(S::ErrorRateHigh, SLIGHT, NOTHING),
        // Every connection waits and nothing is computed.
        shows(S::ConnectionsSaturated, STRONG, -STRONG),
        shows(S::CpuLow, FAIR, NOTHING),
        row(CpuModest, FAIR, -STRONG),
        row(TrafficAbove, -STRONG, SLIGHT),
        row(RolloutRecent, -STRONG, SLIGHT),
        // A pool also fills up while a callee is slow: the rival.
        row(CalleeTroubled, -STRONG, FAIR),
        shows(S::OomKilled, -STRONG, NOTHING),
        shows(S::Restarts, -FAIR, NOTHING),
        // Several services at once: the node or the network.
        row(SpreadUnrelated, -PROOF, SLIGHT),
        // Processes do not get stuck by the node they run on.
        row(OneNodeOnly, -PROOF, NOTHING),
        row(FirstToShow, SLIGHT, -SLIGHT),
    ],
    key: &[&[Degraded], &[Shows(S::ConnectionsSaturated), Shows(S::CpuLow)]],
    explains: &[S::ConnectionsSaturated, S::CpuLow],
    standalone: false,
};

const SLOW_DEPENDENCY: Profile = Profile {
    prior: PRIOR_CONFUSABLE,
    rows: &[
        row(CallersSlow, STRONG, -PROOF),
        // It says nothing of itself, so this is as deep as telemetry reaches. One that measures itself as fast points at the way between
        // them; one that measures itself as slow and shows no reason is where the trouble is, not what it is.
        row(Unmeasured, FAIR, -PROOF),
        // A cause of its own explains it better.
        row(OwnResourceTrouble, -STRONG, FAIR),
        row(CalleeTroubled, -STRONG, SLIGHT),
        row(TrafficAbove, -FAIR, SLIGHT),
        row(RolloutRecent, -STRONG, SLIGHT),
        // Somebody outside the fleet is not ours to name.
        row(KnownPeer, SLIGHT, -PROOF),
        row(SpreadUnrelated, -PROOF, SLIGHT),
        row(FirstToShow, SLIGHT, -SLIGHT),
    ],
    key: &[&[CallersSlow]],
    explains: &[],
    standalone: false,
};

const DISK_FILLING: Profile = Profile {
    prior: PRIOR,
    rows: &[shows(S::DiskFilling, PROOF + STRONG, -PROOF)],
    key: &[&[Shows(S::DiskFilling)]],
    explains: &[S::DiskFilling],
    standalone: true,
};

const CERTIFICATE_EXPIRING: Profile = Profile {
    prior: PRIOR,
    rows: &[shows(S::CertificateExpiring, PROOF + STRONG, -PROOF)],
    key: &[&[Shows(S::CertificateExpiring)]],
    explains: &[S::CertificateExpiring],
    standalone: true,
};

const OVER_REQUESTED: Profile = Profile {
    prior: PRIOR,
    rows: &[
        shows(S::OverRequested, PROOF + STRONG, -PROOF),
        // Nobody takes resources from a service in trouble.
        row(Degraded, -PROOF, NOTHING),
        row(CpuNearLimit, -PROOF, NOTHING),
        shows(S::OomKilled, -PROOF, NOTHING),
        row(TrafficAbove, -STRONG, NOTHING),
    ],
    key: &[&[Shows(S::OverRequested)]],
    explains: &[S::OverRequested],
    standalone: true,
};

const IDLE_SERVICE: Profile = Profile {
    prior: PRIOR,
    rows: &[
        shows(S::Idle, PROOF, -PROOF),
        // The readings must agree that nobody calls.
        row(NoTraffic, STRONG, -PROOF - STRONG),
        row(CallersComplain, -PROOF, NOTHING),
        shows(S::CpuHigh, -STRONG, NOTHING),
    ],
    key: &[&[Shows(S::Idle)]],
    explains: &[S::Idle, S::TrafficLow, S::CpuLow],
    standalone: true,
};

const SCALED_TO_ZERO: Profile = Profile {
    prior: PRIOR,
    rows: &[
        // Read from the cluster. That a person did it is no reason to undo it.
        row(ScaledToZero, STRONG, -PROOF),
        // Without callers it rests as it should.
        row(CallersComplain, STRONG, -PROOF),
    ],
    key: &[&[ScaledToZero], &[CallersComplain]],
    explains: &[S::Idle, S::TrafficLow, S::CpuLow, S::ReplicasUnavailable],
    standalone: false,
};

const SUSPICIOUS_WORKLOAD: Profile = Profile {
    prior: PRIOR,
    rows: &[
        shows(S::SecurityFinding, PROOF, -PROOF),
        // A notice is no intrusion.
        row(GraveFinding, FAIR, -STRONG),
    ],
    key: &[&[Shows(S::SecurityFinding)]],
    explains: &[S::SecurityFinding],
    standalone: true,
};

/// Symptoms that follow from any degradation of the service itself.
pub const FOLLOWS_HERE: [Symptom; 5] = [S::LatencyHigh, S::ErrorRateHigh, S::ErrorLogsHigh, S::TrafficLow, S::JointlyUnusual];

/// Symptoms that a degraded service gives to whoever calls it, directly or not.
pub const FOLLOWS_AT_CALLERS: [Symptom; 10] = [
    S::LatencyHigh,
    S::ErrorRateHigh,
    S::DependencyLatencyHigh,
    S::DependencyErrorsHigh,
    S::ErrorLogsHigh,
    S::TrafficLow,
    S::ConnectionsSaturated,
    S::CpuLow,
    S::CpuHigh,
    S::JointlyUnusual,
];

/// Symptoms that a degraded service gives to what it calls: fewer calls.
pub const FOLLOWS_AT_CALLEES: [Symptom; 3] = [S::TrafficLow, S::CpuLow, S::JointlyUnusual];

/// What a surge gives to callees beside that: its load.
pub const SURGE_AT_CALLEES: [Symptom; 6] =
    [S::TrafficHigh, S::CpuHigh, S::LatencyHigh, S::ConnectionsSaturated, S::ErrorRateHigh, S::JointlyUnusual];
