//! Who may speak, and as whom.

use crate::group::{DEADLINE, Group, acquire, everyone, lease, raw};
use crate::guard::config;
use crate::proxy::Proxy;
use picket_coordinator::pki;
use picket_coordinator::raft::addresses::AddressBook;
use picket_coordinator::raft::link::{CallError, Dialer, Link};
use picket_coordinator::raft::wire::{ALPN, Greeting, ask};
use picket_coordinator::tls::Identity;
use picket_coordinator_client::CoordinatorClient;
use picket_coordinator_transport::connection::Connection;
use picket_core::coordination::{Answer, Command, Request};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ports::{Coordinator as _, PortError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The way to a node, called as `principal` with a greeting that says it comes from node `from`.
fn link(group: &Group, principal: &Principal, from: u64, to: u64, settings: &str) -> Link {
    link_by(&group.addresses, group, principal, from, to, settings)
}

fn link_by(addresses: &BTreeMap<u64, String>, group: &Group, principal: &Principal, from: u64, to: u64, settings: &str) -> Link {
    let identity = Identity::read(&group.pki(), principal).unwrap();
    let settings = settings.to_owned();
    let greeting = move |to| (ask::GREET, postcard::to_stdvec(&Greeting { from, to, settings: settings.clone() }).unwrap());
    let addresses = AddressBook::new(addresses).unwrap();
    Link::new(to, Arc::new(Dialer::new(&identity, addresses, Arc::new(greeting)).unwrap()))
}

fn refused(connected: Result<Arc<Connection>, CallError>) -> String {
    match connected {
        Err(CallError::Unreachable(_, why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_nodes_with_the_same_settings_connect_and_each_as_itself() {
    let group = Group::start().await;
    let agent = Principal::Agent(AgentKind::Sre);
    for stranger in [&agent, &Principal::Human("test".into()), &Principal::Actuator("east".into())] {
        let why = refused(link(&group, stranger, 2, 1, "").connection().await);
        assert!(why.contains("for nodes of the coordinator"), "{stranger}: {why}");
    }
    let why = refused(link(&group, &Principal::Node(2), 3, 1, "").connection().await);
    assert!(why.contains("the certificate says node 2"), "{why}");
    let why = refused(link(&group, &Principal::Node(2), 2, 1, "other").connection().await);
    assert!(why.contains("different settings"), "{why}");
    // Whoever is at the address of node 1 must be node 1.
    let mut elsewhere = group.addresses.clone();
    elsewhere.insert(1, group.addresses[&3].clone());
    let misled = link_by(&elsewhere, &group, &Principal::Node(2), 2, 1, "");
    let why = refused(misled.connection().await);
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_greeting_ends_the_connection_and_harms_nothing() {
    let group = Group::start().await;
    let identity = Identity::read(&group.pki(), &Principal::Node(2)).unwrap();
    let mut tls = identity.client().unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let tls = tokio_rustls::TlsConnector::from(Arc::new(tls));
    let long = (u32::MAX - 1).to_le_bytes();
    for bytes in [
        &long[..],
        &[3, 0, 0, 0, 1, 2, 3],
        &[9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ask::APPEND],
        &[9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ask::GREET],
    ] {
        let stream = tokio::net::TcpStream::connect(&group.addresses[&1]).await.unwrap();
        let mut stream = tls.connect("node-1.picket".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(ended.is_err() || rest.len() < 1_000, "{bytes:?}: {rest:?}");
    }
    lease(&group.human(&[1]), "r", "a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_another() {
    let group = Group::start().await;
    let leader = group.leader().await;
    let base = format!("https://{}", group.addresses[&leader]);
    let agent = Principal::Agent(AgentKind::Sre);
    let stop = Request { request_id: "evil".into(), command: Command::Stop { keep_undos: false } };
    // A name in the message is not believed: there is no place for one, and one that is put there changes nothing.
    let mut body = serde_json::to_value(&stop).unwrap();
    body["principal"] = serde_json::json!({"human": "test"});
    let answer = raw(&group.pki(), &agent).post(format!("{base}/v1/submit")).json(&body).send().await.unwrap();
    if answer.status().is_success() {
        let answer: Answer = answer.json().await.unwrap();
        assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    }
    // Through a follower the agent is still the agent.
    for id in 1..=3 {
        let refused = group.client(&agent, &[id]).submit(format!("stop-{id}").into(), Command::Stop { keep_undos: false }).await.unwrap();
        assert!(matches!(refused, Answer::Refused { .. }), "{refused:?}");
    }
    let client = group.human(&[1, 2, 3]);
    assert!(!client.status().await.unwrap().stop.set);
    client.submit("stop".into(), Command::Stop { keep_undos: false }).await.unwrap();
    assert!(client.status().await.unwrap().stop.set);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permits_are_shown_to_actuators_only() {
    let group = Group::start().await;
    let entry = EntryId::from("act-1");
    let human = group.human(&[1, 2, 3]).permit(&entry).await;
    assert!(matches!(human, Err(PortError::Refused { .. })), "{human:?}");
    let actuator = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]).permit(&entry).await;
    assert!(matches!(actuator, Err(PortError::NotFound { .. })), "{actuator:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_ca_or_none_is_refused_in_the_handshake() {
    let group = Group::start().await;
    let other = tempfile::tempdir().unwrap();
    pki::init_demo(other.path(), &everyone(), &[]).unwrap();
    let human = Principal::Human("test".into());
    // Theirs shown to us.
    let stranger = group.client_with(other.path(), &human, &[1, 2, 3], 5_000);
    let refused = stranger.submit("r".into(), acquire("a")).await;
    assert!(matches!(refused, Err(PortError::Refused { .. })), "{refused:?}");
    // Ours shown to a client that trusts only them.
    let http = raw(other.path(), &human);
    let url = format!("https://{}/healthz", group.addresses[&1]);
    assert!(http.get(&url).send().await.is_err());
    // None at all.
    let mut roots = rustls::RootCertStore::empty();
    let ca = std::fs::read(group.pki().join("ca.pem")).unwrap();
    let ca = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&ca).unwrap();
    roots.add(ca).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let anonymous = reqwest::Client::builder().use_preconfigured_tls(tls).no_proxy().build().unwrap();
    assert!(anonymous.get(&url).send().await.is_err());
    // An agent cannot pass for a node of the coordinator.
    let good = raw(&group.pki(), &human);
    assert_eq!(good.get(&url).send().await.unwrap().text().await.unwrap(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_and_oversized_requests_are_refused_and_harm_nothing() {
    let group = Group::start().await;
    let http = raw(&group.pki(), &Principal::Human("test".into()));
    let url = format!("https://{}/v1/submit", group.addresses[&1]);
    let status = |answer: reqwest::Response| answer.status().as_u16();
    assert_eq!(status(http.post(&url).body("{").send().await.unwrap()), 400);
    assert_eq!(status(http.post(&url).body(r#"{"request_id":"a","command":{"command":"fly"}}"#).send().await.unwrap()), 400);
    let long = http.post(&url).body(vec![b'x'; (1 << 20) + 1]).send().await;
    assert!(long.is_err() || status(long.unwrap()) == 413);
    assert_eq!(status(http.get(format!("https://{}/v1/watch?revision=x", group.addresses[&1])).send().await.unwrap()), 400);
    lease(&group.human(&[1]), "r", "a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_calls_a_client_makes_at_once_it_needs_one_connection() {
    let group = Group::start().await;
    let way = Proxy::to(&group.addresses[&1]).await;
    let client = CoordinatorClient::connect(config(&group, vec![way.address.clone()])).unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..128 {
        let client = client.clone();
        calls.spawn(async move { client.submit_once(acquire(&format!("n{n}"))).await });
    }
    while let Some(answered) = calls.join_next().await {
        answered.unwrap().unwrap();
    }
    assert_eq!(way.connections(), 1);
}
