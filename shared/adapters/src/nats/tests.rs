use super::server::{NatsChild, spawn};
use super::{JetStreamBus, StreamSettings};
use crate::conformance::{batch, value};
use picket_core::action::Digest;
use picket_core::ports::{Bus, PortError, Subscription};
use std::collections::BTreeSet;
use std::time::Duration;

async fn server() -> (tempfile::TempDir, NatsChild) {
    let dir = tempfile::tempdir().unwrap();
    let child = spawn(dir.path(), 0).expect("nats-server");
    (dir, child)
}

async fn connect(server: &NatsChild) -> JetStreamBus {
    JetStreamBus::connect(&server.url(), StreamSettings::default()).await.unwrap()
}

fn reader(durable: &str) -> Subscription {
    Subscription { durable: durable.into(), filter: "telemetry.>".into() }
}

fn key(n: u32) -> Digest {
    Digest::of(&n.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let (_dir, server) = server().await;
    crate::conformance::bus(&connect(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_gets_in_order_what_a_dead_one_had_in_hand() {
    let (_dir, server) = server().await;
    let first = connect(&server).await;
    for n in 1..=6 {
        first.publish(&batch("east", n), &key(n)).await.unwrap();
    }
    let pulled = first.pull(&reader("sre"), 2, 1_000).await.unwrap();
    first.acknowledge(&reader("sre"), pulled[0].sequence).await.unwrap();
    assert_eq!(first.pull(&reader("sre"), 4, 1_000).await.unwrap().len(), 4);
    drop(first);
    for _ in 0..3 {
        let next = connect(&server).await;
        let values: Vec<_> = next.pull(&reader("sre"), 9, 1_000).await.unwrap().iter().map(value).collect();
        assert_eq!(values, [2, 3, 4, 5, 6]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unreadable_is_delivered_as_such() {
    let (_dir, server) = server().await;
    let bus = connect(&server).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    context.publish("telemetry.east.shop.metrics", "rubbish".into()).await.unwrap().await.unwrap();
    bus.publish(&batch("east", 1), &key(1)).await.unwrap();
    let pulled = bus.pull(&reader("sre"), 9, 1_000).await.unwrap();
    assert!(pulled[0].batch.is_err());
    assert_eq!(value(&pulled[1]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_pushes_back_and_keeps_what_it_has() {
    let (_dir, server) = server().await;
    let settings = StreamSettings { telemetry_max_bytes: 8_192, ..StreamSettings::default() };
    let bus = JetStreamBus::connect(&server.url(), settings).await.unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        let n = accepted.len() as u32 + 1;
        match bus.publish(&batch("east", n), &key(n)).await {
            Ok(()) => accepted.push(n),
            Err(error) => break error,
        }
        assert!(n < 1_000, "8 KiB hold no thousand batches");
    };
    assert!(matches!(refused, PortError::Full { .. }), "{refused:?}");
    let values: Vec<_> = bus.pull(&reader("sre"), 1_000, 1_000).await.unwrap().iter().map(value).collect();
    assert_eq!(values, accepted);
}

/// Publishes 1..=`last`, each until it is acknowledged, and tells of each.
async fn publish_all(bus: JetStreamBus, last: u32, progress: tokio::sync::watch::Sender<u32>) {
    for n in 1..=last {
        while bus.publish(&batch("east", n), &key(n)).await.is_err() {
            tokio::task::yield_now().await;
        }
        progress.send_replace(n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_server_loses_and_doubles_nothing_acknowledged() {
    const LAST: u32 = 600;
    let (dir, mut server) = server().await;
    let bus = connect(&server).await;
    let (progress, mut published) = tokio::sync::watch::channel(0);
    let publisher = tokio::spawn(publish_all(bus.clone(), LAST, progress));
    for kill_at in [100, 300] {
        published.wait_for(|n| *n >= kill_at).await.unwrap();
        server.kill();
        server = spawn(dir.path(), server.port()).expect("nats-server again");
    }
    tokio::time::timeout(Duration::from_secs(90), publisher).await.expect("publishing goes on").unwrap();
    assert_eq!(bus.pull(&reader("sre"), 1, 5_000).await.unwrap().len(), 1);
    let mut values = Vec::new();
    loop {
        let pulled = bus.pull(&reader("sre"), 100, 200).await.unwrap();
        let Some(last) = pulled.last() else { break };
        values.extend(pulled.iter().map(value));
        bus.acknowledge(&reader("sre"), last.sequence).await.unwrap();
    }
    assert_eq!(values.len(), LAST as usize, "each exactly once");
    assert_eq!(values.into_iter().collect::<BTreeSet<_>>(), (1..=LAST).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_after_kill_9_of_the_server() {
    let (dir, mut server) = server().await;
    let bus = connect(&server).await;
    for n in 1..=4 {
        bus.publish(&batch("east", n), &key(n)).await.unwrap();
    }
    let pulled = bus.pull(&reader("sre"), 2, 1_000).await.unwrap();
    bus.acknowledge(&reader("sre"), pulled[1].sequence).await.unwrap();
    server.kill();
    assert!(bus.pull(&reader("sre"), 9, 50).await.is_err(), "a dead server is an error, not silence");
    let _server = spawn(dir.path(), server.port()).expect("nats-server again");
    let values: Vec<_> = loop {
        // Reconnecting takes a moment; each attempt has its own deadline.
        if let Ok(pulled) = bus.pull(&reader("sre"), 9, 1_000).await {
            break pulled.iter().map(value).collect();
        }
    };
    assert_eq!(values, [3, 4]);
}

#[tokio::test]
async fn no_server_is_said_within_the_deadline() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = JetStreamBus::connect(&format!("nats://127.0.0.1:{free}"), StreamSettings::default()).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_buffers_within_its_bound_while_the_server_is_away() {
    use crate::otlp::BusIngestor;
    use futures::FutureExt;
    use picket_core::ports::TelemetryIngestor;
    let (dir, mut server) = server().await;
    let bus = std::sync::Arc::new(connect(&server).await);
    let ingestor = BusIngestor::new(std::sync::Arc::clone(&bus), 2).with_patience(Duration::from_secs(60));
    server.kill();
    let mut held = Box::pin(ingestor.ingest(vec![batch("east", 1), batch("east", 2)]));
    assert!((&mut held).now_or_never().is_none(), "held, not answered");
    let refused = ingestor.ingest(vec![batch("east", 3)]).await;
    assert!(matches!(refused, Err(PortError::Full { .. })), "{refused:?}");
    let _server = spawn(dir.path(), server.port()).expect("nats-server again");
    held.await.expect("it goes on by itself");
    ingestor.ingest(vec![batch("east", 3)]).await.expect("there is room again");
    let values: Vec<_> = bus.pull(&reader("sre"), 9, 5_000).await.unwrap().iter().map(value).collect();
    assert_eq!(values, [1, 2, 3]);
}
