//! A million inputs to one node in this process: everything above TLS that a caller with a certificate may send.
//!
//! A binary of its own: it counts the memory of its process and hears every panic in it.

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{Request, Uri};
use openraft::async_runtime::watch::WatchReceiver as _;
use picket_coordinator::api::{self, Caller, Node};
use picket_coordinator::log::DiskLog;
use picket_coordinator::raft::addresses::AddressBook;
use picket_coordinator::raft::machine::Machine;
use picket_coordinator::raft::network::Peers;
use picket_coordinator::tls::Identity;
use picket_coordinator::{RaftTimers, pki};
use picket_coordinator_chaos::fuzz::{self, Mutator, Panics, Said};
use picket_coordinator_chaos::{clock, node};
use picket_core::ids::{AgentKind, Principal};
use rand::RngExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

/// Inputs over all seeds.
const INPUTS: u64 = 1_000_000;
/// At once.
const CALLERS: u64 = 64;
/// Beyond what it holds when half of the inputs are through: by then every bounded collection is full.
const GROWTH_MAX_MB: u64 = 150;
/// In all.
const MEMORY_MAX_MB: u64 = 1_500;
/// A caller that behaves waits at most this long, while the machine does whatever else it does.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// One node that is a group by itself.
async fn lone_node(dir: &Path) -> Arc<Node> {
    let pki_dir = dir.join("pki");
    pki::init_demo(&pki_dir, &[Principal::Node(1)], &[]).unwrap();
    let identity = Identity::read(&pki_dir, &Principal::Node(1)).unwrap();
    let data = dir.join("data");
    let log = DiskLog::open(&data).unwrap();
    let machine = <Machine>::open(&data, picket_state_machine::Settings { request_retention_ms: 60_000, ..node::settings() }).unwrap();
    let addresses = AddressBook::new(&BTreeMap::from([(1, "127.0.0.1:1".to_owned())])).unwrap();
    let peers = Peers::new(1, &identity, addresses, &machine.settings_digest()).unwrap();
    let config = Arc::new(RaftTimers::default().raft_config().unwrap());
    let raft = openraft::Raft::new(1, config, peers.clone(), log, machine.clone()).await.unwrap();
    raft.initialize(BTreeMap::from([(1, openraft::BasicNode::new("127.0.0.1:1"))])).await.unwrap();
    let key = pki::signing_key(&pki_dir).unwrap();
    Arc::new(Node::new(1, raft, machine, peers, key, "fuzzed".to_owned(), Arc::new(clock::now)))
}

fn anyone(mutator: &mut Mutator) -> Principal {
    match mutator.rng.random_range(0..7) {
        0 => Principal::Agent(AgentKind::ALL[mutator.rng.random_range(0..3)]),
        1 => Principal::Observer("east".into()),
        2 => Principal::Actuator("east".into()),
        3 => Principal::Dashboard,
        4 => Principal::Gateway,
        n => Principal::Human(format!("caller-{n}")),
    }
}

fn request(method: &str, uri: Uri, body: Vec<u8>, by: Principal) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri).body(Body::from(body)).unwrap();
    request.extensions_mut().insert(Caller(by));
    request
}

/// One input: a command most often, and anything else that has a route, or none.
fn input(mutator: &mut Mutator, corpus: &[Said], n: u64) -> Request<Body> {
    let said = mutator.pick(corpus).clone();
    let other = mutator.pick(corpus).request.clone();
    let by = if mutator.rng.random_bool(0.8) { said.by.clone() } else { anyone(mutator) };
    let mut message = said.request;
    // Otherwise the second of each would be a retry.
    message["request_id"] = Value::from(format!("f{n}"));
    let submit = Uri::from_static("/v1/submit");
    match mutator.rng.random_range(0..100) {
        0..70 => {
            let body = mutator.json(&message, &other);
            request("POST", submit, body, by)
        }
        70..85 => {
            let body = mutator.bytes(&message.to_string().into_bytes(), &other.to_string().into_bytes());
            request("POST", submit, body, by)
        }
        85..92 => request("POST", submit, mutator.garbage(), by),
        _ => {
            let garbage = mutator.garbage();
            let tail: String =
                garbage.iter().take(60).map(|b| char::from(b'!' + b % 90)).filter(|c| !"#\"<>\\^`{|}".contains(*c)).collect();
            let number = mutator.rng.random::<u64>() >> mutator.rng.random_range(0..64);
            let path = match mutator.rng.random_range(0..5) {
                0 => format!("/v1/watch?revision={number}&wait_ms=0"),
                1 => format!("/v1/watch?revision={tail}"),
                2 => format!("/v1/entries?settled_max={number}"),
                3 => format!("/v1/permits/{tail}"),
                _ => format!("/{tail}"),
            };
            let uri = path.parse().unwrap_or(submit);
            let method = *mutator.pick(&["GET", "POST", "PUT", "DELETE", "BREW"]);
            request(method, uri, garbage, by)
        }
    }
}

/// Counts answers by status; a defect (500) is a failure of the test.
async fn send(router: axum::Router, request: Request<Body>, answers: &[AtomicU64; 600]) {
    let what = format!("{} {}", request.method(), request.uri());
    let answer = tokio::time::timeout(ANSWER_DEADLINE, router.oneshot(request)).await.unwrap_or_else(|_| panic!("no answer: {what}"));
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_ne!(status, 500, "{what}: {}", String::from_utf8_lossy(&body));
    if let Some(count) = answers.get(usize::from(status)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_inputs_crash_nothing_and_fill_nothing() {
    let panics = Panics::listen();
    let dir = tempfile::tempdir().unwrap();
    let node = lone_node(dir.path()).await;
    let router = api::router(node.clone());
    let corpus = Arc::new(fuzz::requests());
    let answers: Arc<[AtomicU64; 600]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
    let count: u64 = std::env::var("PICKET_FUZZ_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    let seeds = fuzz::seeds();
    println!("seeds {seeds:?}, {count} inputs");
    let begun = Instant::now();
    let mut half_mb = None;
    for (round, seed) in seeds.iter().enumerate() {
        let per_caller = count / seeds.len() as u64 / CALLERS;
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let (router, corpus, answers) = (router.clone(), corpus.clone(), answers.clone());
            let mut mutator = Mutator::new(seed ^ (caller << 48));
            callers.spawn(async move {
                for n in 0..per_caller {
                    let number = (round as u64 * CALLERS + caller) * per_caller + n;
                    let next = input(&mut mutator, &corpus, number);
                    send(router.clone(), next, &answers).await;
                }
            });
        }
        let mut good = 0;
        while !callers.is_empty() {
            tokio::select! {
                done = callers.join_next() => if let Some(done) = done { done.unwrap() },
                () = well_behaved(&router, good) => good += 1,
            }
        }
        let mb = fuzz::resident_mb(None).unwrap();
        println!("seed {seed}: {mb} MB after {:.0} s", begun.elapsed().as_secs_f64());
        assert_eq!(panics.heard(), Vec::<String>::new(), "seed {seed}");
        assert!(mb < MEMORY_MAX_MB, "seed {seed}: {mb} MB");
        if round + 1 == seeds.len() / 2 {
            half_mb = Some(mb);
        }
        if let Some(half_mb) = half_mb {
            assert!(mb < half_mb + GROWTH_MAX_MB, "seed {seed}: {mb} MB, {half_mb} MB half-way");
        }
    }
    let answered: BTreeMap<usize, u64> =
        answers.iter().enumerate().map(|(status, n)| (status, n.load(Ordering::Relaxed))).filter(|(_, n)| *n > 0).collect();
    println!(
        "{:.0} s, {} entries, answers by status {answered:?}",
        begun.elapsed().as_secs_f64(),
        node.machine.read_at(|_, last| last.map_or(0, |l| l.index))
    );
    assert!(node.raft.metrics().borrow_watched().running_state.is_ok(), "Raft ended");
    well_behaved(&router, u64::MAX).await;
    // The inputs reached the state machine, and were refused before it.
    assert!(answered.get(&200).is_some_and(|n| *n > count / 20) && answered.get(&400).is_some_and(|n| *n > count / 20), "{answered:?}");
    assert_eq!(panics.heard(), Vec::<String>::new());
}

/// Somebody else is served meanwhile.
async fn well_behaved(router: &axum::Router, n: u64) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let text = format!(r#"{{"request_id":"good-{n}","command":{{"command":"forget_answers","requests":[]}}}}"#);
    for (method, path, body) in [("POST", "/v1/submit", text.into_bytes()), ("GET", "/v1/status", Vec::new())] {
        let by = Principal::Human("good".into());
        let until = Instant::now() + ANSWER_DEADLINE;
        loop {
            let asked = request(method, Uri::from_static(path), body.clone(), by.clone());
            let answer = tokio::time::timeout(ANSWER_DEADLINE, router.clone().oneshot(asked)).await.expect("served").unwrap();
            let status = answer.status().as_u16();
            if status == 200 {
                break;
            }
            assert!([429, 503, 504].contains(&status) && Instant::now() < until, "{path}: {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
