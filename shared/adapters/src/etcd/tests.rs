//! Against Debian's etcd.

use super::EtcdLock;
use crate::outer_lock::conformance::{LockBench, outer_lock};
use crate::outer_lock::server_child::{ServerChild, ServerProgram};
use crate::outer_lock::test_pki::TestPki;
use crate::outer_lock::{Access, LockSettings, scope_key};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use picket_core::ports::{OuterLock as _, PortError};
use picket_core::scope::Scope;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ETCD: ServerProgram = ServerProgram {
    program: "etcd",
    debian: "etcd-server",
    ports: 2,
    arguments: |folder, ports| {
        let (client, peer) = (format!("http://127.0.0.1:{}", ports[0]), format!("http://127.0.0.1:{}", ports[1]));
        let data = folder.join("data").to_string_lossy().into_owned();
        let initial = format!("one={peer}");
        ["--name", "one", "--data-dir", &data, "--listen-client-urls", &client, "--advertise-client-urls", &client]
            .into_iter()
            .chain(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer, "--initial-cluster", &initial])
            .map(str::to_owned)
            .collect()
    },
};

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn settings() -> LockSettings {
    LockSettings { call_timeout: Duration::from_secs(10), ..LockSettings::default() }
}

fn lock(endpoints: &[String]) -> EtcdLock {
    EtcdLock::new(endpoints, &Access::default(), settings()).unwrap()
}

/// A call as any other program makes it.
async fn post(port: u16, path: &str, body: Value) -> Value {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{}{path}", url(port))).json(&body).send().await.unwrap().json().await.unwrap()
}

async fn server() -> ServerChild {
    drop(rustls::crypto::ring::default_provider().install_default());
    let scope = Scope::Cluster("ready".into());
    ServerChild::start(&ETCD, &[], async |ports| lock(&[url(ports[0])]).release(&scope, "a").await.is_ok()).await
}

/// The lease of the one holder of a scope.
async fn lease_of(port: u16, scope: &Scope) -> String {
    let key = format!("{}/", scope_key("picket/locks", scope));
    let end = format!("{}0", key.trim_end_matches('/'));
    let found = post(port, "/v3/kv/range", json!({ "key": BASE64.encode(&key), "range_end": BASE64.encode(end) })).await;
    found["kvs"][0]["lease"].as_str().expect("somebody holds it").to_owned()
}

/// The server of a suite.
struct Bench(ServerChild);

impl LockBench for Bench {
    type Lock = EtcdLock;

    /// The shortest that etcd grants with its default election timeout.
    fn ttl_ms(&self) -> u64 {
        2000
    }

    fn client(&self) -> EtcdLock {
        lock(&[url(self.0.port(0))])
    }

    /// By deleting the key: its lease lives on.
    async fn revoke(&self, scope: &Scope) {
        let key = format!("{}/", scope_key("picket/locks", scope));
        let end = format!("{}0", key.trim_end_matches('/'));
        let deleted =
            post(self.0.port(0), "/v3/kv/deleterange", json!({ "key": BASE64.encode(&key), "range_end": BASE64.encode(end) })).await;
        assert_eq!(deleted["deleted"], "1");
    }

    async fn stop(&mut self) {
        self.0.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    outer_lock(&mut Bench(server().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_lease_is_a_lost_lock() {
    let server = server().await;
    let (lock, scope) = (self::lock(&[url(server.port(0))]), Scope::Cluster("east".into()));
    lock.acquire(&scope, "a", 60_000).await.unwrap().expect("free");
    let lease = lease_of(server.port(0), &scope).await;
    post(server.port(0), "/v3/lease/revoke", json!({ "ID": lease })).await;
    assert!(!lock.renew(&scope, "a", 60_000).await.unwrap());
    assert_eq!(lock.remaining_ms(&scope, "a"), 0);
}

/// `etcdctl lock` and the mutexes of etcd's clients are this call of the server's.
#[tokio::test(flavor = "multi_thread")]
async fn etcds_own_locks_exclude_picket_and_are_excluded() {
    let server = server().await;
    let port = server.port(0);
    let (lock, scope) = (self::lock(&[url(server.port(0))]), Scope::Namespace("east".into(), "shop".into()));
    let name = BASE64.encode(scope_key("picket/locks", &scope));
    let lease = post(port, "/v3/lease/grant", json!({ "TTL": "60" })).await["ID"].clone();
    let theirs = post(port, "/v3/lock/lock", json!({ "name": name, "lease": lease })).await["key"].clone();
    assert!(lock.acquire(&scope, "a", 60_000).await.unwrap().is_none(), "theirs excludes ours");
    post(port, "/v3/lock/unlock", json!({ "key": theirs })).await;
    lock.acquire(&scope, "a", 60_000).await.unwrap().expect("free again");
    let waiting = tokio::spawn(post(port, "/v3/lock/lock", json!({ "name": name, "lease": lease })));
    let deadline = Instant::now() + Duration::from_secs(30);
    // Until their request stands in line behind ours.
    loop {
        let key = format!("{}/", scope_key("picket/locks", &scope));
        let end = format!("{}0", key.trim_end_matches('/'));
        let found = post(port, "/v3/kv/range", json!({ "key": BASE64.encode(&key), "range_end": BASE64.encode(end) })).await;
        if found["count"] == "2" {
            break;
        }
        assert!(Instant::now() < deadline, "{found}");
    }
    assert!(lock.renew(&scope, "a", 60_000).await.unwrap(), "who waits behind us takes nothing");
    assert!(!waiting.is_finished(), "ours excludes theirs");
    lock.release(&scope, "a").await.unwrap();
    assert!(waiting.await.unwrap()["key"].is_string(), "and lets them in when it is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_member_is_asked_when_one_does_not_answer() {
    let server = server().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // One refuses; one takes the connection and says nothing.
    let refusing = url(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let silent = url(nobody.local_addr().unwrap().port());
    let lock = EtcdLock::new(&[refusing, silent, url(server.port(0))], &Access::default(), settings()).unwrap();
    let scope = Scope::Cluster("east".into());
    assert!(lock.acquire(&scope, "a", 60_000).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = LockSettings { call_timeout: Duration::from_millis(200), ..LockSettings::default() };
    let lock = EtcdLock::new(&[url(silent.local_addr().unwrap().port())], &Access::default(), settings).unwrap();
    let error = lock.acquire(&Scope::Cluster("east".into()), "a", 60_000).await.unwrap_err();
    assert!(matches!(error, PortError::Timeout { .. } | PortError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_signed_in_and_again_when_its_token_has_ended() {
    let server = server().await;
    let port = server.port(0);
    for (path, body) in [
        ("/v3/auth/user/add", json!({ "name": "root", "password": "hush" })),
        ("/v3/auth/role/add", json!({ "name": "root" })),
        ("/v3/auth/user/grant", json!({ "user": "root", "role": "root" })),
        ("/v3/auth/enable", json!({})),
    ] {
        let answer = post(port, path, body).await;
        assert!(answer["error"].is_null(), "{path}: {answer}");
    }
    let scope = Scope::Cluster("east".into());
    let with = |password: &str| {
        let access = Access { account: Some(("root".into(), password.into())), ..Access::default() };
        EtcdLock::new(&[url(port)], &access, settings()).unwrap()
    };
    let lock = with("hush");
    assert!(lock.acquire(&scope, "a", 60_000).await.unwrap().is_some());
    // A change of accounts makes every token void.
    let token = post(port, "/v3/auth/authenticate", json!({ "name": "root", "password": "hush" })).await["token"].clone();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let add = client.post(format!("{}/v3/auth/user/add", url(port))).json(&json!({ "name": "guest", "password": "g" }));
    let added = add.header("Authorization", token.as_str().unwrap()).send().await.unwrap();
    assert!(added.status().is_success());
    assert!(lock.renew(&scope, "a", 60_000).await.unwrap());
    for stranger in [self::lock(&[url(port)]), with("guess")] {
        let error = stranger.acquire(&scope, "b", 60_000).await.unwrap_err();
        assert!(matches!(error, PortError::Refused { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_over_tls() {
    const SECURE: ServerProgram = ServerProgram {
        arguments: |folder, ports| {
            let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
            let (client, peer) = (format!("https://127.0.0.1:{}", ports[0]), format!("http://127.0.0.1:{}", ports[1]));
            let (data, initial) = (file("data"), format!("one={peer}"));
            let advertised = format!("https://localhost:{}", ports[0]);
            ["--name", "one", "--data-dir", &data, "--listen-client-urls", &client, "--advertise-client-urls", &advertised]
                .into_iter()
                .chain(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer, "--initial-cluster", &initial])
                .chain(["--cert-file", &file("server.pem"), "--key-file", &file("server.key")])
                .chain(["--client-cert-auth", "--trusted-ca-file", &file("ca.pem")])
                .map(str::to_owned)
                .collect()
        },
        ..ETCD
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let pki = TestPki::generate();
    let secure = |port: u16, identity_pem| {
        let access = Access { account: None, ca_pem: Some(pki.ca.clone().into_bytes()), identity_pem };
        EtcdLock::new(&[format!("https://localhost:{port}")], &access, settings()).unwrap()
    };
    let scope = Scope::Cluster("east".into());
    let ready = async |ports: &[u16]| secure(ports[0], Some(pki.identity())).release(&scope, "a").await.is_ok();
    let server = ServerChild::start(&SECURE, &pki.files(), ready).await;
    assert!(secure(server.port(0), Some(pki.identity())).acquire(&scope, "a", 60_000).await.unwrap().is_some());
    let error = secure(server.port(0), None).acquire(&scope, "b", 60_000).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{error}");
}

#[test]
fn what_cannot_be_used_is_said_before_the_first_call() {
    drop(rustls::crypto::ring::default_provider().install_default());
    assert!(EtcdLock::new(&[], &Access::default(), settings()).is_err());
    let access = Access { ca_pem: Some(b"nothing".to_vec()), ..Access::default() };
    let error = EtcdLock::new(&[url(1)], &access, settings()).unwrap_err();
    assert!(error.to_string().contains("CA"), "{error}");
}
