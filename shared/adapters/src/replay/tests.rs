use super::{ReplayError, Target, open, play};
use crate::clock::RunClock;
use crate::in_memory::InMemoryBus;
use crate::otlp::{BusIngestor, GatewayConfig, TokenGrant, serve};
use picket_core::ports::{Bus, Subscription};
use picket_core::signal::{MetricValue, Signal};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const NAB: &str = "timestamp,value\n2015-09-01 13:45:00,3.06\n2015-09-01 13:50:00,6.44\n";
const PETSHOP: &str = "microservice,PetSite,PetSite,pay_AWS::ECS\nmetric,latency,requests,latency\nstatistic,p90,Sum,Average\nunix_timestamp,,,\n1681849920.0,0.5,,0.02\n1681850220.0,0.7,12,\n";

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn both_formats_are_found_and_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data/realTraffic/occupancy.csv", NAB);
    write(dir.path(), "dataset/low/train/issue_1/metrics.csv", PETSHOP);
    write(dir.path(), "dataset/low/zz_noissue/metrics.csv", PETSHOP);
    write(dir.path(), "graph.csv", "a,b\n1,0\n");
    let recordings = open(dir.path(), dir.path()).unwrap();
    assert_eq!(
        recordings.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
        ["nab", "dataset/low/zz_noissue", "dataset/low/train/issue_1"]
    );
    let nab = &recordings[0].points;
    assert_eq!(
        (nab[1].offset_ms, nab[1].value, nab[1].service.as_str(), nab[1].namespace.as_str()),
        (300_000, 6.44, "occupancy", "realTraffic")
    );
    assert_eq!(recordings[1].points.len(), 4, "empty cells are no points");
    assert_eq!(recordings[1].moments(), 2);
    let frames: Vec<_> = recordings[1].frames(Timestamp(1_000_000)).collect();
    assert_eq!(frames[0].request.resource_metrics.len(), 2);
}

#[test]
fn an_archive_is_unpacked_and_rubbish_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "in/data/a/s.csv", NAB);
    let archive = dir.path().join("nab.tar");
    assert!(
        std::process::Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(dir.path().join("in"))
            .arg("data")
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(open(&archive, &dir.path().join("scratch")).unwrap()[0].points.len(), 2);
    write(dir.path(), "broken.tar.xz", "no archive");
    assert!(matches!(open(&dir.path().join("broken.tar.xz"), &dir.path().join("scratch2")), Err(ReplayError::Unpack { .. })));
    write(dir.path(), "bad/a/s.csv", "timestamp,value\n2015-09-01 13:45:00,x\n");
    match open(&dir.path().join("bad"), dir.path()) {
        Err(ReplayError::Malformed { line, .. }) => assert_eq!(line, 2),
        other => panic!("{other:?}"),
    }
    write(dir.path(), "empty/readme.md", "x");
    assert!(matches!(open(&dir.path().join("empty"), dir.path()), Err(ReplayError::Unknown { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_goes_through_the_gateway_as_replay() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "issue_1/metrics.csv", PETSHOP);
    let recording = open(dir.path(), dir.path()).unwrap().remove(0);
    let clock = RunClock::new(Timestamp(1_700_000_000_000), 10_000.0);
    let bus = Arc::new(InMemoryBus::default());
    let tokens = BTreeMap::from([("secret".to_owned(), TokenGrant { cluster: "recorded".into(), replay: true })]);
    let gateway = serve(GatewayConfig::local(tokens, clock), Arc::new(BusIngestor::new(Arc::clone(&bus), 16))).await.unwrap();
    let target = Target { url: format!("http://{}", gateway.http_addr), token: "secret".into() };
    let start = clock.now();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let played = play(&recording, &target, &client, &clock, start, |_| {}).await.unwrap();
    assert_eq!((played.moments, played.points), (2, 4));
    assert!(clock.now() >= start.plus_ms(recording.length_ms()), "played at the clock's pace");
    let from = Subscription { durable: "t".into(), filter: "replay.recorded.petshop.metrics".into() };
    let signals: Vec<_> = bus.pull(&from, 9, 1_000).await.unwrap().into_iter().flat_map(|d| d.batch.unwrap().signals.clone()).collect();
    assert_eq!(signals.len(), 4);
    assert!(signals.iter().all(|s| s.at() >= start));
    assert!(
        signals
            .iter()
            .any(|s| matches!(s, Signal::Metric(p) if p.name == "petshop.requests" && p.value == MetricValue::Gauge { value: 12.0 }))
    );
    let wrong = Target { token: "other".into(), ..target };
    assert!(matches!(play(&recording, &wrong, &client, &clock, start, |_| {}).await, Err(ReplayError::Gateway { .. })));
    gateway.shutdown().await;
}
