//! Where keys come from, and that fresh ones are fetched before they expire.

use crate::gate::TestClock;
use crate::world::{Cloud, Kind, World};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use picket_clouds::{AwsCredentialsFrom, Clock as _, CloudSettings};
use picket_core::ports::{PortError, RemediationExecutor as _};
use picket_executor_conformance::Sink as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn settings(world: &World<'_>, credentials: AwsCredentialsFrom) -> CloudSettings {
    let mut settings = world.settings();
    settings.aws.credentials = credentials;
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_is_exchanged_and_renewed() {
    let cloud = Cloud::start().await;
    let world = cloud.world(Kind::EcsScale).await;
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, "eyJhbGciOi.hush\n").unwrap();
    let role_arn = "arn:aws:iam::123456789012:role/picket".to_owned();
    let from = AwsCredentialsFrom::WebIdentity { role_arn, token_file: token_file.clone(), region: "eu-west-1".into() };
    let executor = world.executor_with(&settings(&world, from));
    for _ in 0..3 {
        executor.prepare(&world.act()).await.unwrap();
    }
    assert_eq!(cloud.front.times("AssumeRoleWithWebIdentity"), 1, "keys are kept");
    assert!(*cloud.front.tokens_seen.lock().unwrap() >= 3, "the session's token goes with every request");
    cloud.clock.advance(3600 - 200);
    executor.prepare(&world.act()).await.unwrap();
    assert_eq!(cloud.front.times("AssumeRoleWithWebIdentity"), 2, "and renewed before they expire");
    assert!(!format!("{executor:?}").contains("hush"));
    // moto's new keys are of its own time: by the test's they are over soon.
    cloud.clock.advance(3600);
    std::fs::remove_file(&token_file).unwrap();
    let answer = executor.prepare(&world.act()).await;
    assert!(matches!(&answer, Err(PortError::Unavailable { what, .. }) if what.contains("credentials")), "{answer:?}");
}

struct Metadata {
    asked: AtomicUsize,
    clock: TestClock,
}

async fn role(State(metadata): State<Arc<Metadata>>, headers: HeaderMap, path: Option<Path<String>>) -> Result<String, StatusCode> {
    if headers.get("x-aws-ec2-metadata-token").is_none_or(|token| token != "session") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    match path.as_ref().map(|Path(role)| role.as_str()) {
        None => Ok("picket-role".to_owned()),
        Some("picket-role") => {
            metadata.asked.fetch_add(1, Ordering::SeqCst);
            let expires = jiff::Timestamp::from_second(metadata.clock.now_s() + 3600).unwrap();
            Ok(serde_json::json!({"Code": "Success", "AccessKeyId": "ASIA", "SecretAccessKey": "hush", "Token": "t", "Expiration": expires.to_string()})
                .to_string())
        }
        Some(_) => Err(StatusCode::NOT_FOUND),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instances_role_is_asked_for_by_version_two() {
    let cloud = Cloud::start().await;
    let world = cloud.world(Kind::AsgScale).await;
    let metadata = Arc::new(Metadata { asked: AtomicUsize::new(0), clock: cloud.clock.clone() });
    let session = |headers: HeaderMap| async move {
        if headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds") { Ok("session") } else { Err(StatusCode::BAD_REQUEST) }
    };
    let app = axum::Router::new()
        .route("/latest/api/token", put(session))
        .route("/latest/meta-data/iam/security-credentials/", get(role))
        .route("/latest/meta-data/iam/security-credentials/{role}", get(role))
        .with_state(metadata.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&world, AwsCredentialsFrom::Instance);
    settings.aws.endpoints.instance_metadata = Some(format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(axum::serve(listener, app).into_future());
    let executor = world.executor_with(&settings);
    for expected in [1, 1, 2] {
        executor.prepare(&world.act()).await.unwrap();
        assert_eq!(metadata.asked.load(Ordering::SeqCst), expected);
        cloud.clock.advance(2000);
    }
}
