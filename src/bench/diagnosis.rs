//! `picket bench diagnosis`: one incident's diagnosis by the built-in reasoner, over a large knowledge base and a large graph.

use picket_adapters::candle::{MiniLm, model};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::diagnosis::Verdict;
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident, IncidentStatus};
use picket_core::knowledge::Document;
use picket_core::ports::{DiagnosisContext, Readings};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use picket_diagnosis::{EvidenceEngine, Retriever, Settings, shipped};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

/// Callees of a service, at most.
const FAN_OUT: usize = 3;
/// When the incidents are looked at.
const NOW: Timestamp = Timestamp(1_767_600_000_000);

/// How much.
#[derive(Clone, Debug, clap::Args)]
pub struct DiagnosisOptions {
    /// Runbooks in the knowledge base: those that ship, and variants of them.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runbooks: u32,
    /// Services in the graph.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    services: u32,
    /// Incidents that are diagnosed, each another.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    incidents: u32,
    /// Seed of graph and incidents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What was measured; times on the clock.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DiagnosisReport {
    /// Runbooks in the knowledge base.
    pub runbooks: u32,
    /// Services in the graph.
    pub services: u32,
    /// Incidents diagnosed.
    pub incidents: u32,
    /// Of these, incidents whose cause was named.
    pub named: u32,
    /// One diagnosis, median.
    pub diagnosis_ms_p50: f64,
    /// One diagnosis, 95th percentile.
    pub diagnosis_ms_p95: f64,
    /// Cutting, indexing and embedding the knowledge base.
    pub index_s: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the model is missing or fails.
pub fn run(options: &DiagnosisOptions) -> anyhow::Result<()> {
    let begun = Instant::now();
    let embedder = Arc::new(MiniLm::load(&model::locate()?)?);
    let retriever = Arc::new(Retriever::new(shelf(options.runbooks as usize), Some(embedder))?);
    let index_s = begun.elapsed().as_secs_f64();
    let engine = EvidenceEngine::new(retriever, Settings::default());
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let services: Vec<_> =
        (0..options.services).map(|n| ServiceId::new("bench", &format!("ns-{}", n % 20), &format!("service-{n}"))).collect();
    let graph = Arc::new(graph(&services, &mut rng));
    let (mut times, mut named) = (Vec::new(), 0);
    for number in 0..options.incidents {
        let (incident, context) = scene(number, &services, &graph, &mut rng);
        let started = Instant::now();
        let diagnosis = engine.diagnose_now(&incident, &context)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        named += u32::from(matches!(diagnosis.verdict, Verdict::Cause { .. }));
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let report = DiagnosisReport {
        runbooks: options.runbooks,
        services: options.services,
        incidents: options.incidents,
        named,
        diagnosis_ms_p50: at(0.50),
        diagnosis_ms_p95: at(0.95),
        index_s,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let DiagnosisReport { runbooks, services, incidents, diagnosis_ms_p50, diagnosis_ms_p95, .. } = report;
    println!(
        "{incidents} incidents among {services} services with {runbooks} runbooks: {diagnosis_ms_p50:.1} ms each, p95 {diagnosis_ms_p95:.1} ms; the cause was named in \
         {named}; the knowledge base was indexed in {index_s:.1} s"
    );
    Ok(())
}

/// The runbooks that ship, and variants of them until there are so many: the same matter for another system, as large collections have it.
fn shelf(count: usize) -> Vec<Document> {
    let shipped = shipped();
    (0..count)
        .map(|number| {
            let mut document = shipped[number % shipped.len()].clone();
            let copy = number / shipped.len();
            if copy > 0 {
                document.id = format!("{}-{copy}", document.id).into();
                document.title = format!("{} (platform {copy})", document.title);
                document.text = format!("{}\n\n## Platform {copy}\n\nApplies to installations of generation {copy}.\n", document.text);
            }
            document
        })
        .collect()
}

/// Calls go from lower to higher numbers: no cycles, and everything hangs together.
fn graph(services: &[ServiceId], rng: &mut ChaCha8Rng) -> ServiceGraph {
    let mut graph = ServiceGraph::default();
    for (number, service) in services.iter().enumerate() {
        graph.observe_service(service);
        for _ in 0..FAN_OUT {
            if number + 1 < services.len() {
                let callee = rng.random_range(number + 1..services.len());
                graph.observe_call(service, &services[callee], NOW, 10);
            }
        }
    }
    graph
}

/// A service with trouble of one of four kinds, and whoever calls it, directly or not, slow or failing.
fn scene(number: u32, services: &[ServiceId], graph: &Arc<ServiceGraph>, rng: &mut ChaCha8Rng) -> (Incident, DiagnosisContext) {
    let root = services[rng.random_range(services.len() / 2..services.len())].clone();
    let onset = NOW.plus_ms(-70_000);
    let anomaly = |service: &ServiceId, symptom, detector, onset: Timestamp| Anomaly {
        service: service.clone(),
        pod: None,
        symptom,
        detector,
        series: "bench".to_owned(),
        score: 8.0,
        direction: Direction::Up,
        value: 1.0,
        expected: 0.1,
        onset,
        last_seen: NOW,
        peer: None,
        object: None,
    };
    let own: &[Symptom] = match number % 4 {
        0 => &[Symptom::OomKilled, Symptom::Restarts],
        1 => &[Symptom::ErrorRateHigh, Symptom::LatencyHigh],
        2 => &[Symptom::LatencyHigh, Symptom::ConnectionsSaturated, Symptom::CpuLow],
        _ => &[Symptom::LatencyHigh],
    };
    let mut anomalies: Vec<_> = own.iter().map(|s| anomaly(&root, *s, DetectorKind::Baseline, onset)).collect();
    let callers: Vec<_> = graph.dependants(&root).into_keys().take(30).collect();
    for caller in &callers {
        anomalies.push(anomaly(caller, Symptom::LatencyHigh, DetectorKind::Baseline, onset.plus_ms(5_000)));
    }
    let mut touched = vec![root.clone()];
    touched.extend(callers);
    let readings = touched.iter().map(|service| {
        let readings = Readings {
            memory_limit_bytes: Some(268_435_456.0),
            memory_working_set_max_bytes: Some(260_000_000.0),
            cpu_utilization: Some(0.3),
            replicas_desired: Some(3),
            request_rate: Some(50.0),
            request_rate_usual: Some(50.0),
            revision: Some((4, 3)),
            ..Readings::default()
        };
        (service.clone(), readings)
    });
    let changes = (number % 4 == 1).then(|| ChangeEvent {
        service: root.clone(),
        kind: ChangeKind::Deployment,
        at: onset.plus_ms(-20_000),
        what: "revision 4 rolled out".to_owned(),
    });
    let context = DiagnosisContext {
        graph: graph.clone(),
        facts: None,
        changes: changes.into_iter().collect(),
        readings: readings.collect(),
        reliability: Default::default(),
        post_mortems: Default::default(),
        now: NOW,
    };
    let incident = Incident {
        id: format!("bench-{number}").into(),
        agent: AgentKind::Sre,
        fingerprint: String::new(),
        service: root,
        subgraph: graph.calls_around(&touched),
        services: touched,
        severity: Severity::Three,
        opened_at: onset.plus_ms(15_000),
        onset,
        updated_at: NOW,
        status: IncidentStatus::Open,
        anomalies,
    };
    (incident, context)
}
