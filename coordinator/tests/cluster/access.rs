//! Who may speak, and as whom.

use crate::group::{Group, acquire, everyone, lease, raw};
use picket_coordinator::pki;
use picket_coordinator::raft::wire::{Forwarded, paths};
use picket_core::coordination::{Answer, Command, Request};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::ports::{Coordinator as _, PortError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raft_routes_are_for_nodes_and_nobody_speaks_for_another() {
    let group = Group::start().await;
    let leader = group.leader().await;
    let base = format!("https://{}", group.addresses[&leader]);
    let agent = Principal::Agent(AgentKind::Sre);
    let stop = Request { request_id: "evil".into(), command: Command::Stop { keep_undos: false } };
    let forged = Forwarded { principal: Principal::Human("test".into()), request: stop.clone() };
    for stranger in [&agent, &Principal::Human("test".into()), &Principal::Actuator("east".into())] {
        let http = raw(&group.pki(), stranger);
        for path in [paths::APPEND, paths::VOTE, paths::PRE_VOTE, paths::SNAPSHOT, paths::READ_INDEX, paths::FORWARD] {
            let answer = http.post(format!("{base}{path}")).json(&forged).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 403, "{stranger} at {path}");
        }
    }
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
