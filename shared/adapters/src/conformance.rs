//! One suite per port: what every implementation MUST do. Each panics with what it missed.

use picket_core::action::Digest;
use picket_core::audit::{AuditEntry, AuditRecord, verify};
use picket_core::ids::ServiceId;
use picket_core::ports::{AuditLog, Bus, Delivery, PortError, Subscription};
use picket_core::signal::{MetricPoint, MetricValue, Resource, Signal, SignalBatch, SignalKind};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// A batch of one gauge that reads `value`, for suites and tests.
#[must_use]
pub fn batch(cluster: &str, value: u32) -> SignalBatch {
    let resource = Resource { service: ServiceId::new(cluster, "shop", "cart"), ..Resource::default() };
    let point = MetricPoint {
        resource,
        name: "queue.length".into(),
        unit: "1".into(),
        attributes: BTreeMap::new(),
        at: Timestamp(i64::from(value)),
        value: MetricValue::Gauge { value: f64::from(value) },
    };
    SignalBatch {
        cluster: cluster.into(),
        namespace: "shop".into(),
        kind: SignalKind::Metrics,
        replay: false,
        signals: vec![Signal::Metric(point)],
    }
}

/// What [`batch`] was made of, read back from a delivery.
///
/// # Panics
/// When the delivery carries something else.
#[must_use]
pub fn value(delivery: &Delivery) -> u32 {
    match delivery.batch.as_ref().map(|batch| batch.signals.as_slice()) {
        Ok([Signal::Metric(MetricPoint { value: MetricValue::Gauge { value }, .. })]) => *value as u32,
        other => panic!("not a batch of one gauge: {other:?}"),
    }
}

fn from(durable: &str, filter: &str) -> Subscription {
    Subscription { durable: durable.into(), filter: filter.into() }
}

async fn publish<B: Bus>(bus: &B, cluster: &str, values: std::ops::RangeInclusive<u32>) {
    for n in values {
        bus.publish(&batch(cluster, n), &Digest::of(format!("{cluster}-{n}").as_bytes())).await.expect("publish");
    }
}

async fn pull<B: Bus>(bus: &B, from: &Subscription, max: usize) -> (Vec<u32>, u64) {
    let deliveries = bus.pull(from, max, 2_000).await.expect("pull");
    assert!(deliveries.windows(2).all(|pair| pair[0].sequence < pair[1].sequence), "sequences MUST rise");
    (deliveries.iter().map(value).collect(), deliveries.last().map_or(0, |d| d.sequence))
}

/// Suite of [`Bus`], on an empty bus.
///
/// # Panics
/// With what the implementation missed.
pub async fn bus<B: Bus>(bus: &B) {
    delivers_in_order_from_the_acknowledged(bus).await;
    publishes_once_per_key(bus).await;
    separates_subjects_and_consumers(bus).await;
    keeps_the_latest_word(bus).await;
}

async fn delivers_in_order_from_the_acknowledged<B: Bus>(bus: &B) {
    let reader = from("suite-order", "telemetry.order.>");
    assert_eq!(bus.pull(&reader, 8, 20).await.expect("pull"), vec![], "an empty bus MUST give nothing after the wait");
    publish(bus, "order", 1..=6).await;
    let (values, last) = pull(bus, &reader, 4).await;
    assert_eq!(values, [1, 2, 3, 4]);
    assert_eq!(pull(bus, &reader, 2).await.0, [1, 2], "what is not acknowledged MUST come again");
    bus.acknowledge(&reader, last).await.expect("acknowledge");
    bus.acknowledge(&reader, last).await.expect("acknowledging twice is no error");
    let (values, last) = pull(bus, &reader, 8).await;
    assert_eq!(values, [5, 6], "what is acknowledged MUST NOT come again");
    bus.acknowledge(&reader, last).await.expect("acknowledge");
    assert_eq!(bus.pull(&reader, 8, 20).await.expect("pull"), vec![]);
}

async fn publishes_once_per_key<B: Bus>(bus: &B) {
    for _ in 0..3 {
        publish(bus, "once", 1..=2).await;
    }
    assert_eq!(pull(bus, &from("suite-once", "telemetry.once.>"), 9).await.0, [1, 2], "a dedupe key MUST be published once");
}

async fn separates_subjects_and_consumers<B: Bus>(bus: &B) {
    publish(bus, "east", 1..=2).await;
    publish(bus, "west", 3..=3).await;
    let mut recorded = batch("east", 4);
    recorded.replay = true;
    bus.publish(&recorded, &Digest::of(b"recorded")).await.expect("publish");
    let (values, last) = pull(bus, &from("suite-east", "telemetry.east.>"), 9).await;
    assert_eq!(values, [1, 2]);
    bus.acknowledge(&from("suite-east", "telemetry.east.>"), last).await.expect("acknowledge");
    assert_eq!(pull(bus, &from("suite-east-too", "telemetry.east.>"), 9).await.0, [1, 2], "consumers MUST NOT share acknowledgements");
    assert_eq!(pull(bus, &from("suite-metrics", "telemetry.west.*.metrics"), 9).await.0, [3]);
    assert_eq!(pull(bus, &from("suite-replay", "replay.>"), 9).await.0, [4]);
    let other = bus.pull(&from("suite-east", "telemetry.west.>"), 9, 20).await;
    assert!(matches!(other, Err(PortError::Refused { .. })), "a durable name MUST keep its filter: {other:?}");
}

async fn keeps_the_latest_word<B: Bus>(bus: &B) {
    for (topic, word) in [("graph.east", "1"), ("graph.west", "2"), ("graph.east", "3"), ("incident.inc-1", "4")] {
        bus.put(topic, word.as_bytes().to_vec()).await.expect("put");
    }
    let words = bus.latest("graph.", 0).await.expect("latest");
    let said: Vec<_> = words.iter().map(|w| (w.topic.as_str(), w.value.as_slice())).collect();
    assert_eq!(
        said,
        [("graph.west", b"2".as_slice()), ("graph.east", b"3".as_slice())],
        "only the latest word of each topic, oldest first"
    );
    let since = words.last().expect("two words").revision;
    assert_eq!(bus.latest("graph.", since).await.expect("latest"), vec![]);
    assert_eq!(bus.latest("gra", 0).await.expect("latest").len(), 2, "a prefix need not end at a dot");
    assert_eq!(bus.latest("", 0).await.expect("latest").len(), 3);
    bus.put("graph.west", b"5".to_vec()).await.expect("put");
    let newer = bus.latest("graph.", since).await.expect("latest");
    assert_eq!(newer.len(), 1);
    assert!(newer[0].value == b"5" && newer[0].revision > since, "a revision MUST rise with every put");
    for bad in ["", ".", "a..b", "a b", "graph.*", ">"] {
        assert!(matches!(bus.put(bad, vec![]).await, Err(PortError::Refused { .. })), "`{bad}` MUST be refused as a topic");
    }
}

/// Suite of [`AuditLog`], on an empty log.
///
/// # Panics
/// With what the implementation missed.
pub async fn audit_log<L: AuditLog>(log: &L) {
    assert_eq!(log.read(1, 10).await.expect("read"), vec![]);
    let mut appended: Vec<AuditRecord> = Vec::new();
    for n in 1..=5_i64 {
        let entry = AuditEntry {
            at: Timestamp(n),
            actor: "agent:sre".into(),
            kind: "applied".into(),
            subject: format!("act-{n}"),
            detail: serde_json::json!({ "z": [n, null], "a": "é\"" }),
        };
        let record = log.append(entry.clone()).await.expect("append");
        assert_eq!(record.entry, entry);
        appended.push(record);
    }
    assert_eq!(log.read(1, 10).await.expect("read"), appended, "records MUST read back as they were appended");
    assert_eq!(log.read(3, 2).await.expect("read"), appended[2..4]);
    assert_eq!(log.read(6, 2).await.expect("read"), vec![]);
    assert_eq!(verify(&appended).expect("the chain MUST verify").0, 5);
}
