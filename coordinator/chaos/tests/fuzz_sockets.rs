//! Ten thousand inputs to real processes over real sockets: below TLS, and above it with a caller's and with a node's certificate.

use picket_coordinator::raft::machine::Machine;
use picket_coordinator::raft::wire::ALPN;
use picket_coordinator::tls::Identity;
use picket_coordinator_chaos::fuzz::{self, Message, Mutator, Said};
use picket_coordinator_chaos::group::Group;
use picket_coordinator_chaos::node;
use picket_coordinator_chaos::run::{operator, wait_until_serving};
use picket_coordinator_transport::client;
use picket_core::coordination::Command;
use picket_core::ids::Principal;
use picket_core::ports::Coordinator as _;
use rand::RngExt as _;
use rustls::pki_types::ServerName;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Inputs over all seeds.
const INPUTS: u64 = 10_000;
/// At once.
const CALLERS: u64 = 32;
/// Connections that say nothing at all meanwhile.
const SILENT: usize = 100;
/// A node that is fuzzed may grow by so much after the first seed.
const GROWTH_MAX_MB: u64 = 120;
/// Somebody who behaves waits at most this long.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// The other end's say, and whether it hangs up, is waited for this long only.
const LISTEN: Duration = Duration::from_millis(40);
/// Whose certificate is misused; the other nodes are fuzzed with it.
const NODE: u64 = 2;

/// Protocols that a caller may choose in the handshake; the last two are nobody's.
const PROTOCOLS: &[&[&[u8]]] =
    &[&[b"http/1.1"], &[b"h2"], &[b"picket-raft/1"], &[client::ALPN], &[], &[b"h2", b"http/1.1"], &[b"picket"], &[b"\x00\xff"]];

/// A connection's opening in HTTP/2: preface, settings, and a frame of headers that names a path.
fn http2(path: &[u8]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend_from_slice(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]);
    // Indexed: method GET, scheme https; literal: path.
    let mut headers = vec![0x82, 0x87, 0x04, path.len() as u8 & 0x7f];
    headers.extend_from_slice(path);
    bytes.extend_from_slice(&[0, 0, headers.len() as u8, 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(&headers);
    bytes
}

fn http1(said: &Said, path: &str) -> Vec<u8> {
    let body = said.request.to_string();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: node-1.picket\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body.into_bytes()].concat()
}

/// What is said above TLS.
fn inside(mutator: &mut Mutator, corpus: &[Said]) -> Vec<u8> {
    let path = *mutator.pick(&["/v1/submit", "/v1/status", "/v1/watch?revision=0&wait_ms=1", "/v1/entries", "/healthz"]);
    let said = mutator.pick(corpus).clone();
    let other = http1(mutator.pick(corpus), path);
    match mutator.rng.random_range(0..10) {
        0..3 => {
            let request = http1(&said, path);
            mutator.bytes(&request, &other)
        }
        3..5 => {
            let request = Said { request: serde_json::from_slice(&mutator.json(&said.request, &said.request)).unwrap_or_default(), ..said };
            http1(&request, path)
        }
        5..8 => {
            let opening = http2(path.as_bytes());
            mutator.bytes(&opening, &other)
        }
        8 => command_frame(mutator, &said),
        _ => mutator.garbage(),
    }
}

/// A command as clients send it, or nearly.
fn command_frame(mutator: &mut Mutator, said: &Said) -> Vec<u8> {
    let body = if mutator.rng.random_bool(0.3) { mutator.garbage() } else { mutator.json(&said.request, &said.request) };
    let kind = if mutator.rng.random_bool(0.8) { client::ask::SUBMIT } else { mutator.rng.random() };
    let mut frame = fuzz::frame(mutator.rng.random(), kind, &body);
    if mutator.rng.random_bool(0.2) {
        frame[..4].copy_from_slice(&mutator.rng.random::<u32>().to_le_bytes());
    }
    frame
}

/// As a node of the group, in a term that is over: greeted as it must be, and then what no node says.
fn as_node(mutator: &mut Mutator, settings: &str, to: u64) -> Vec<u8> {
    let known = fuzz::messages(NODE, 0);
    let mut bytes = fuzz::greeting(NODE, to, settings);
    for call in 1..mutator.rng.random_range(2..8) {
        let Message { kind, body } = mutator.pick(&known).clone();
        let other = mutator.pick(&known).body.clone();
        let body = if mutator.rng.random_bool(0.2) { mutator.garbage() } else { mutator.bytes(&body, &other) };
        let kind = if mutator.rng.random_bool(0.1) { mutator.rng.random() } else { kind };
        let frame = fuzz::frame(call, kind, &body);
        bytes.extend(if mutator.rng.random_bool(0.1) { mutator.bytes(&frame, &body) } else { frame });
    }
    bytes
}

/// What nodes of this group greet each other with.
fn settings_digest() -> String {
    let dir = tempfile::tempdir().unwrap();
    <Machine>::open(dir.path(), node::settings()).unwrap().settings_digest()
}

/// Says it, and listens for a moment whether the other end has something to say.
async fn say(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin), bytes: &[u8]) {
    // The other end may hang up at any point.
    if stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {
        let mut answer = [0; 4096];
        let _ = tokio::time::timeout(LISTEN, stream.read(&mut answer)).await;
    }
}

struct Fuzzer {
    address: String,
    callers: Vec<Arc<rustls::ClientConfig>>,
    corpus: Vec<Said>,
    node: u64,
    as_node: Arc<rustls::ClientConfig>,
    settings: String,
}

impl Fuzzer {
    fn of(group: &Group, node: u64, identities: &[Principal]) -> Self {
        let mut callers = Vec::new();
        for principal in identities {
            for protocols in PROTOCOLS {
                let mut config = Identity::read(&group.pki(), principal).unwrap().client().unwrap();
                config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
                callers.push(Arc::new(config));
            }
        }
        let mut config = Identity::read(&group.pki(), &Principal::Node(NODE)).unwrap().client().unwrap();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let (as_node, settings) = (Arc::new(config), settings_digest());
        Self { address: group.address(node).to_owned(), callers, corpus: fuzz::requests(), node, as_node, settings }
    }

    async fn connect(&self) -> Option<TcpStream> {
        tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(&self.address)).await.ok()?.ok()
    }

    /// Below TLS.
    async fn below(&self, mutator: &mut Mutator) {
        let Some(mut stream) = self.connect().await else { return };
        let name = ServerName::try_from("node-1.picket").unwrap();
        let mut hello = Vec::new();
        let config = mutator.pick(&self.callers).clone();
        rustls::ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
        let bytes = match mutator.rng.random_range(0..4) {
            0 => mutator.garbage(),
            1 => http1(mutator.pick(&self.corpus), "/v1/submit"),
            _ => {
                let other = mutator.garbage();
                mutator.bytes(&hello, &other)
            }
        };
        say(&mut stream, &bytes).await;
    }

    /// Above TLS, as whoever's turn it is.
    async fn above(&self, mutator: &mut Mutator) {
        let Some(stream) = self.connect().await else { return };
        let is_node = mutator.rng.random_bool(0.4);
        let config = if is_node { self.as_node.clone() } else { mutator.pick(&self.callers).clone() };
        let speaks_frames = config.alpn_protocols == [client::ALPN];
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(config).connect(name, stream);
        let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_secs(10), connecting).await else { return };
        for _ in 0..mutator.rng.random_range(1..3) {
            let bytes = match () {
                () if is_node => as_node(mutator, &self.settings, self.node),
                () if speaks_frames => {
                    let said = mutator.pick(&self.corpus).clone();
                    command_frame(mutator, &said)
                }
                () => inside(mutator, &self.corpus),
            };
            say(&mut stream, &bytes).await;
        }
    }
}

/// Somebody else is served all the time; how often, and how long it took at most.
async fn behave(group: &Group, until: &AtomicBool) -> (u64, Duration) {
    let client = group.client(&operator(), &group.ids(), ANSWER_DEADLINE.as_millis() as u64).unwrap();
    let (mut served, mut longest) = (0, Duration::ZERO);
    while !until.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.submit(format!("good-{served}").into(), Command::ForgetAnswers { requests: Vec::new() }).await.unwrap();
        client.status().await.unwrap();
        longest = longest.max(begun.elapsed());
        served += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (served, longest)
}

fn resident(group: &Group) -> Vec<u64> {
    group.ids().into_iter().map(|id| fuzz::resident_mb(group.process(id)).expect("the process lives")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fuzzed_sockets_crash_no_process_and_keep_nobody_from_being_served() {
    let identities = [Principal::Human("stranger".into()), Principal::Node(NODE)];
    let callers: Vec<_> = [operator(), identities[0].clone()].into();
    let program = Path::new(env!("CARGO_BIN_EXE_picket-coordinator-chaos"));
    let mut group = Group::start(program, &callers, None).unwrap();
    wait_until_serving(&group).await.unwrap();
    let seeds = fuzz::seeds();
    let count: u64 = std::env::var("PICKET_FUZZ_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    println!("seeds {seeds:?}, {count} inputs");
    let per_caller = count / seeds.len() as u64 / CALLERS;
    let fuzzers: Vec<_> = [1, 3].map(|node| Arc::new(Fuzzer::of(&group, node, &identities))).into();
    let mut silent = Vec::new();
    for n in 0..SILENT {
        silent.extend(fuzzers[n % fuzzers.len()].connect().await);
    }
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let mut after_first = None;
    let fuzzing = async {
        for seed in &seeds {
            let mut running = tokio::task::JoinSet::new();
            for caller in 0..CALLERS {
                let fuzzer = fuzzers[caller as usize % fuzzers.len()].clone();
                let mut mutator = Mutator::new(seed ^ (caller << 48));
                running.spawn(async move {
                    for n in 0..per_caller {
                        if n % 3 == 0 { fuzzer.below(&mut mutator).await } else { fuzzer.above(&mut mutator).await }
                    }
                });
            }
            while let Some(ended) = running.join_next().await {
                ended.unwrap();
            }
            let now = resident(&group);
            println!("seed {seed}: {now:?} MB after {:.0} s", begun.elapsed().as_secs_f64());
            let before = after_first.get_or_insert_with(|| now.clone());
            for (mb, before) in now.iter().zip(before.iter()) {
                assert!(*mb < *before + GROWTH_MAX_MB, "seed {seed}: {now:?} MB, {before} MB after the first");
            }
        }
        done.store(true, Ordering::Relaxed);
    };
    let ((), (served, longest)) = tokio::join!(fuzzing, behave(&group, &done));
    println!("{served} calls of others served meanwhile, the longest took {:.1} s", longest.as_secs_f64());
    assert!(served > 20, "{served}");
    drop(silent);
    wait_until_serving(&group).await.unwrap();
    group.heal().unwrap();
    assert_eq!(group.ended_alone, Vec::<String>::new(), "{}", group.said());
    assert_eq!(group.panics(), Vec::<String>::new());
}
