//! The crate as a whole: causes are named, uncatalogued trouble and traps are not, and claims stand on evidence.

mod abstain;
mod attacks;
mod causes;
mod injection;
mod knowledge;
mod models;
mod structure;

use crate::{EvidenceEngine, Retriever, Settings, shipped};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::calibration::Reliability;
use picket_core::diagnosis::{Abstention, Diagnosis, Verdict};
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident, IncidentStatus};
use picket_core::ports::{DiagnosisContext, DiagnosticEngine as _, Readings};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

const MIB: f64 = 1_048_576.0;

static SHELF: LazyLock<Arc<Retriever>> = LazyLock::new(|| Arc::new(Retriever::new(shipped(), None).unwrap()));

/// Runs a future of this crate, which never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a pure future waits for nothing"),
    }
}

fn id(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

/// Seconds of event time.
fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + seconds * 1000)
}

/// A scene: web calls cart and search, cart calls pricing, pricing calls db, search calls index; mail and billing stand alone.
struct Scene {
    anomalies: Vec<Anomaly>,
    context: DiagnosisContext,
    agent: AgentKind,
}

impl Scene {
    /// `now` in seconds; every service reads healthy.
    fn new(now: i64) -> Self {
        let mut graph = ServiceGraph::default();
        for (caller, callee) in [("web", "cart"), ("web", "search"), ("cart", "pricing"), ("pricing", "db"), ("search", "index")] {
            graph.observe_call(&id(caller), &id(callee), at(0), 10);
        }
        let names = ["web", "cart", "search", "pricing", "db", "index", "mail", "billing"];
        for name in names {
            graph.observe_service(&id(name));
        }
        let readings = names.iter().map(|name| (id(name), healthy())).collect();
        let context = DiagnosisContext {
            graph: Arc::new(graph),
            facts: None,
            changes: Vec::new(),
            readings,
            now: at(now),
            reliability: Reliability::default(),
            post_mortems: Arc::default(),
        };
        Self { anomalies: Vec::new(), context, agent: AgentKind::Sre }
    }

    /// A symptom from `onset` until now.
    fn shows(mut self, service: &str, symptom: Symptom, onset: i64) -> Self {
        self.anomalies.push(Anomaly {
            service: id(service),
            pod: None,
            symptom,
            detector: DetectorKind::Baseline,
            series: format!("{symptom:?}"),
            score: 8.0,
            direction: Direction::Up,
            value: 9.0,
            expected: 1.0,
            onset: at(onset),
            last_seen: self.context.now,
            peer: None,
            object: None,
        });
        self
    }

    /// Memory that rises towards its limit by forecast.
    fn rises(self, service: &str, onset: i64) -> Self {
        self.shows(service, Symptom::MemoryHigh, onset).newest(|a| a.detector = DetectorKind::Forecast)
    }

    fn newest(mut self, change: impl FnOnce(&mut Anomaly)) -> Self {
        change(self.anomalies.last_mut().unwrap());
        self
    }

    fn waits_for(self, caller: &str, callee: &str, onset: i64) -> Self {
        self.shows(caller, Symptom::DependencyLatencyHigh, onset).newest(|a| a.peer = Some(id(callee)))
    }

    fn reads(mut self, service: &str, change: impl FnOnce(&mut Readings)) -> Self {
        change(self.context.readings.entry(id(service)).or_default());
        self
    }

    fn rollout(mut self, service: &str, when: i64) -> Self {
        self.context.changes.push(ChangeEvent {
            service: id(service),
            kind: ChangeKind::Deployment,
            at: at(when),
            what: "revision 4 (v1.8.2) rolled out".into(),
        });
        self.reads(service, |r| r.revision = Some((4, 3)))
    }

    fn agent(mut self, agent: AgentKind) -> Self {
        self.agent = agent;
        self
    }

    fn incident(&self) -> Incident {
        let mut anomalies = self.anomalies.clone();
        anomalies.sort_by_key(|a| a.onset);
        let mut services: Vec<ServiceId> = Vec::new();
        for anomaly in &anomalies {
            if !services.contains(&anomaly.service) {
                services.push(anomaly.service.clone());
            }
        }
        Incident {
            id: "inc-1".into(),
            agent: self.agent,
            fingerprint: "f".into(),
            service: services[0].clone(),
            subgraph: self.context.graph.calls_around(&services),
            services,
            severity: Severity::Three,
            opened_at: anomalies[0].onset.plus_ms(15_000),
            onset: anomalies[0].onset,
            updated_at: self.context.now,
            status: IncidentStatus::Open,
            anomalies,
        }
    }

    fn diagnose(&self) -> Diagnosis {
        let engine = EvidenceEngine::new(SHELF.clone(), Settings::default());
        let incident = self.incident();
        let diagnosis = ready(engine.diagnose(&incident, &self.context)).unwrap();
        assert_eq!(diagnosis, engine.diagnose_now(&incident, &self.context).unwrap(), "the same evidence, the same diagnosis");
        assert!((0.0..=0.99).contains(&diagnosis.confidence));
        assert!(diagnosis.ranking.len() <= 5);
        let ids: std::collections::BTreeSet<_> = diagnosis.evidence.iter().map(|e| &e.id).collect();
        assert_eq!(ids.len(), diagnosis.evidence.len(), "ids of evidence are unique");
        diagnosis
    }

    fn abstains(&self) -> Abstention {
        let diagnosis = self.diagnose();
        match diagnosis.verdict {
            Verdict::Abstained { why } => why,
            verdict => panic!("expected an abstention, got {verdict:?}\n{}\n{:#?}", diagnosis.sentence, diagnosis.evidence),
        }
    }
}

fn healthy() -> Readings {
    Readings {
        memory_limit_bytes: Some(256.0 * MIB),
        memory_working_set_max_bytes: Some(120.0 * MIB),
        cpu_request_cores: Some(0.5),
        cpu_p95_cores: Some(0.2),
        cpu_utilization: Some(0.4),
        memory_request_bytes: Some(256.0 * MIB),
        replicas_desired: Some(3),
        request_rate: Some(100.0),
        request_rate_usual: Some(100.0),
        revision: Some((3, 2)),
        ..Readings::default()
    }
}

/// Figures of every service, for tests that change a few.
fn no_readings() -> BTreeMap<ServiceId, Readings> {
    BTreeMap::new()
}
