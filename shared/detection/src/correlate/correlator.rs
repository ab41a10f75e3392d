//! Keeps the open incidents: opens, feeds, merges, reopens and resolves them.

use super::blame::Blame;
use super::weight::{Part, agent, is_about_peer, name, part, rank};
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::facts::ClusterFacts;
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ClusterName, IncidentId, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident, IncidentStatus};
use picket_core::severity::{Severity, has_impact, severity};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Edges kept with an incident.
const SUBGRAPH_MAX: usize = 400;
/// A cause may be seen this much later than its effect: detection takes windows.
const CAUSE_LATER_MS: i64 = 30_000;
/// Resolved incidents remembered for reopening.
const RESOLVED_MAX: usize = 200;

/// What correlation is tuned by. Every length is event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrelationSettings {
    /// Anomalies this far apart can have one cause, and an incident resolved this recently is reopened rather than repeated.
    pub dedup_window_ms: i64,
    /// Open incidents per service.
    pub max_incidents_per_service: usize,
    /// Open incidents of the cluster.
    pub max_incidents: usize,
    /// Time without any of its anomalies after which an incident is resolved.
    pub quiet_ms: i64,
    /// Hops along calls within which slowness is inherited and context joins.
    pub group_hops: u32,
    /// An incident known only from a caller's view waits this long for the callee to speak.
    pub settle_ms: i64,
    /// An incident whose figures change is reported again this often.
    pub refresh_ms: i64,
    /// Only incidents that this agent tends; `None`: all.
    pub agent: Option<AgentKind>,
    /// Beginning of incident ids: `inc` gives `inc-CLUSTER-1`.
    pub id_prefix: String,
}

impl Default for CorrelationSettings {
    fn default() -> Self {
        Self {
            dedup_window_ms: 120_000,
            max_incidents_per_service: 5,
            max_incidents: 500,
            quiet_ms: 25_000,
            group_hops: 2,
            settle_ms: 5_000,
            refresh_ms: 15_000,
            agent: None,
            id_prefix: "inc".to_owned(),
        }
    }
}

/// What became of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "incident", rename_all = "snake_case")]
pub enum IncidentEvent {
    /// New, or open again.
    Opened(Incident),
    /// More services, a higher severity, another root, newer figures.
    Updated(Incident),
    /// No anomaly for the quiet period, or merged into the incident of its cause.
    Resolved(Incident),
}

impl IncidentEvent {
    /// The incident, as it is after the event.
    #[must_use]
    pub const fn incident(&self) -> &Incident {
        match self {
            Self::Opened(incident) | Self::Updated(incident) | Self::Resolved(incident) => incident,
        }
    }
}

/// What an incident is about: trouble of a service, or one matter of its own.
type Subject = Option<(Symptom, Option<String>)>;
/// Root and subject: what anomalies of one moment are grouped by.
type Place = (ServiceId, Subject);
type Key = (ServiceId, Symptom, Option<ServiceId>, Option<String>);

#[derive(Clone, Debug)]
struct Open {
    incident: Incident,
    subject: Subject,
    root_symptom: Symptom,
    members: BTreeMap<Key, Anomaly>,
    last_active: Timestamp,
    /// When the trouble was last traced to its service.
    root_seen: Timestamp,
    reported: Timestamp,
}

/// Groups the anomalies of one cluster into incidents.
#[derive(Clone, Debug)]
pub struct Correlator {
    settings: CorrelationSettings,
    cluster: ClusterName,
    next: u64,
    open: Vec<Open>,
    resolved: VecDeque<Open>,
    waiting: BTreeMap<ServiceId, Timestamp>,
    /// The newest rollout of each service that had one.
    changes: BTreeMap<ServiceId, Timestamp>,
    suppressed: u64,
}

impl Correlator {
    /// A correlator of one cluster without incidents.
    #[must_use]
    pub fn new(settings: CorrelationSettings, cluster: ClusterName) -> Self {
        Self {
            settings,
            cluster,
            next: 1,
            open: Vec::new(),
            resolved: VecDeque::new(),
            waiting: BTreeMap::new(),
            changes: BTreeMap::new(),
            suppressed: 0,
        }
    }

    /// The open incidents, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().map(|o| &o.incident)
    }

    /// Causes for which no incident was opened because a bound was reached.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Learns of changes: a service that was just rolled out may be a cause, where else it would be taken for a sufferer.
    pub fn note_changes(&mut self, changes: &[ChangeEvent], seen: Timestamp) {
        self.changes.retain(|_, at| seen.since_ms(*at) <= self.settings.dedup_window_ms);
        for change in changes.iter().filter(|c| c.kind == ChangeKind::Deployment && c.service.cluster == self.cluster) {
            let newest = self.changes.entry(change.service.clone()).or_insert(change.at);
            *newest = change.at.max(*newest);
        }
    }

    /// Takes every anomaly of this moment (what [`crate::Detector::tick`] returns) and says what became of the incidents. `seen`: up to when
    /// the anomalies' metrics speak ([`crate::Detector::seen_until`]); incidents are opened and resolved `now`.
    pub fn ingest(
        &mut self,
        anomalies: &[Anomaly],
        graph: &ServiceGraph,
        facts: Option<&ClusterFacts>,
        seen: Timestamp,
        now: Timestamp,
    ) -> Vec<IncidentEvent> {
        let mut anomalies: Vec<Anomaly> = anomalies.iter().filter(|a| a.service.cluster == self.cluster).cloned().collect();
        anomalies.sort_by_key(|a| (a.onset, key(a)));
        let changed: BTreeSet<ServiceId> =
            self.changes.iter().filter(|(_, at)| seen.since_ms(**at) <= self.settings.dedup_window_ms).map(|(s, _)| s.clone()).collect();
        let blame = Blame::new(&anomalies, &changed, graph, self.settings.group_hops, self.settings.dedup_window_ms);
        let mut roots = blame.roots();
        let mut events = Vec::new();
        self.keep_roots(&mut roots, &anomalies, now, &mut events);

        let mut groups: BTreeMap<Place, Vec<Anomaly>> = BTreeMap::new();
        for anomaly in &anomalies {
            let root = roots.get(&anomaly.service).filter(|root| part(anomaly) == Part::Trouble && !blame.is_own(root));
            if root.is_some_and(|root| self.lingers(anomaly, root, graph, seen, now)) {
                continue;
            }
            let place = match part(anomaly) {
                Part::Alone => (anomaly.service.clone(), Some((anomaly.symptom, anomaly.object.clone()))),
                Part::Trouble => {
                    // A complaint about a callee belongs to that callee's incident, when it has one.
                    let through_peer = anomaly.peer.as_ref().and_then(|p| roots.get(p)).filter(|r| roots.values().any(|v| v == *r));
                    let own = roots.get(&anomaly.service);
                    (through_peer.or(own).unwrap_or(&anomaly.service).clone(), None)
                }
                Part::Context => continue,
            };
            groups.entry(place).or_default().push(anomaly.clone());
        }
        self.join_context(&anomalies, graph, &mut groups);
        for ((root, subject), group) in groups {
            self.feed(root, subject, group, graph, facts, seen, now, &mut events);
        }
        self.finish(graph, facts, now, &mut events);
        self.waiting.retain(|service, _| roots.values().any(|r| r == service));
        match self.settings.agent {
            Some(agent) => events.into_iter().filter(|e| e.incident().agent == agent).collect(),
            None => events,
        }
    }

    /// The cause of an incident recovers before those who suffered from it: what began while it still showed joins its incident for
    /// the quiet period, and only then may stand for trouble of its own.
    fn lingers(&mut self, anomaly: &Anomaly, root: &ServiceId, graph: &ServiceGraph, seen: Timestamp, now: Timestamp) -> bool {
        if self.open.iter().any(|o| o.subject.is_none() && &o.incident.service == root) {
            return false;
        }
        let settings = &self.settings;
        let cause = self.open.iter_mut().find(|o| {
            o.subject.is_none()
                && o.incident.services.contains(root)
                // Only who calls it, directly or not, can suffer from it.
                && (root == &o.incident.service || graph.dependants(&o.incident.service).contains_key(root))
                && seen.since_ms(o.root_seen) < settings.quiet_ms
                && anomaly.onset <= o.root_seen.plus_ms(settings.settle_ms)
        });
        let Some(open) = cause else { return false };
        open.last_active = now;
        open.take(vec![anomaly.clone()]);
        true
    }

    /// An open incident keeps its root unless the cause is found deeper; then it moves there, or into the incident that is there.
    fn keep_roots(
        &mut self,
        roots: &mut BTreeMap<ServiceId, ServiceId>,
        anomalies: &[Anomaly],
        now: Timestamp,
        events: &mut Vec<IncidentEvent>,
    ) {
        let mut i = 0;
        while i < self.open.len() {
            let open = &self.open[i];
            let service = open.incident.service.clone();
            let deeper = (open.subject.is_none()).then(|| roots.get(&service).filter(|r| **r != service).cloned()).flatten();
            let Some(deeper) = deeper else {
                i += 1;
                continue;
            };
            // What began well after the incident is not its cause but a trouble of its own, with an incident of its own.
            let about = |a: &&Anomaly| a.service == deeper || a.peer.as_ref() == Some(&deeper);
            let began = anomalies.iter().filter(|a| part(a) == Part::Trouble).filter(about).map(|a| a.onset).min();
            if began.is_some_and(|began| began.since_ms(open.incident.onset) > CAUSE_LATER_MS) {
                i += 1;
                continue;
            }
            let young = now.since_ms(open.incident.opened_at) <= self.settings.dedup_window_ms;
            if !young {
                // An old incident is a cause of its own: what hangs on it stays with it.
                for root in roots.iter_mut().filter(|(from, _)| **from == service).map(|(_, root)| root) {
                    root.clone_from(&service);
                }
                i += 1;
                continue;
            }
            if let Some(target) = self.open.iter().position(|o| o.subject.is_none() && o.incident.service == deeper) {
                let mut merged = self.open.remove(i);
                let target = if target > i { target - 1 } else { target };
                let into = &mut self.open[target];
                into.incident.severity = into.incident.severity.graver(merged.incident.severity);
                into.members.append(&mut merged.members);
                merged.incident.status = IncidentStatus::Resolved;
                merged.incident.updated_at = now;
                events.push(IncidentEvent::Resolved(merged.incident));
            } else {
                // Reported as an update when it is fed.
                self.open[i].incident.service = deeper;
                i += 1;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; the parts of one moment")]
    fn feed(
        &mut self,
        root: ServiceId,
        subject: Subject,
        group: Vec<Anomaly>,
        graph: &ServiceGraph,
        facts: Option<&ClusterFacts>,
        seen: Timestamp,
        now: Timestamp,
        events: &mut Vec<IncidentEvent>,
    ) {
        if let Some(open) = self.open.iter_mut().find(|o| o.incident.service == root && o.subject == subject) {
            (open.last_active, open.root_seen) = (now, seen);
            let news = open.take(group);
            let changed = open.refresh(graph, facts) || news;
            if changed || now.since_ms(open.reported) >= self.settings.refresh_ms {
                open.incident.updated_at = now;
                open.reported = now;
                events.push(IncidentEvent::Updated(open.incident.clone()));
            }
            return;
        }
        if subject.is_none() && self.waits(&root, &group, seen, now) {
            return;
        }
        let root_symptom = root_symptom(&root, &group);
        let print = fingerprint(&root, root_symptom, subject.as_ref());
        if self.open.len() >= self.settings.max_incidents
            || self.open.iter().filter(|o| o.incident.service == root).count() >= self.settings.max_incidents_per_service
        {
            self.suppressed += 1;
            // A storm is told within what is open already.
            if let Some(open) = self.open.iter_mut().filter(|o| o.incident.service == root).min_by_key(|o| o.subject.is_some()) {
                open.take(group);
            }
            return;
        }
        let again = self.resolved.iter().position(|o| {
            now.since_ms(o.incident.updated_at) <= self.settings.dedup_window_ms
                && (o.incident.fingerprint == print || o.shows(&root, &subject, &group))
        });
        let mut open = match again.and_then(|i| self.resolved.remove(i)) {
            Some(mut open) => {
                open.incident.status = IncidentStatus::Open;
                // What was seen before it was over explains nothing of what is seen now.
                open.members.clear();
                open
            }
            None => {
                let id = IncidentId(format!("{}-{}-{}", self.settings.id_prefix, self.cluster, self.next));
                self.next += 1;
                Open::new(id, root, subject, root_symptom, print, now)
            }
        };
        (open.last_active, open.root_seen, open.reported) = (now, seen, now);
        open.take(group);
        open.refresh(graph, facts);
        open.incident.updated_at = now;
        events.push(IncidentEvent::Opened(open.incident.clone()));
        self.open.push(open);
    }

    /// True while nothing but callers' complaints is known: the callee's own word may come with the next window, and a callee that starts
    /// anew may be well again by then. A complaint that is not heard any more, only not yet forgotten, opens nothing.
    fn waits(&mut self, root: &ServiceId, group: &[Anomaly], seen: Timestamp, now: Timestamp) -> bool {
        if group.iter().any(|a| part(a) == Part::Trouble && !is_about_peer(a.symptom)) {
            return false;
        }
        let since = *self.waiting.entry(root.clone()).or_insert(now);
        let heard = group.iter().any(|a| seen.since_ms(a.last_seen) < self.settings.settle_ms);
        now.since_ms(since) < self.settings.settle_ms || !heard
    }

    /// Context joins the trouble of its own service, else the nearest within the hops; it neither opens an incident nor keeps one open.
    fn join_context(&mut self, anomalies: &[Anomaly], graph: &ServiceGraph, groups: &mut BTreeMap<Place, Vec<Anomaly>>) {
        let hops = self.settings.group_hops;
        let distance = |root: &ServiceId, shows: bool, service: &ServiceId| {
            if shows { Some(0) } else { graph.distance(root, service).filter(|d| *d <= hops) }
        };
        let mut joined: Vec<(Place, Anomaly)> = Vec::new();
        for anomaly in anomalies.iter().filter(|a| part(a) == Part::Context) {
            let near = groups.iter().filter(|(place, _)| place.1.is_none()).filter_map(|(place, group)| {
                let shows = group.iter().any(|a| a.service == anomaly.service);
                Some((distance(&place.0, shows, &anomaly.service)?, place))
            });
            if let Some((_, place)) = near.min() {
                joined.push((place.clone(), anomaly.clone()));
                continue;
            }
            let open = self.open.iter_mut().filter(|o| o.subject.is_none()).filter_map(|o| {
                let shows = o.incident.services.contains(&anomaly.service);
                Some((distance(&o.incident.service, shows, &anomaly.service)?, o))
            });
            if let Some((_, open)) = open.min_by_key(|(distance, o)| (*distance, o.incident.opened_at)) {
                open.take(vec![anomaly.clone()]);
            }
        }
        for (place, anomaly) in joined {
            groups.entry(place).or_default().push(anomaly);
        }
    }

    /// Resolves what has been quiet, and forgets what was resolved long ago.
    fn finish(&mut self, graph: &ServiceGraph, facts: Option<&ClusterFacts>, now: Timestamp, events: &mut Vec<IncidentEvent>) {
        let quiet_ms = self.settings.quiet_ms;
        let (quiet, loud): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(|o| now.since_ms(o.last_active) >= quiet_ms);
        self.open = loud;
        for mut open in quiet {
            open.refresh(graph, facts);
            open.incident.status = IncidentStatus::Resolved;
            open.incident.updated_at = now;
            events.push(IncidentEvent::Resolved(open.incident.clone()));
            self.resolved.push_back(open);
        }
        while self.resolved.len() > RESOLVED_MAX
            || self.resolved.front().is_some_and(|o| now.since_ms(o.incident.updated_at) > self.settings.dedup_window_ms)
        {
            self.resolved.pop_front();
        }
    }
}

impl Open {
    fn new(id: IncidentId, root: ServiceId, subject: Subject, root_symptom: Symptom, fingerprint: String, now: Timestamp) -> Self {
        let incident = Incident {
            id,
            agent: agent(root_symptom),
            fingerprint,
            services: vec![root.clone()],
            service: root,
            severity: Severity::Four,
            opened_at: now,
            onset: now,
            updated_at: now,
            status: IncidentStatus::Open,
            anomalies: Vec::new(),
            subgraph: Vec::new(),
        };
        Self { incident, subject, root_symptom, members: BTreeMap::new(), last_active: now, root_seen: now, reported: now }
    }

    /// Takes anomalies in; true when one of them is new to it.
    fn take(&mut self, anomalies: Vec<Anomaly>) -> bool {
        let mut news = false;
        for mut anomaly in anomalies {
            let key = key(&anomaly);
            let full = self.members.len() >= Incident::ANOMALIES_MAX;
            match self.members.get_mut(&key) {
                Some(known) => {
                    anomaly.onset = anomaly.onset.min(known.onset);
                    *known = anomaly;
                }
                None if !full => {
                    self.members.insert(key, anomaly);
                    news = true;
                }
                None => {}
            }
        }
        news
    }

    /// Writes the incident anew from its members; true when services, root or severity changed.
    fn refresh(&mut self, graph: &ServiceGraph, facts: Option<&ClusterFacts>) -> bool {
        let mut anomalies: Vec<Anomaly> = self.members.values().cloned().collect();
        anomalies.sort_by_key(|a| (a.onset, key(a)));
        let incident = &mut self.incident;
        let root = incident.service.clone();
        let mut services = vec![root.clone()];
        for anomaly in &anomalies {
            if !services.contains(&anomaly.service) {
                services.push(anomaly.service.clone());
            }
        }
        let symptoms: BTreeSet<Symptom> = anomalies.iter().map(|a| a.symptom).collect();
        let degraded: BTreeSet<&ServiceId> = anomalies.iter().filter(|a| has_impact(a.symptom)).map(|a| &a.service).collect();
        let graded = match &self.subject {
            // A risk is graded as a risk, whatever else its service suffers.
            Some((symptom, _)) => {
                if has_impact(*symptom) {
                    Severity::Three
                } else {
                    Severity::Four
                }
            }
            None => {
                let symptoms: Vec<Symptom> = symptoms.into_iter().collect();
                severity(&symptoms, degraded.len(), facts.and_then(|f| f.services.get(&root)))
            }
        };
        let severity = incident.severity.graver(graded);
        let moved = incident.services.first() != Some(&root);
        if moved {
            self.root_symptom = root_symptom(&root, &anomalies);
            incident.agent = agent(self.root_symptom);
            incident.fingerprint = fingerprint(&root, self.root_symptom, self.subject.as_ref());
        }
        let changed = moved || incident.services.len() != services.len() || incident.severity != severity;
        if changed || incident.subgraph.is_empty() {
            incident.subgraph = graph.calls_around(&services);
            incident.subgraph.truncate(SUBGRAPH_MAX);
        }
        incident.onset = anomalies.iter().map(|a| a.onset).min().unwrap_or(incident.onset).min(incident.opened_at);
        incident.severity = severity;
        incident.services = services;
        incident.anomalies = anomalies;
        changed
    }

    /// True when this resolved incident was about what the group shows.
    fn shows(&self, root: &ServiceId, subject: &Subject, group: &[Anomaly]) -> bool {
        &self.incident.service == root
            && &self.subject == subject
            && group.iter().any(|a| &a.service == root && a.symptom == self.root_symptom)
    }
}

fn key(anomaly: &Anomaly) -> Key {
    (anomaly.service.clone(), anomaly.symptom, anomaly.peer.clone(), anomaly.object.clone())
}

/// The most telling symptom of the root; when it shows none itself, of those who complain.
fn root_symptom(root: &ServiceId, anomalies: &[Anomaly]) -> Symptom {
    let telling =
        |own: bool| anomalies.iter().filter(|a| !own || &a.service == root).min_by_key(|a| (rank(a.symptom), a.onset)).map(|a| a.symptom);
    telling(true).or_else(|| telling(false)).unwrap_or(Symptom::JointlyUnusual)
}

fn fingerprint(root: &ServiceId, symptom: Symptom, subject: Option<&(Symptom, Option<String>)>) -> String {
    match subject.and_then(|(_, object)| object.as_deref()) {
        Some(object) => format!("{root}|{}|{object}", name(symptom)),
        None => format!("{root}|{}", name(symptom)),
    }
}
