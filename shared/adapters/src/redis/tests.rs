//! Against Debian's redis-server.

use super::RedisLock;
use crate::outer_lock::conformance::{LockBench, outer_lock};
use crate::outer_lock::server_child::{ServerChild, ServerProgram};
use crate::outer_lock::test_pki::TestPki;
use crate::outer_lock::{Access, LockSettings, scope_key};
use picket_core::ports::{OuterLock as _, PortError};
use picket_core::scope::Scope;
use std::time::Duration;

const REDIS: ServerProgram = ServerProgram {
    program: "redis-server",
    debian: "redis-server",
    ports: 1,
    arguments: |folder, ports| {
        let folder = folder.to_string_lossy().into_owned();
        let port = ports[0].to_string();
        ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--save", "", "--appendonly", "no"].map(str::to_owned).into()
    },
};

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

fn settings() -> LockSettings {
    LockSettings { call_timeout: Duration::from_secs(10), ..LockSettings::default() }
}

fn lock(port: u16, access: &Access) -> RedisLock {
    RedisLock::new(&url(port), access, settings()).unwrap()
}

async fn command(port: u16, words: &[&str]) -> ::redis::RedisResult<::redis::Value> {
    let client = ::redis::Client::open(url(port))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(&mut connection).await
}

async fn server() -> ServerChild {
    ServerChild::start(&REDIS, &[], async |ports| command(ports[0], &["PING"]).await.is_ok()).await
}

/// The server of a suite.
struct Bench(ServerChild);

impl LockBench for Bench {
    type Lock = RedisLock;

    fn ttl_ms(&self) -> u64 {
        500
    }

    fn client(&self) -> RedisLock {
        lock(self.0.port(0), &Access::default())
    }

    async fn revoke(&self, scope: &Scope) {
        command(self.0.port(0), &["DEL", &scope_key("picket/locks", scope)]).await.unwrap();
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
async fn other_automation_that_sets_the_key_excludes_picket_and_is_excluded() {
    let server = server().await;
    let (lock, scope) = (self::lock(server.port(0), &Access::default()), Scope::Cluster("east".into()));
    let key = scope_key("picket/locks", &scope);
    let set = ["SET", &key, "deploy-17", "NX", "PX", "60000"];
    command(server.port(0), &set).await.unwrap();
    assert!(lock.acquire(&scope, "a", 1000).await.unwrap().is_none());
    command(server.port(0), &["DEL", &key]).await.unwrap();
    assert!(lock.acquire(&scope, "a", 60_000).await.unwrap().is_some());
    assert_eq!(command(server.port(0), &set).await.unwrap(), ::redis::Value::Nil);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again_and_a_dead_server_is_said() {
    let mut server = server().await;
    let (lock, scope) = (self::lock(server.port(0), &Access::default()), Scope::Cluster("east".into()));
    lock.acquire(&scope, "a", 60_000).await.unwrap().expect("free");
    // The connection is cut, not the server: the next call goes through on a new one.
    command(server.port(0), &["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    assert!(lock.renew(&scope, "a", 60_000).await.unwrap());
    server.kill();
    assert!(matches!(lock.renew(&scope, "a", 60_000).await, Err(PortError::Unavailable { .. })));
    assert!(lock.remaining_ms(&scope, "a") > 0, "its time is not up");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_tls_are_used() {
    const SECURE: ServerProgram = ServerProgram {
        arguments: |folder, ports| {
            let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
            let (port, certificate, key, ca) = (ports[0].to_string(), file("server.pem"), file("server.key"), file("ca.pem"));
            ["--port", "0", "--tls-port", &port, "--bind", "127.0.0.1", "--save", "", "--requirepass", "hush"]
                .into_iter()
                .chain(["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca, "--tls-auth-clients", "yes"])
                .map(str::to_owned)
                .collect()
        },
        ..REDIS
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let pki = TestPki::generate();
    let ca_pem = Some(pki.ca.clone().into_bytes());
    let identity_pem = Some(pki.identity());
    let account = Some((String::new(), "hush".to_owned()));
    let secure = |port: u16, account, identity_pem| {
        RedisLock::new(&format!("rediss://localhost:{port}/0"), &Access { account, ca_pem: ca_pem.clone(), identity_pem }, settings())
            .unwrap()
    };
    let scope = Scope::Cluster("east".into());
    let ready = async |ports: &[u16]| secure(ports[0], account.clone(), identity_pem.clone()).release(&scope, "a").await.is_ok();
    let server = ServerChild::start(&SECURE, &pki.files(), ready).await;
    let lock = secure(server.port(0), account.clone(), identity_pem.clone());
    assert!(lock.acquire(&scope, "a", 60_000).await.unwrap().is_some());
    let unknown = secure(server.port(0), None, identity_pem.clone()).acquire(&scope, "b", 60_000).await;
    assert!(matches!(unknown, Err(PortError::Refused { .. })), "{unknown:?}");
    let wrong = Some((String::new(), "guess".to_owned()));
    let wrong = secure(server.port(0), wrong, identity_pem.clone()).acquire(&scope, "b", 60_000).await;
    assert!(matches!(wrong, Err(PortError::Refused { .. })), "{wrong:?}");
    assert!(secure(server.port(0), account.clone(), None).acquire(&scope, "b", 60_000).await.is_err(), "no certificate, no answer");
}

#[test]
fn what_cannot_be_used_is_said_before_the_first_call() {
    assert!(RedisLock::new("nonsense", &Access::default(), settings()).is_err());
    let access = Access { ca_pem: Some(b"x".to_vec()), ..Access::default() };
    let error = RedisLock::new("redis://127.0.0.1:1/0", &access, settings()).unwrap_err();
    assert!(error.to_string().contains("rediss://"), "{error}");
}
