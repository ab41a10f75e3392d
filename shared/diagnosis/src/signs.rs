//! Signs: yes-or-no questions about one service in one incident, each answered with a sentence and where it comes from.

pub use crate::words::{figures, words};
use picket_core::anomaly::{Anomaly, DetectorKind, Symptom};
use picket_core::evidence::EvidenceSource;
use picket_core::ids::ServiceId;
use picket_core::incident::{ChangeEvent, ChangeKind, Incident};
use picket_core::ports::{DiagnosisContext, Readings};
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

/// A symptom may be stamped one reporting interval or more before the change that caused it is seen.
const CHANGE_SLACK_MS: i64 = 20_000;
/// A rollout this close before the first harm is suspect.
pub const ROLLOUT_JUST_BEFORE_MS: i64 = 120_000;
/// A rollout this long before the first harm may still be the cause.
pub const ROLLOUT_RECENT_MS: i64 = 600_000;
/// Memory that rises for this long before the first kill leaks; a limit that is too low is hit sooner.
const LONG_RAMP_MS: i64 = 45_000;
/// Memory that rises for less than this may only be starting up.
const SURE_RAMP_MS: i64 = 30_000;
/// A new revision this soon after picket's own act is that act, and no deployment of somebody's.
const PICKET_ROLLOUT_MS: i64 = 60_000;
/// How the sentence of a rollback reads (`Action::sentence`).
const ROLLED_BACK: &str = " back to revision ";
/// Onsets this close together count as one: detectors need some points.
const ONSET_SLACK_MS: i64 = 20_000;
/// Traffic above the usual for this long is no mere wave.
pub const SUSTAINED_MS: i64 = 35_000;
/// Unrelated services that deviate within this of each other have something in common.
const SPREAD_MS: i64 = 90_000;
/// How many of them, beside the candidate.
const SPREAD_SERVICES: usize = 2;
/// Traffic over the usual from which it is above, and below which a surge has ebbed.
const TRAFFIC_ABOVE: f64 = 1.5;
const TRAFFIC_EBBED: f64 = 1.2;
/// CPU over its limit from which it is near, and below which it is modest.
const CPU_NEAR: f64 = 0.8;
const CPU_MODEST: f64 = 0.6;
/// Working set over its limit from which it is at the limit.
const AT_LIMIT: f64 = 0.9;
/// Requests per second below which nobody calls.
const NO_TRAFFIC: f64 = 0.01;
/// Score from which a security finding is grave (direct signals score 10).
const GRAVE: f64 = 5.0;

/// A question about one service.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// The service shows the symptom.
    Shows(Symptom),
    /// Its requests are slow or fail, by its own measure or its callers'.
    Degraded,
    /// Services that call it see slow or failing calls to it.
    CallersComplain,
    /// Services that call it see slow calls to it.
    CallersSlow,
    /// It does not measure its own requests.
    Unmeasured,
    /// Only pods of one node have used up their pools; those on other nodes are well.
    OneNodeOnly,
    /// Something that it calls is in trouble.
    CalleeTroubled,
    /// Memory, CPU, pods, pools or disks of its own are in trouble.
    OwnResourceTrouble,
    /// It is a workload of the fleet.
    KnownPeer,
    /// A rollout within two minutes before its first harm.
    RolloutJustBefore,
    /// A rollout within ten minutes before its first harm.
    RolloutRecent,
    /// Memory rises towards its limit by forecast, and has for half a minute.
    MemoryForecast,
    /// Memory rose so for three quarters of a minute or more before the first kill, or without one.
    MemoryRampLong,
    /// It was killed for memory without such a rise.
    MemoryRampShort,
    /// Its working set has reached its limit.
    WorkingSetAtLimit,
    /// More requests than usual, now.
    TrafficAbove,
    /// And that for some time.
    TrafficSustained,
    /// No requests.
    NoTraffic,
    /// Picket has scaled it to zero, and nobody has changed that since.
    ScaledToZero,
    /// CPU near its limit.
    CpuNearLimit,
    /// CPU well below its limit.
    CpuModest,
    /// No other service deviated before it.
    FirstToShow,
    /// Several services that have nothing to do with it went bad at the same time, without a reason of their own.
    SpreadUnrelated,
    /// A security sensor fired, and not for a trifle.
    GraveFinding,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `None` when it could not be looked for.
    pub present: Option<bool>,
    /// One sentence that says it.
    pub text: String,
    /// Where it comes from, when present.
    pub source: EvidenceSource,
    /// When it was observed.
    pub at: Timestamp,
}

/// True for trouble that lies in the service itself, never in what it calls.
#[must_use]
pub const fn own_trouble(symptom: Symptom) -> bool {
    matches!(
        symptom,
        Symptom::OomKilled
            | Symptom::Restarts
            | Symptom::CrashLoop
            | Symptom::MemoryHigh
            | Symptom::CpuHigh
            | Symptom::ConnectionsSaturated
            | Symptom::ReplicasUnavailable
            | Symptom::FailedScheduling
            | Symptom::DiskFilling
            | Symptom::CertificateExpiring
            | Symptom::OverRequested
            | Symptom::Idle
            | Symptom::SecurityFinding
    )
}

/// True for symptoms that have their own sensor and say nothing of when trouble began.
#[must_use]
pub const fn standing(symptom: Symptom) -> bool {
    matches!(
        symptom,
        Symptom::DiskFilling
            | Symptom::CertificateExpiring
            | Symptom::OverRequested
            | Symptom::Idle
            | Symptom::SecurityFinding
            | Symptom::MetricUnusual
    )
}

/// The newest change of that kind on a service within `window_ms` before `first`.
#[must_use]
pub fn change_before<'a>(
    service: &ServiceId,
    kind: ChangeKind,
    first: Timestamp,
    window_ms: i64,
    context: &'a DiagnosisContext,
) -> Option<&'a ChangeEvent> {
    context
        .changes
        .iter()
        .filter(|c| &c.service == service && c.kind == kind)
        .filter(|c| (-CHANGE_SLACK_MS..=window_ms).contains(&first.since_ms(c.at)))
        .filter(|c| kind == ChangeKind::Picket || !(by_picket(c, context) || taken_back(c, first, context)))
        .max_by_key(|c| c.at)
}

/// Picket's restarts and limits make revisions, too.
fn by_picket(change: &ChangeEvent, context: &DiagnosisContext) -> bool {
    context
        .changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Picket && c.service == change.service)
        .any(|c| (-CHANGE_SLACK_MS..=PICKET_ROLLOUT_MS).contains(&change.at.since_ms(c.at)))
}

/// A release that picket has rolled back since is no longer there to be blamed.
fn taken_back(change: &ChangeEvent, first: Timestamp, context: &DiagnosisContext) -> bool {
    context
        .changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Picket && c.service == change.service && c.what.contains(ROLLED_BACK))
        .any(|c| c.at > change.at && c.at < first)
}

/// Answers questions about one service.
#[derive(Debug)]
pub struct Observer<'a> {
    incident: &'a Incident,
    context: &'a DiagnosisContext,
    service: &'a ServiceId,
    readings: Option<&'a Readings>,
    callees: BTreeSet<ServiceId>,
    related: BTreeSet<ServiceId>,
}

impl<'a> Observer<'a> {
    /// About `service` in `incident`.
    #[must_use]
    pub fn new(service: &'a ServiceId, incident: &'a Incident, context: &'a DiagnosisContext) -> Self {
        let mut callees: BTreeSet<_> = context.graph.callees(service).into_iter().collect();
        callees.extend(incident.subgraph.iter().filter(|(caller, _)| caller == service).map(|(_, callee)| callee.clone()));
        let related = callers_of(service, incident, context).into_iter().chain(callees_of(service, incident, context)).collect();
        Self { incident, context, service, readings: context.readings.get(service), callees, related }
    }

    fn on(&self, service: &'a ServiceId) -> impl Iterator<Item = &'a Anomaly> {
        self.incident.anomalies.iter().filter(move |a| &a.service == service)
    }

    fn own(&self, symptom: Symptom) -> Option<&'a Anomaly> {
        // The pools' readings are newer than the anomaly, which outlasts what it tells of by two windows.
        if symptom == Symptom::ConnectionsSaturated && self.readings.is_some_and(|r| matches!(r.pools_full, Some((0, ..)))) {
            return None;
        }
        self.on(self.service).filter(|a| a.symptom == symptom).min_by_key(|a| a.onset)
    }

    fn pointed_at(&self, slow_only: bool) -> Option<&'a Anomaly> {
        let service = self.service;
        self.incident.anomalies.iter().find(move |a| {
            a.peer.as_ref() == Some(service)
                && &a.service != service
                && (a.symptom == Symptom::DependencyLatencyHigh || (!slow_only && a.symptom == Symptom::DependencyErrorsHigh))
        })
    }

    fn degraded(&self) -> Option<&'a Anomaly> {
        self.own(Symptom::ErrorRateHigh).or_else(|| self.own(Symptom::LatencyHigh)).or_else(|| self.pointed_at(false))
    }

    /// Onset of its first symptom that hurts, or of its callers' complaints.
    #[must_use]
    pub fn first_harm(&self) -> Option<Timestamp> {
        self.incident
            .anomalies
            .iter()
            .filter(|a| {
                (&a.service == self.service && picket_core::severity::has_impact(a.symptom)) || a.peer.as_ref() == Some(self.service)
            })
            .map(|a| a.onset)
            .min()
    }

    fn first(&self) -> Option<Timestamp> {
        self.incident
            .anomalies
            .iter()
            .filter(|a| (&a.service == self.service || a.peer.as_ref() == Some(self.service)) && !standing(a.symptom))
            .map(|a| a.onset)
            .min()
    }

    fn rollout(&self, window_ms: i64) -> Option<&'a ChangeEvent> {
        change_before(self.service, ChangeKind::Deployment, self.first_harm()?, window_ms, self.context)
    }

    fn traffic_ratio(&self) -> Option<f64> {
        let readings = self.readings?;
        let (now, usual) = (readings.request_rate?, readings.request_rate_usual?);
        (usual > NO_TRAFFIC && now.is_finite()).then(|| now / usual)
    }

    fn traffic_above(&self) -> bool {
        let shown = self.own(Symptom::TrafficHigh).is_some();
        self.traffic_ratio().map_or(shown, |ratio| ratio >= TRAFFIC_ABOVE || (shown && ratio >= TRAFFIC_EBBED))
    }

    fn cpu(&self) -> Option<f64> {
        self.readings.and_then(|r| r.cpu_utilization).filter(|v| v.is_finite())
    }

    /// How long memory rose: until the first kill after it, or until it was last seen. High and level is no rise.
    fn memory_ramp_ms(&self) -> Option<i64> {
        let rise = self.own(Symptom::MemoryHigh).filter(|a| a.detector == DetectorKind::Forecast)?;
        let until = self.own(Symptom::OomKilled).map_or(rise.last_seen, |kill| kill.onset);
        Some(until.since_ms(rise.onset))
    }

    /// Services that went bad by themselves at the same time and neither call it nor are called by it.
    fn spread(&self) -> Vec<&'a ServiceId> {
        let Some(first) = self.first() else { return Vec::new() };
        let bad = |service: &'a ServiceId| {
            self.on(service).filter(|a| matches!(a.symptom, Symptom::LatencyHigh | Symptom::ErrorRateHigh)).map(|a| a.onset).min()
        };
        self.incident
            .services
            .iter()
            .filter(|other| *other != self.service && !self.related.contains(*other))
            .filter(|other| bad(other).is_some_and(|onset| onset.since_ms(first).abs() <= SPREAD_MS))
            .filter(|other| !self.on(other).any(|a| own_trouble(a.symptom) && !standing(a.symptom)))
            .filter(|other| {
                bad(other)
                    .is_none_or(|onset| change_before(other, ChangeKind::Deployment, onset, ROLLOUT_RECENT_MS, self.context).is_none())
            })
            .filter(|other| !self.context.graph.callees(other).iter().any(|callee| bad_among(callee, self.incident)))
            .collect()
    }

    fn known(&self) -> bool {
        match &self.context.facts {
            Some(facts) => facts.services.contains_key(self.service),
            None => self.readings.is_some() || self.context.graph.services().any(|s| s == self.service),
        }
    }

    /// Answers one question.
    #[must_use]
    pub fn observe(&self, sign: Sign) -> Observed {
        use EvidenceSource as E;
        let name = &self.service.name;
        let now = self.context.now;
        let answer = |present: bool, text: String, source: E, at: Option<Timestamp>| Observed {
            present: Some(present),
            text,
            source: if present { source } else { E::Absence },
            at: at.unwrap_or(now),
        };
        let by = |found: Option<&Anomaly>, yes: &str, no: &str| match found {
            Some(a) => answer(true, format!("{yes} ({})", figures(a)), E::Anomaly, Some(a.last_seen)),
            None => answer(false, no.to_owned(), E::Absence, None),
        };
        let said = |yes: bool, source: E, at: Option<Timestamp>, if_yes: String, if_no: String| {
            answer(yes, if yes { if_yes } else { if_no }, source, at)
        };
        let unread = |what: &str| Observed { present: None, text: format!("no reading of {what} of {name}"), source: E::Absence, at: now };
        match sign {
            Sign::Shows(symptom) => {
                let words = words(symptom);
                by(self.own(symptom), &format!("{name}: {words}"), &format!("{name} does not show: {words}"))
            }
            Sign::Degraded => by(
                self.degraded(),
                &format!("requests to {name} are slow or fail"),
                &format!("requests to {name} are neither slow nor failing"),
            ),
            Sign::CallersComplain => by(
                self.pointed_at(false),
                &format!("services that call {name} see it"),
                &format!("no service that calls {name} sees slow or failing calls"),
            ),
            Sign::CallersSlow => by(
                self.pointed_at(true),
                &format!("services that call {name} wait for it"),
                &format!("no service that calls {name} waits for it longer than usual"),
            ),
            Sign::Unmeasured => said(
                self.readings.is_none_or(|r| r.request_rate.is_none()),
                E::Graph,
                None,
                format!("{name} does not measure its own requests"),
                format!("{name} measures its own requests, and what it shows gives no reason"),
            ),
            Sign::OneNodeOnly => {
                let Some((full, all, node)) = self.readings.and_then(|r| r.pools_full.clone()) else { return unread("pools by pod") };
                let node_name = node.as_deref().unwrap_or("one node");
                said(
                    node.is_some() && full > 0 && full < all,
                    E::Facts,
                    None,
                    format!("only {full} of {all} pods of {name} are affected, all on {node_name}: the node may be the cause"),
                    format!("the pods of {name} that are affected are not those of one node"),
                )
            }
            Sign::CalleeTroubled => {
                let own = self.own(Symptom::DependencyLatencyHigh).or_else(|| self.own(Symptom::DependencyErrorsHigh));
                let callee = self.callees.iter().find(|callee| bad_among(callee, self.incident));
                match (own, callee) {
                    (Some(a), _) => {
                        answer(true, format!("what {name} calls is slow or fails ({})", figures(a)), E::Anomaly, Some(a.last_seen))
                    }
                    (None, Some(callee)) => answer(true, format!("{callee}, which {name} calls, is in trouble"), E::Graph, None),
                    (None, None) => answer(false, format!("nothing that {name} calls is in trouble"), E::Graph, None),
                }
            }
            Sign::OwnResourceTrouble => by(
                self.on(self.service).find(|a| own_trouble(a.symptom) && (!standing(a.symptom) || a.symptom == Symptom::DiskFilling)),
                &format!("{name} has trouble of its own"),
                &format!("memory, CPU, pods and connections of {name} are as usual"),
            ),
            Sign::KnownPeer => said(
                self.known(),
                E::Graph,
                None,
                format!("{name} is a workload of this fleet"),
                format!("{name} is not a workload of this fleet"),
            ),
            Sign::RolloutJustBefore => self.rollout_sign(ROLLOUT_JUST_BEFORE_MS),
            Sign::RolloutRecent => self.rollout_sign(ROLLOUT_RECENT_MS),
            Sign::MemoryForecast => {
                let sure = self.memory_ramp_ms().is_some_and(|ms| ms >= SURE_RAMP_MS);
                let yes = format!("memory of {name} rises towards its limit and does not level off");
                said(sure, E::Anomaly, None, yes, format!("memory of {name} does not rise for long towards its limit"))
            }
            Sign::MemoryRampLong => {
                let ramp = self.memory_ramp_ms();
                let seconds = ramp.unwrap_or(0) / 1000;
                let long = ramp.is_some_and(|ms| ms >= LONG_RAMP_MS);
                said(
                    long,
                    E::Anomaly,
                    None,
                    format!("memory of {name} rose for {seconds} s"),
                    format!("memory of {name} did not rise for long"),
                )
            }
            Sign::MemoryRampShort => {
                let short = self.own(Symptom::OomKilled).is_some() && self.memory_ramp_ms().is_none_or(|ms| ms < LONG_RAMP_MS);
                said(
                    short,
                    E::Anomaly,
                    None,
                    format!("{name} was killed without a long rise of memory before"),
                    format!("{name} was not killed out of a short rise of memory"),
                )
            }
            Sign::WorkingSetAtLimit => {
                let both =
                    self.readings.and_then(|r| r.memory_working_set_max_bytes.zip(r.memory_limit_bytes)).filter(|(_, limit)| *limit > 0.0);
                let Some((used, limit)) = both else { return unread("working set and limit") };
                let figures = format!("{:.0} of {:.0} MiB", used / 1_048_576.0, limit / 1_048_576.0);
                said(
                    used >= AT_LIMIT * limit,
                    E::Facts,
                    None,
                    format!("the working set of {name} reaches its limit: {figures}"),
                    format!("the working set of {name} stays below its limit: {figures}"),
                )
            }
            Sign::TrafficAbove => {
                let figures = self.traffic_ratio().map_or_else(|| "by its detector".to_owned(), |r| format!("{r:.1} times the usual"));
                said(
                    self.traffic_above(),
                    E::Facts,
                    None,
                    format!("{name} gets more requests than usual, {figures}"),
                    format!("{name} gets no more requests than usual"),
                )
            }
            Sign::TrafficSustained => {
                let Some(since) = self.own(Symptom::TrafficHigh) else { return unread("how long traffic is high") };
                let seconds = now.since_ms(since.onset) / 1000;
                said(
                    seconds * 1000 >= SUSTAINED_MS,
                    E::Anomaly,
                    Some(since.last_seen),
                    format!("the higher load on {name} has lasted {seconds} s"),
                    format!("the higher load on {name} has lasted only {seconds} s"),
                )
            }
            Sign::NoTraffic => {
                let Some(rate) = self.readings.and_then(|r| r.request_rate) else { return unread("the request rate") };
                said(
                    rate <= NO_TRAFFIC,
                    E::Facts,
                    None,
                    format!("{name} gets no requests"),
                    format!("{name} gets {rate:.2} requests per second"),
                )
            }
            Sign::ScaledToZero => {
                let before = self.readings.filter(|r| r.replicas_desired == Some(0)).and_then(|r| r.replicas_before_zero);
                said(
                    before.is_some(),
                    E::Facts,
                    None,
                    format!("{name} has no replicas since picket scaled it from {} to zero", before.unwrap_or_default()),
                    format!("{name} does not stand at zero replicas by picket's doing"),
                )
            }
            Sign::CpuNearLimit => {
                let figures = self.cpu().map_or_else(|| "by its detector".to_owned(), |u| format!("{:.0} % of its limit", u * 100.0));
                let near = self.cpu().map_or_else(
                    || self.own(Symptom::CpuHigh).is_some(),
                    |u| u >= CPU_NEAR || (u >= CPU_MODEST && self.own(Symptom::CpuHigh).is_some()),
                );
                said(
                    near,
                    E::Facts,
                    None,
                    format!("CPU of {name} is near its limit ({figures})"),
                    format!("CPU of {name} is not near its limit ({figures})"),
                )
            }
            Sign::CpuModest => {
                let high = self.own(Symptom::CpuHigh).is_some();
                let modest = match self.cpu() {
                    Some(used) => Some(used < CPU_MODEST && !high),
                    None if high => Some(false),
                    None => self.own(Symptom::CpuLow).map(|_| true),
                };
                let Some(modest) = modest else { return unread("CPU") };
                said(modest, E::Facts, None, format!("CPU of {name} is well below its limit"), format!("CPU of {name} is busy"))
            }
            Sign::FirstToShow => {
                let earliest = self.incident.anomalies.iter().filter(|a| !standing(a.symptom)).map(|a| a.onset).min();
                let (Some(first), Some(earliest)) = (self.first(), earliest) else { return unread("the onset") };
                let late = first.since_ms(earliest);
                said(
                    late <= ONSET_SLACK_MS,
                    E::Graph,
                    Some(first),
                    format!("no service deviated before {name}"),
                    format!("{name} deviated {} s after another service", late / 1000),
                )
            }
            Sign::SpreadUnrelated => {
                let others = self.spread();
                let names: Vec<_> = others.iter().take(4).map(|s| s.name.as_str()).collect();
                said(
                    others.len() >= SPREAD_SERVICES,
                    E::Graph,
                    None,
                    format!("{} went bad at the same time and neither call {name} nor are called by it", names.join(", ")),
                    format!("no group of unrelated services went bad together with {name}"),
                )
            }
            Sign::GraveFinding => {
                let found =
                    self.on(self.service).filter(|a| a.symptom == Symptom::SecurityFinding).max_by(|a, b| a.score.total_cmp(&b.score));
                by(
                    found.filter(|a| a.score >= GRAVE),
                    &format!("a grave security finding on {name}"),
                    &format!("no grave security finding on {name}"),
                )
            }
        }
    }

    fn rollout_sign(&self, window_ms: i64) -> Observed {
        let name = &self.service.name;
        match self.rollout(window_ms) {
            Some(change) => {
                let before = self.first_harm().map_or(0, |first| first.since_ms(change.at).max(0) / 1000);
                Observed {
                    present: Some(true),
                    text: format!("{name} was changed {before} s before the trouble: {}", change.what),
                    source: EvidenceSource::Change,
                    at: change.at,
                }
            }
            None => Observed {
                present: Some(false),
                text: format!("no rollout of {name} in the {} minutes before the trouble", window_ms / 60_000),
                source: EvidenceSource::Absence,
                at: self.context.now,
            },
        }
    }
}

fn bad_among(service: &ServiceId, incident: &Incident) -> bool {
    incident.anomalies.iter().any(|a| {
        &a.service == service
            && !standing(a.symptom)
            && (own_trouble(a.symptom) || matches!(a.symptom, Symptom::LatencyHigh | Symptom::ErrorRateHigh))
    })
}

/// Every service that calls it, directly or not, by the graph and by the incident itself.
#[must_use]
pub fn callers_of(service: &ServiceId, incident: &Incident, context: &DiagnosisContext) -> BTreeSet<ServiceId> {
    let mut found: BTreeSet<_> = context.graph.dependants(service).into_keys().collect();
    found.extend(closure(service, incident, false));
    found
}

/// Every service that it calls, directly or not.
#[must_use]
pub fn callees_of(service: &ServiceId, incident: &Incident, context: &DiagnosisContext) -> BTreeSet<ServiceId> {
    let mut found: BTreeSet<_> = context.graph.dependencies(service).into_keys().collect();
    found.extend(closure(service, incident, true));
    found
}

fn closure(start: &ServiceId, incident: &Incident, down: bool) -> BTreeSet<ServiceId> {
    let pointed = incident.anomalies.iter().filter_map(|a| a.peer.as_ref().map(|peer| (&a.service, peer)));
    let calls: Vec<_> = incident.subgraph.iter().map(|(a, b)| (a, b)).chain(pointed).collect();
    let (mut found, mut todo) = (BTreeSet::new(), vec![start]);
    while let Some(here) = todo.pop() {
        for (caller, callee) in &calls {
            let (from, to) = if down { (caller, callee) } else { (callee, caller) };
            if *from == here && *to != start && found.insert((*to).clone()) {
                todo.push(to);
            }
        }
    }
    found
}
