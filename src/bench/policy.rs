//! `picket bench policy`: what it takes to decide on an act, in the agent's early look and with authority.

use anyhow::{Context as _, bail};
use picket_coordinator::{NodeConfig, RaftTimers, pki, serve_on};
use picket_coordinator_client::{ClientConfig, CoordinatorClient};
use picket_core::action::{Action, Remediation};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::coordination::{Answer, Command};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, Principal, ServiceId};
use picket_core::phase::Phase;
use picket_core::ports::{Coordinator as _, SafetyPolicyEngine as _};
use picket_core::proposal::Proposal;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use picket_pipeline::early_policy::EarlyPolicy;
use picket_state_machine::Settings;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const CLUSTER: &str = "bench";
/// Facts are posted again after so many decisions: they are fresh then, and posting is not what is measured.
const DECISIONS_PER_READING: usize = 50;
/// Services of one reading that fit into one command (1 MiB): a larger cluster is decided on by its first ones.
const SERVICES_PER_READING: usize = 3000;

/// How much.
#[derive(Clone, Debug, clap::Args)]
pub struct PolicyOptions {
    /// Services of the cluster, each of four pods.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(20..=10_000))]
    services: u32,
    /// Proposals that are decided on, each for another service as far as they reach.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    decisions: u32,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

/// What was measured; times on the clock.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PolicyReport {
    /// Services of the cluster, for the early look.
    pub services: u32,
    /// Of these, services that the coordinator knows of: what one reading holds.
    pub services_coordinator: u32,
    /// Proposals.
    pub decisions: u32,
    /// Of these, permitted.
    pub permitted: u32,
    /// The agent's early look at one proposal, median.
    pub policy_us_p50: f64,
    /// 95th percentile.
    pub policy_us_p95: f64,
    /// Early look, and the coordinator's answer over mutual TLS once three nodes have it on disk (two of them at least), median.
    pub decision_ms_p50: f64,
    /// 95th percentile.
    pub decision_ms_p95: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the coordinator cannot be started or does not answer.
pub async fn run(options: &PolicyOptions) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("picket-bench-{}", std::process::id()));
    let measured = measure(options, &folder).await;
    _ = std::fs::remove_dir_all(&folder);
    let report = measured?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let PolicyReport {
        services,
        services_coordinator,
        decisions,
        permitted,
        policy_us_p50,
        policy_us_p95,
        decision_ms_p50,
        decision_ms_p95,
    } = report;
    println!(
        "{decisions} proposals in a cluster of {services} services ({permitted} permitted): the policy alone {policy_us_p50:.0} us, p95 \
         {policy_us_p95:.0} us; with the answer of a coordinator that knows {services_coordinator} {decision_ms_p50:.1} ms, p95 {decision_ms_p95:.1} ms"
    );
    Ok(())
}

async fn measure(options: &PolicyOptions, folder: &Path) -> anyhow::Result<PolicyReport> {
    let (agent, observer, human) =
        (Principal::Agent(AgentKind::Sre), Principal::Observer(CLUSTER.into()), Principal::Human("bench".into()));
    let mut everybody: Vec<_> = (1..=3).map(Principal::Node).collect();
    everybody.extend([agent.clone(), observer.clone(), human.clone()]);
    let keys = folder.join("pki");
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    pki::init_demo(&keys, &everybody, &["127.0.0.1".to_owned()])?;
    let (mut listeners, mut addresses) = (Vec::new(), BTreeMap::new());
    for id in 1..=3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.insert(id, listener.local_addr()?.to_string());
        listeners.push((id, listener));
    }
    let mut nodes = Vec::new();
    for (id, listener) in listeners {
        let config = NodeConfig {
            id,
            listen: addresses[&id].clone(),
            peers: addresses.clone(),
            data_dir: folder.join(format!("node-{id}")),
            pki_dir: keys.clone(),
            settings: Settings { demonstration: true, ..Settings::default() },
            clock: Arc::new(now),
            bootstrap: id == 1,
            timers: RaftTimers::default(),
        };
        nodes.push(serve_on(listener, config).await?);
    }
    let client = |who: &Principal| {
        let read = |name: String| std::fs::read_to_string(keys.join(&name)).with_context(|| format!("{name} cannot be read"));
        let stem = who.file_stem();
        let config = ClientConfig {
            endpoints: addresses.values().cloned().collect(),
            ca_pem: read("ca.pem".to_owned())?,
            cert_pem: read(format!("{stem}.pem"))?,
            key_pem: read(format!("{stem}.key"))?,
            request_timeout_ms: 10_000,
        };
        anyhow::Ok(CoordinatorClient::connect(config)?)
    };
    let report = decide(options, &client(&agent)?, &client(&observer)?, &client(&human)?).await;
    for node in nodes {
        node.shutdown().await;
    }
    report
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

async fn decide(
    options: &PolicyOptions,
    agent: &CoordinatorClient,
    observer: &CoordinatorClient,
    human: &CoordinatorClient,
) -> anyhow::Result<PolicyReport> {
    let epoch = match observer.submit("register".into(), Command::Register).await? {
        Answer::Epoch { epoch } => epoch,
        other => bail!("the observer cannot register: {other:?}"),
    };
    let granted = Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 0, why: "bench".into() };
    human.submit("grant".into(), granted).await?;
    let mut facts = facts(options.services, epoch);
    let whole_cluster = facts.clone();
    while facts.services.len() > SERVICES_PER_READING {
        facts.services.pop_last();
    }
    let early = EarlyPolicy::default();
    let (mut alone, mut whole, mut permitted) = (Vec::new(), Vec::new(), 0);
    let services: Vec<ServiceId> = facts.services.keys().cloned().collect();
    for n in 0..options.decisions as usize {
        if n % DECISIONS_PER_READING == 0 {
            facts.seq += 1;
            facts.echo = observer.status().await?.now;
            observer.submit(format!("facts-{n}").into(), Command::PostFacts { facts: Box::new(facts.clone()) }).await?;
        }
        let proposal = proposal(n, services[n % services.len()].clone(), facts.echo);
        let begun = Instant::now();
        let broken = early.check(&proposal, &whole_cluster, facts.echo);
        alone.push(begun.elapsed());
        if !broken.is_empty() {
            bail!("the early look refuses what it should not: {broken:?}");
        }
        let answer = agent.submit(format!("propose-{n}").into(), Command::Propose { proposal: Box::new(proposal) }).await?;
        whole.push(begun.elapsed());
        match answer {
            Answer::Decided { decision, .. } => permitted += u32::from(decision.as_str() == "permitted"),
            other => bail!("a proposal was answered by {other:?}"),
        }
    }
    let (alone, whole) = (sorted(alone), sorted(whole));
    Ok(PolicyReport {
        services: options.services,
        services_coordinator: services.len() as u32,
        decisions: options.decisions,
        permitted,
        policy_us_p50: at(&alone, 0.50) * 1e6,
        policy_us_p95: at(&alone, 0.95) * 1e6,
        decision_ms_p50: at(&whole, 0.50) * 1e3,
        decision_ms_p95: at(&whole, 0.95) * 1e3,
    })
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times
}

/// Seconds at that share of sorted times.
fn at(times: &[Duration], share: f64) -> f64 {
    times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64()
}

/// A cluster in rest: every service has callers in its own namespace.
fn facts(services: u32, observer_epoch: u64) -> ClusterFacts {
    let id = |n: u32| ServiceId::new(CLUSTER, &format!("ns-{}", n % 50), &format!("service-{n}"));
    let one = |n: u32| {
        let dependants = (1..=3).map(|k| id((n + 50 * k) % services)).collect();
        ServiceFacts {
            ready: 4,
            total: 4,
            desired: 4,
            tier: 2,
            dependants,
            namespaces_touched: vec![format!("ns-{}", n % 50)],
            ..ServiceFacts::default()
        }
    };
    let services = (0..services).map(|n| (id(n), one(n))).collect();
    ClusterFacts { cluster: CLUSTER.into(), observer_epoch, seq: 0, echo: Timestamp(0), graph_version: 1, services }
}

fn proposal(n: usize, service: ServiceId, evidence_echo: Timestamp) -> Proposal {
    Proposal {
        id: format!("p-{n}").into(),
        agent: AgentKind::Sre,
        incident: format!("i-{n}").into(),
        cause: Cause::MemoryLimitTooLow,
        severity: Severity::Three,
        confidence: 0.95,
        services_degraded: 1,
        symptoms: vec![Symptom::OomKilled],
        action: Action { remediation: Remediation::SetMemoryLimit { container: service.name.clone(), limit_bytes: 1 << 30 }, service },
        evidence_echo,
        replay: false,
        monthly_saving_usd: None,
        sentence: "more memory".into(),
    }
}
