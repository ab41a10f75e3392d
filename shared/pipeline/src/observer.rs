//! The observer: service graph, facts, and grades. Deterministic, read-only, without any model.

mod by_others;

use crate::edges::EdgeFinder;
use crate::intake::Intake;
use crate::monitor::{Health, Look, Watch};
use crate::topics::{self, PublishedFacts};
use by_others::{ByOthers, WISHES_MAX};
use picket_core::action::Remediation;
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::coordination::{Answer, Command, LedgerEntry};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::graph::ServiceGraph;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::incident_record::Freshness;
use picket_core::ledger::EntryState;
use picket_core::outcome::{Outcome, Report};
use picket_core::ports::{Bus, ClusterReader, Coordinator, PortError, PortResult};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use picket_detection::{DetectionSettings, Detector};
use std::collections::{BTreeMap, BTreeSet};

/// What an observer is told at start.
#[derive(Clone, Debug)]
pub struct ObserverSettings {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Names its durable consumer.
    pub name: String,
    /// Event time between two posts of facts.
    pub facts_period_ms: i64,
    /// Event time between two publications of the graph; an edge is forgotten after twenty.
    pub graph_refresh_ms: i64,
    /// Event time between two looks at the baselines.
    pub tick_ms: i64,
    /// How long an act is watched.
    pub monitor_window_ms: i64,
    /// Baselines.
    pub detection: DetectionSettings,
}

/// Error budget of a service: one request in a hundred may fail. A burn rate of 1 spends exactly that.
const ERROR_BUDGET: f64 = 0.01;
/// An anomaly last seen longer ago than this is over.
const EVENT_FRESH_MS: i64 = 10_000;
/// One that stands by takes over when so many readings were missed.
const READINGS_MISSED: i64 = 4;
/// Callers of an act's target that are looked at beside it.
const CALLERS_MAX: usize = 8;
/// Unrelated services that it is compared with.
const PEERS_MAX: usize = 12;
/// Edges are forgotten after so many refresh intervals without a call.
const EDGE_REFRESHES: i64 = 20;

/// One cluster's observer.
#[derive(Debug)]
pub struct Observer<B, C, R> {
    settings: ObserverSettings,
    bus: B,
    coordinator: C,
    reader: R,
    intake: Intake,
    detector: Detector,
    edges: EdgeFinder,
    graph: ServiceGraph,
    active: Vec<Anomaly>,
    epoch: Option<u64>,
    /// Another observer has taken over: this one stands by until that one falls silent.
    deposed: bool,
    seq: u64,
    revision: u64,
    watches: BTreeMap<EntryId, (ServiceId, Watch)>,
    /// Acts that the last round heard of.
    heard: Vec<LedgerEntry>,
    grades: Vec<(EntryId, Outcome)>,
    by_others: ByOthers,
    facts_at: Option<Timestamp>,
    graph_at: Option<Timestamp>,
    tick_at: Option<Timestamp>,
}

impl<B: Bus, C: Coordinator, R: ClusterReader> Observer<B, C, R> {
    /// Makes one; the first step registers it.
    #[must_use]
    pub fn new(settings: ObserverSettings, bus: B, coordinator: C, reader: R) -> Self {
        let intake = Intake::new(&settings.name, &settings.cluster, false);
        let detector = Detector::new(settings.detection.clone());
        Self {
            settings,
            bus,
            coordinator,
            reader,
            intake,
            detector,
            edges: EdgeFinder::default(),
            graph: ServiceGraph::default(),
            active: Vec::new(),
            epoch: None,
            deposed: false,
            seq: 0,
            revision: 0,
            watches: BTreeMap::new(),
            heard: Vec::new(),
            grades: Vec::new(),
            by_others: ByOthers::default(),
            facts_at: None,
            graph_at: None,
            tick_at: None,
        }
    }

    /// One round: telemetry, graph, facts, grades. One that was deposed keeps its baselines warm and says nothing, until the facts of its
    /// cluster are old.
    ///
    /// # Errors
    /// When a port is away; call again, nothing is lost.
    pub async fn step(&mut self, now: Timestamp) -> PortResult<()> {
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None if self.deposed && !self.is_needed().await? => return self.take_telemetry(now).await,
            None => self.register(now).await?,
        };
        // Watched from now on and not from when the round began that heard of them: its calls may have taken long.
        for entry in std::mem::take(&mut self.heard) {
            // What was committed to a repository is watched from when it is delivered; how long that may take the coordinator knows.
            match self.has_arrived(&entry).await {
                Ok(true) => self.watch(&entry, now),
                Ok(false) => self.heard.push(entry),
                Err(error) => {
                    tracing::warn!(entry = %entry.id, %error, "whether it has been delivered cannot be seen now");
                    self.heard.push(entry);
                }
            }
        }
        self.take_telemetry(now).await?;
        if due(&mut self.facts_at, now, self.settings.facts_period_ms) {
            self.post_facts(epoch).await?;
        }
        if due(&mut self.graph_at, now, self.settings.graph_refresh_ms) {
            self.publish_graph(now).await?;
        }
        self.follow_ledger(now).await?;
        self.send_grades(epoch).await
    }

    async fn has_arrived(&self, entry: &LedgerEntry) -> PortResult<bool> {
        match &entry.report {
            Some(Report::Applied { receipt }) if receipt.object.delivered().is_some() => self.reader.shows(receipt).await,
            _ => Ok(true),
        }
    }

    async fn register(&mut self, now: Timestamp) -> PortResult<u64> {
        let id = format!("register-observer-{}-{}", self.settings.cluster, now.0);
        match self.coordinator.submit(id.into(), Command::Register).await? {
            Answer::Epoch { epoch } => {
                (self.epoch, self.deposed) = (Some(epoch), false);
                Ok(epoch)
            }
            other => Err(PortError::Refused { what: "register".into(), why: format!("{other:?}") }),
        }
    }

    /// Whether whoever took over has said nothing for several readings.
    async fn is_needed(&self) -> PortResult<bool> {
        let ages_ms = self.coordinator.status().await?.facts_age_ms;
        Ok(ages_ms.get(&self.settings.cluster).is_none_or(|age_ms| *age_ms > READINGS_MISSED * self.settings.facts_period_ms))
    }

    async fn take_telemetry(&mut self, now: Timestamp) -> PortResult<()> {
        let (detector, edges, graph) = (&mut self.detector, &mut self.edges, &mut self.graph);
        let taken = self
            .intake
            .drain(&self.bus, |signal| {
                detector.observe(signal);
                edges.observe(signal, graph);
            })
            .await?;
        if taken == 0 {
            return Ok(());
        }
        let data_now = self.intake.newest().map_or(now, |newest| newest.min(now));
        if due(&mut self.tick_at, data_now, self.settings.tick_ms) {
            self.active = self.detector.tick(data_now);
            self.look(self.detector.seen_until(data_now));
            let freshness = Freshness { at: data_now };
            self.bus.put(&Freshness::topic(&self.settings.cluster), json(&freshness)).await?;
        }
        Ok(())
    }

    /// One look at everything under watch, and at the company that each was given when its watch began.
    fn look(&mut self, at: Timestamp) {
        let acted_on: BTreeSet<_> = self.watches.values().map(|(service, _)| service.clone()).collect();
        for (service, watch) in self.watches.values_mut() {
            let health = |of: &ServiceId| health(&self.detector, &self.active, of, at);
            let callers = watch.before.callers.keys().map(|of| (of.clone(), health(of))).collect();
            // One that was acted on since is no measure any more.
            let peers = watch.before.peers.keys().filter(|of| !acted_on.contains(*of)).map(|of| (of.clone(), health(of))).collect();
            watch.after.push(Look { target: health(service), callers, peers });
        }
    }

    async fn post_facts(&mut self, epoch: u64) -> PortResult<()> {
        // The echo is taken before the cluster is read: the facts can only be younger than they say [M9].
        let echo = self.coordinator.status().await?.now;
        // So are the reservations: an act that is claimed meanwhile may be counted twice, one that is released never not at all.
        let reserved = self.coordinator.entries(0).await?.iter().filter(|e| e.holds_budget()).map(explained).collect();
        let read = self.reader.read(&reserved).await?;
        self.seq += 1;
        let mut readings = BTreeMap::new();
        let mut services = BTreeMap::new();
        for (id, facts, sizes) in read {
            self.graph.observe_service(&id);
            self.by_others.read(&id, &sizes, echo);
            services.insert(id.clone(), self.complete(&id, facts));
            readings.insert(id, sizes);
        }
        let cluster = self.settings.cluster.clone();
        let facts = ClusterFacts { cluster, observer_epoch: epoch, seq: self.seq, echo, graph_version: self.graph.version(), services };
        let id = format!("facts-{}-{epoch}-{}", self.settings.cluster, self.seq);
        let answer = self.coordinator.submit(id.into(), Command::PostFacts { facts: Box::new(facts.clone()) }).await?;
        if let Answer::Refused { violations } = answer {
            (self.epoch, self.deposed) = (None, true);
            return Err(PortError::Refused { what: "facts".into(), why: format!("{violations:?}") });
        }
        self.bus.put(&topics::facts(&self.settings.cluster), json(&PublishedFacts { facts, readings })).await
    }

    /// Adds what the graph and the telemetry know to what the cluster's API says.
    fn complete(&self, id: &ServiceId, mut facts: ServiceFacts) -> ServiceFacts {
        facts.dependants = self.graph.dependants(id).into_keys().collect();
        let touched: BTreeSet<_> = self.graph.callers(id).into_iter().map(|s| s.namespace).chain([id.namespace.clone()]).collect();
        facts.namespaces_touched = touched.into_iter().collect();
        let (_, errors) = service_level(&self.detector, id);
        facts.error_budget_burn = errors.map_or(0.0, |(now, _)| now / ERROR_BUDGET);
        facts
    }

    async fn publish_graph(&mut self, now: Timestamp) -> PortResult<()> {
        self.graph.forget_calls_before(now.plus_ms(-EDGE_REFRESHES * self.settings.graph_refresh_ms));
        self.bus.put(&topics::graph(&self.settings.cluster), json(&self.graph.snapshot())).await
    }

    async fn follow_ledger(&mut self, now: Timestamp) -> PortResult<()> {
        let page = self.coordinator.watch(self.revision, 0).await?;
        let entries = if page.compacted || self.revision == 0 {
            self.coordinator.entries(WISHES_MAX).await?
        } else {
            page.changes.into_iter().map(|c| c.entry).collect()
        };
        self.revision = page.revision;
        for entry in entries {
            self.note(entry);
        }
        // An act is judged by metrics of the time after it, which may come late.
        let seen = self.detector.seen_until(now);
        let window_ms = self.settings.monitor_window_ms;
        let graded: Vec<_> = self.watches.iter().filter_map(|(id, (_, w))| w.grade(seen, window_ms).map(|o| (id.clone(), o))).collect();
        for (id, outcome) in graded {
            self.watches.remove(&id);
            self.grades.push((id, outcome));
        }
        Ok(())
    }

    fn note(&mut self, entry: LedgerEntry) {
        if entry.work.action().service.cluster != self.settings.cluster {
            return;
        }
        self.by_others.note(&entry);
        self.heard.retain(|known| known.id != entry.id);
        if entry.state == EntryState::Observing {
            self.heard.push(entry);
        } else {
            self.watches.remove(&entry.id);
        }
    }

    fn watch(&mut self, entry: &LedgerEntry, now: Timestamp) {
        let service = &entry.work.action().service;
        if !self.watches.contains_key(&entry.id) {
            let at = self.detector.seen_until(now);
            let health = |of: &ServiceId| health(&self.detector, &self.active, of, at);
            let acted_on: BTreeSet<_> = self.watches.values().map(|(service, _)| service.clone()).collect();
            let before = Look {
                target: health(service),
                callers: callers(&self.graph, service).into_iter().map(|of| (of.clone(), health(&of))).collect(),
                peers: peers(&self.graph, service, &acted_on).into_iter().map(|of| (of.clone(), health(&of))).collect(),
            };
            let watch = Watch {
                kind: entry.work.action().kind(),
                undo: matches!(entry.work, Work::Undo { .. }),
                symptoms: entry.proposal.symptoms.clone(),
                applied_at: now,
                before,
                after: Vec::new(),
            };
            self.watches.insert(entry.id.clone(), (service.clone(), watch));
        }
    }

    async fn send_grades(&mut self, epoch: u64) -> PortResult<()> {
        while let Some((entry, outcome)) = self.grades.first().cloned() {
            let command = Command::Grade { entry: entry.clone(), observer_epoch: epoch, outcome };
            self.coordinator.submit(format!("grade-{entry}-{epoch}").into(), command).await?;
            self.grades.remove(0);
        }
        while let Some((entry, evidence)) = self.by_others.first().cloned() {
            let id = format!("foreign-{entry}-{epoch}");
            let command = Command::ForeignEvidence { entry, observer_epoch: epoch, evidence: Box::new(evidence) };
            self.coordinator.submit(id.into(), command).await?;
            self.by_others.told();
        }
        Ok(())
    }
}

/// Services that call it, and are looked at beside it.
fn callers(graph: &ServiceGraph, service: &ServiceId) -> Vec<ServiceId> {
    graph.callers(service).into_iter().filter(|caller| caller != service).take(CALLERS_MAX).collect()
}

/// Services of its cluster that its calls do not reach and whose calls do not reach it, spread evenly over their names.
fn peers(graph: &ServiceGraph, service: &ServiceId, acted_on: &BTreeSet<ServiceId>) -> Vec<ServiceId> {
    let (above, below) = (graph.dependants(service), graph.dependencies(service));
    let unrelated = |of: &&ServiceId| {
        *of != service && of.cluster == service.cluster && !above.contains_key(*of) && !below.contains_key(*of) && !acted_on.contains(*of)
    };
    let all: Vec<_> = graph.services().filter(unrelated).collect();
    all.iter().step_by(all.len().div_ceil(PEERS_MAX).max(1)).map(|of| (*of).clone()).collect()
}

/// The pods that an act may keep from being ready: those that it takes down, and those that it adds.
fn explained(entry: &LedgerEntry) -> (EntryId, u32) {
    let added = match entry.work.action().remediation {
        Remediation::Scale { replicas, from } => replicas.abs_diff(from),
        _ => 0,
    };
    (entry.id.clone(), entry.cost_pods.max(added))
}

fn due(last: &mut Option<Timestamp>, now: Timestamp, period_ms: i64) -> bool {
    let is_due = last.is_none_or(|last| now.since_ms(last) >= period_ms);
    if is_due {
        *last = Some(now);
    }
    is_due
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("boundary types are plain data")
}

/// Now and usual.
type Level = Option<(f64, Option<f64>)>;

/// Latency (p95, seconds) and error share of a service: now and usual.
fn service_level(detector: &Detector, service: &ServiceId) -> (Level, Level) {
    let (mut latency, mut errors) = (None, None);
    for series in detector.series_of(service) {
        let Some((_, value)) = series.points.last() else { continue };
        match series.symptom {
            // Detection keeps latency in milliseconds.
            Symptom::LatencyHigh => latency = Some((*value / 1000.0, series.expected.map(|e| e / 1000.0))),
            Symptom::ErrorRateHigh => errors = Some((*value, series.expected)),
            _ => {}
        }
    }
    (latency, errors)
}

fn health(detector: &Detector, active: &[Anomaly], service: &ServiceId, at: Timestamp) -> Health {
    let (latency, errors) = service_level(detector, service);
    // An event counts as present for a while after it; what matters here is whether it still happens.
    let fresh = |a: &&Anomaly| &a.service == service && at.since_ms(a.last_seen) <= EVENT_FRESH_MS;
    let mut symptoms: Vec<_> = active.iter().filter(fresh).map(|a| a.symptom).collect();
    symptoms.sort_unstable();
    symptoms.dedup();
    Health {
        at,
        active: symptoms,
        p95_s: latency.map(|l| l.0),
        p95_usual_s: latency.and_then(|l| l.1),
        error_ratio: errors.map(|e| e.0),
        error_ratio_usual: errors.and_then(|e| e.1),
    }
}
