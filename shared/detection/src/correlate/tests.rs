//! One incident per cause.

use super::{CorrelationSettings, Correlator, IncidentEvent};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident, IncidentStatus};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;

fn id(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

/// web → cart → db, web → search → index, pay → db.
fn graph() -> ServiceGraph {
    let mut graph = ServiceGraph::default();
    for (caller, callee) in [("web", "cart"), ("cart", "db"), ("web", "search"), ("search", "index"), ("pay", "db")] {
        graph.observe_call(&id(caller), &id(callee), Timestamp(0), 1);
    }
    graph
}

fn at(s: i64) -> Timestamp {
    Timestamp(s * 1_000)
}

fn anomaly(service: &str, symptom: Symptom, onset_s: i64) -> Anomaly {
    Anomaly {
        service: id(service),
        pod: None,
        symptom,
        detector: DetectorKind::Baseline,
        series: "series".into(),
        score: 5.0,
        direction: Direction::Up,
        value: 1.0,
        expected: 0.0,
        onset: at(onset_s),
        last_seen: at(onset_s),
        peer: None,
        object: None,
    }
}

fn about(caller: &str, callee: &str, onset_s: i64) -> Anomaly {
    Anomaly { peer: Some(id(callee)), ..anomaly(caller, Symptom::DependencyLatencyHigh, onset_s) }
}

fn object(service: &str, symptom: Symptom, object: &str) -> Anomaly {
    Anomaly { object: Some(object.into()), ..anomaly(service, symptom, 0) }
}

struct Bench {
    correlator: Correlator,
    graph: ServiceGraph,
    facts: ClusterFacts,
}

impl Bench {
    fn new() -> Self {
        Self::with(CorrelationSettings::default())
    }

    fn with(settings: CorrelationSettings) -> Self {
        let one = ServiceFacts { ready: 3, total: 3, desired: 3, tier: 2, ..ServiceFacts::default() };
        let graph = graph();
        let services = graph.services().map(|s| (s.clone(), one.clone())).collect();
        Self { correlator: Correlator::new(settings, "east".into()), graph, facts: ClusterFacts { services, ..ClusterFacts::default() } }
    }

    /// All of them are seen at that moment.
    fn at(&mut self, s: i64, anomalies: &[Anomaly]) -> Vec<IncidentEvent> {
        let seen: Vec<_> = anomalies.iter().map(|a| Anomaly { last_seen: at(s), ..a.clone() }).collect();
        self.told(s, &seen)
    }

    /// They are told of at that moment, and were last seen when they say.
    fn told(&mut self, s: i64, anomalies: &[Anomaly]) -> Vec<IncidentEvent> {
        self.correlator.ingest(anomalies, &self.graph, Some(&self.facts), at(s), at(s))
    }

    fn open(&self) -> Vec<&Incident> {
        self.correlator.open().collect()
    }
}

#[test]
fn a_fault_downstream_is_one_incident_rooted_at_the_callee() {
    let mut bench = Bench::new();
    let all = [
        anomaly("db", Symptom::LatencyHigh, 2),
        about("cart", "db", 2),
        anomaly("cart", Symptom::LatencyHigh, 2),
        about("web", "cart", 3),
        anomaly("web", Symptom::LatencyHigh, 0),
        anomaly("web", Symptom::ErrorRateHigh, 4),
        about("pay", "db", 2),
    ];
    let events = bench.at(10, &all);
    let [IncidentEvent::Opened(incident)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((incident.service.clone(), incident.id.as_str(), incident.agent), (id("db"), "inc-east-1", AgentKind::Sre));
    assert_eq!(incident.services, [id("db"), id("web"), id("cart"), id("pay")]);
    assert_eq!((incident.onset, incident.opened_at, incident.severity), (at(0), at(10), Severity::Two), "four services");
    assert_eq!(incident.fingerprint, "east/shop/db|latency_high");
    assert!(incident.subgraph.contains(&(id("cart"), id("db"))));
    assert_eq!(incident.anomalies.len(), 7);
}

#[test]
fn the_root_moves_deeper_when_the_callee_speaks_later() {
    let mut bench = Bench::new();
    bench.at(5, &[anomaly("web", Symptom::LatencyHigh, 0), about("web", "cart", 0)]);
    assert_eq!(bench.open()[0].service, id("web"));
    let events =
        bench.at(10, &[anomaly("web", Symptom::LatencyHigh, 0), about("web", "cart", 0), anomaly("cart", Symptom::LatencyHigh, 5)]);
    let [IncidentEvent::Updated(incident)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((incident.service.clone(), incident.id.as_str()), (id("cart"), "inc-east-1"));
    assert_eq!(incident.fingerprint, "east/shop/cart|latency_high");
}

#[test]
fn incidents_of_one_cause_are_merged() {
    let mut bench = Bench::new();
    // Two callers seen apart, then the cause of both.
    bench.at(5, &[anomaly("cart", Symptom::LatencyHigh, 0), anomaly("pay", Symptom::LatencyHigh, 0)]);
    assert_eq!(bench.open().len(), 2);
    let events = bench.at(
        10,
        &[anomaly("cart", Symptom::LatencyHigh, 0), anomaly("pay", Symptom::LatencyHigh, 0), anomaly("db", Symptom::LatencyHigh, 4)],
    );
    assert_eq!(bench.open().len(), 1);
    assert_eq!(bench.open()[0].service, id("db"));
    assert_eq!(events.iter().filter(|e| matches!(e, IncidentEvent::Resolved(_))).count(), 1);
}

#[test]
fn two_faults_are_two_incidents_even_under_one_caller() {
    let mut bench = Bench::new();
    let all = [
        anomaly("db", Symptom::LatencyHigh, 0),
        about("cart", "db", 0),
        anomaly("index", Symptom::ErrorRateHigh, 3),
        about("search", "index", 3),
        about("web", "cart", 1),
        about("web", "search", 4),
    ];
    let events = bench.at(10, &all);
    let roots: Vec<_> = events.iter().map(|e| e.incident().service.name.as_str()).collect();
    assert_eq!(roots, ["db", "index"]);
    assert!(bench.open().iter().all(|i| i.services.contains(&id("web"))), "the caller suffers from both");
}

#[test]
fn those_who_recover_later_are_no_new_incident_unless_they_never_do() {
    let mut bench = Bench::new();
    let caller = [about("cart", "db", 0), anomaly("cart", Symptom::LatencyHigh, 0), anomaly("web", Symptom::LatencyHigh, 0)];
    bench.at(10, &[&caller[..], &[anomaly("db", Symptom::LatencyHigh, 0)]].concat());
    for s in [15, 20, 25, 30] {
        bench.at(s, &caller);
        assert_eq!(bench.open().len(), 1, "at {s} s");
    }
    bench.at(35, &caller);
    assert_eq!(bench.open().iter().map(|i| i.service.name.as_str()).collect::<Vec<_>>(), ["db", "cart"]);
    assert_eq!(bench.open()[1].services, [id("cart"), id("web")]);
}

#[test]
fn own_trouble_and_late_callees_are_not_blamed_downstream() {
    let mut bench = Bench::new();
    // cart is killed for memory while db happens to be slow; web's trouble is older than db's by far.
    let all = [anomaly("cart", Symptom::OomKilled, 0), anomaly("cart", Symptom::LatencyHigh, 0), anomaly("db", Symptom::LatencyHigh, 5)];
    bench.at(10, &all);
    assert_eq!(bench.open().iter().map(|i| i.service.name.as_str()).collect::<Vec<_>>(), ["cart", "db"]);
    assert_eq!(bench.open()[0].fingerprint, "east/shop/cart|oom_killed");
    let mut late = Bench::new();
    late.at(60, &[anomaly("cart", Symptom::LatencyHigh, 0), anomaly("db", Symptom::LatencyHigh, 50)]);
    assert_eq!(late.open().len(), 2);
}

#[test]
fn a_silent_callee_is_blamed_by_two_not_by_one() {
    let mut bench = Bench::new();
    bench.at(0, &[about("cart", "db", 0)]);
    assert!(bench.open().is_empty(), "the callee may speak yet");
    bench.at(5, &[about("cart", "db", 0)]);
    assert_eq!(bench.open()[0].service, id("cart"));
    let mut both = Bench::new();
    both.at(0, &[about("cart", "db", 0), about("pay", "db", 0)]);
    both.at(5, &[about("cart", "db", 0), about("pay", "db", 0)]);
    assert_eq!(both.open().iter().map(|i| i.service.name.as_str()).collect::<Vec<_>>(), ["db"]);
}

#[test]
fn context_joins_and_never_opens_or_keeps_open() {
    let mut bench = Bench::new();
    let context = [Symptom::TrafficHigh, Symptom::CpuLow, Symptom::JointlyUnusual, Symptom::MemoryHigh].map(|s| anomaly("cart", s, 0));
    assert!(bench.at(0, &context).is_empty());
    let events = bench.at(5, &[&context[..], &[anomaly("cart", Symptom::LatencyHigh, 5)]].concat());
    assert_eq!(events.len(), 1);
    assert_eq!(bench.open()[0].anomalies.len(), 5);
    bench.at(20, &context);
    let events = bench.at(40, &context);
    assert!(matches!(&events[..], [IncidentEvent::Resolved(i)] if i.status == IncidentStatus::Resolved), "{events:?}");
    let forecast = Anomaly { detector: DetectorKind::Forecast, ..anomaly("search", Symptom::MemoryHigh, 0) };
    assert!(matches!(&bench.at(45, &[forecast])[..], [IncidentEvent::Opened(_)]), "memory about to end is trouble");
}

#[test]
fn risks_stand_alone_and_go_to_their_agent() {
    let mut bench = Bench::new();
    let all = [
        anomaly("db", Symptom::LatencyHigh, 0),
        object("db", Symptom::DiskFilling, "data-0"),
        object("db", Symptom::DiskFilling, "data-1"),
        object("db", Symptom::CertificateExpiring, "db-tls"),
        object("cart", Symptom::SecurityFinding, "Terminal shell in container"),
    ];
    let events = bench.at(10, &all);
    assert_eq!(events.len(), 5);
    let sec: Vec<_> = events.iter().map(IncidentEvent::incident).filter(|i| i.agent == AgentKind::SecOps).collect();
    assert_eq!(sec.len(), 2);
    assert!(sec.iter().all(|i| i.severity == Severity::Four && i.anomalies.len() == 1));
    let mut filtered = Bench::with(CorrelationSettings { agent: Some(AgentKind::SecOps), ..CorrelationSettings::default() });
    assert_eq!(filtered.at(10, &all).len(), 2);
}

#[test]
fn severity_only_rises() {
    let mut bench = Bench::new();
    bench.at(0, &[anomaly("db", Symptom::LatencyHigh, 0)]);
    assert_eq!(bench.open()[0].severity, Severity::Three);
    bench.at(5, &[anomaly("db", Symptom::LatencyHigh, 0), about("cart", "db", 5), about("pay", "db", 5)]);
    assert_eq!(bench.open()[0].severity, Severity::Two);
    bench.at(10, &[anomaly("db", Symptom::LatencyHigh, 0)]);
    assert_eq!(bench.open()[0].severity, Severity::Two);
}

#[test]
fn updates_come_with_news_or_after_a_while_and_resolution_after_quiet() {
    let mut bench = Bench::new();
    let one = [anomaly("db", Symptom::LatencyHigh, 0)];
    assert_eq!(bench.at(0, &one).len(), 1);
    assert!(bench.at(5, &one).is_empty());
    assert!(bench.at(10, &one).is_empty());
    assert!(matches!(&bench.at(15, &one)[..], [IncidentEvent::Updated(_)]));
    assert!(bench.at(35, &[]).is_empty());
    assert!(matches!(&bench.at(40, &[])[..], [IncidentEvent::Resolved(_)]));
    assert!(bench.open().is_empty());
}

#[test]
fn the_same_again_within_the_window_is_reopened_and_later_is_new() {
    let mut bench = Bench::new();
    let one = |onset| [anomaly("db", Symptom::LatencyHigh, onset)];
    bench.at(0, &one(0));
    bench.at(30, &[]);
    let events = bench.at(100, &one(100));
    assert!(matches!(&events[..], [IncidentEvent::Opened(i)] if i.id.as_str() == "inc-east-1" && i.onset == at(0)), "{events:?}");
    bench.at(130, &[]);
    let other = bench.at(135, &[anomaly("db", Symptom::CrashLoop, 135)]);
    assert_eq!(other[0].incident().id.as_str(), "inc-east-2", "another symptom is another incident");
    bench.at(200, &[]);
    assert_eq!(bench.at(400, &one(400))[0].incident().id.as_str(), "inc-east-3");
}

#[test]
fn a_storm_is_bounded() {
    let mut bench = Bench::with(CorrelationSettings { max_incidents: 8, ..CorrelationSettings::default() });
    let rules: Vec<_> = (0..50).map(|i| object("db", Symptom::SecurityFinding, &format!("rule {i:02}"))).collect();
    assert_eq!(bench.at(0, &rules).len(), 5, "five per service");
    assert_eq!(bench.correlator.suppressed(), 45);
    let others: Vec<_> = (0..50).map(|i| anomaly(&format!("s{i}"), Symptom::LatencyHigh, 0)).collect();
    bench.at(5, &others);
    assert_eq!(bench.open().len(), 8, "and eight in all");
}

#[test]
fn circles_and_other_clusters_do_no_harm() {
    let mut bench = Bench::new();
    for (a, b) in [("a", "b"), ("b", "c"), ("c", "a")] {
        bench.graph.observe_call(&id(a), &id(b), Timestamp(0), 1);
    }
    let circle = [
        about("a", "b", 3),
        about("b", "c", 1),
        about("c", "a", 2),
        Anomaly { service: ServiceId::new("west", "n", "x"), ..anomaly("a", Symptom::LatencyHigh, 0) },
    ];
    bench.at(5, &circle);
    bench.at(10, &circle);
    assert_eq!(bench.open().iter().map(|i| i.service.name.as_str()).collect::<Vec<_>>(), ["b"], "who showed it first");
}

#[test]
fn a_later_trouble_of_a_callee_is_no_cause_of_an_open_incident() {
    let mut bench = Bench::new();
    bench.at(10, &[anomaly("cart", Symptom::CrashLoop, 5)]);
    bench.at(30, &[anomaly("cart", Symptom::CrashLoop, 5)]);
    // The loop is over; now the database is slow, and its caller notices.
    for s in [60, 65, 70] {
        bench.at(s, &[anomaly("db", Symptom::LatencyHigh, 55), about("cart", "db", 55)]);
    }
    let roots: Vec<_> = bench.correlator.open().map(|i| i.service.name.clone()).collect();
    assert!(roots.contains(&"db".to_owned()), "{roots:?}");
    assert!(!bench.correlator.open().any(|i| i.service == id("db") && i.anomalies.iter().any(|a| a.symptom == Symptom::CrashLoop)));
}

#[test]
fn who_does_not_call_the_cause_did_not_suffer_from_it() {
    let mut bench = Bench::new();
    let cause = [anomaly("cart", Symptom::CrashLoop, 5), anomaly("web", Symptom::LatencyHigh, 6), anomaly("search", Symptom::CpuHigh, 8)];
    bench.at(10, &cause);
    bench.at(15, &cause);
    // The loop ends; search, a sibling whose busy CPU was context, has trouble of its own.
    bench.at(20, &[anomaly("search", Symptom::LatencyHigh, 15), anomaly("search", Symptom::TrafficHigh, 15)]);
    assert!(bench.correlator.open().any(|i| i.service == id("search")));
}

#[test]
fn a_service_that_was_just_changed_does_not_hide_behind_its_callee() {
    let failing = |service: &str, ratio: f64, onset_s: i64| Anomaly { value: ratio, ..anomaly(service, Symptom::ErrorRateHigh, onset_s) };
    let incidents = |own_ratio: f64, changed_at_s: Option<i64>| {
        let mut bench = Bench::new();
        let change = |s: i64| ChangeEvent { service: id("cart"), kind: ChangeKind::Deployment, at: at(s), what: "v2".into() };
        for s in [90, 95, 100, 105, 110] {
            bench.correlator.note_changes(&changed_at_s.map(change).into_iter().collect::<Vec<_>>(), at(s));
            let mut seen = vec![failing("db", 0.3, 90)];
            if s >= 100 {
                seen.push(failing("cart", own_ratio, 100));
            }
            bench.at(s, &seen);
        }
        bench.open().into_iter().map(|i| i.service.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(incidents(0.33, None), ["db"], "inherited");
    assert_eq!(incidents(0.33, Some(98)), ["db", "cart"]);
    assert_eq!(incidents(0.05, Some(98)), ["db"], "it passes some of the callee's failures on, no more");
    assert_eq!(incidents(0.33, Some(-60)), ["db"], "a change of long ago");
}

#[test]
fn a_caller_that_suffers_more_than_its_callee_gives_has_an_incident_of_its_own() {
    let value = |value: f64, expected: f64, a: Anomaly| Anomaly { value, expected, ..a };
    let failing = |service: &str, ratio: f64, s: i64| value(ratio, 0.0, anomaly(service, Symptom::ErrorRateHigh, s));
    let slow = |service: &str, ms: f64, s: i64| value(ms, 20.0, anomaly(service, Symptom::LatencyHigh, s));
    let waits = |ms: f64, s: i64| value(ms, 20.0, about("cart", "db", s));
    let calls_fail = |ratio: f64, s: i64| value(ratio, 0.0, Anomaly { symptom: Symptom::DependencyErrorsHigh, ..about("cart", "db", s) });
    let incidents = |later: Vec<Anomaly>| {
        let mut bench = Bench::new();
        let first = vec![slow("db", 45.0, 0), waits(45.0, 0)];
        bench.at(10, &first);
        bench.at(45, &[first, later].concat());
        bench.open().into_iter().map(|i| i.service.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(incidents(vec![slow("cart", 60.0, 40)]), ["db"], "inherited");
    assert_eq!(incidents(vec![failing("cart", 0.3, 40)]), ["db", "cart"], "db is a little slow: that fails no request");
    assert_eq!(incidents(vec![failing("db", 0.2, 35), failing("cart", 0.3, 40)]), ["db"], "that may be passed on");
    assert_eq!(incidents(vec![calls_fail(0.5, 40), failing("cart", 0.3, 40)]), ["db", "cart"], "db does not know of those calls");
    assert_eq!(incidents(vec![anomaly("db", Symptom::Restarts, 40), calls_fail(0.5, 40), failing("cart", 0.3, 40)]), ["db"], "it was down");
    // A callee slow enough for deadlines to pass.
    let mut stuck = Bench::new();
    let all = [slow("db", 900.0, 0), waits(900.0, 0), calls_fail(0.4, 5), failing("cart", 0.4, 5)];
    stuck.at(10, &all);
    assert_eq!(stuck.open().len(), 1);
    let mut lossy = Bench::new();
    lossy.at(10, &[slow("db", 45.0, 0), waits(600.0, 0), slow("cart", 600.0, 0)]);
    assert_eq!(lossy.open().iter().map(|i| i.service.name.as_str()).collect::<Vec<_>>(), ["cart", "db"], "it waits for the way to db");
}

#[test]
fn a_complaint_that_is_over_before_it_counts_opens_nothing() {
    let mut bench = Bench::new();
    let complaint = about("cart", "db", 0);
    for s in [5, 10, 15] {
        assert!(bench.told(s, std::slice::from_ref(&complaint)).is_empty(), "last seen at 0, told at {s}");
    }
    bench.at(20, std::slice::from_ref(&complaint));
    assert_eq!(bench.open().len(), 1, "it is back");
}
