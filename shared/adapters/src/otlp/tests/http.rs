use super::requests::{gauge, metrics, number, one_gauge, one_log, one_span};
use super::{Failing, batches, gateway, gateway_on_bus, signals};
use crate::in_memory::InMemoryBus;
use crate::otlp::{BusIngestor, GatewayHandle, Reason};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use picket_core::ports::PortError;
use picket_core::signal::Signal;
use prost::Message;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

const PROTOBUF: &str = "application/x-protobuf";

struct Sent {
    status: u16,
    retry_after: Option<String>,
    content_type: String,
    body: Vec<u8>,
}

async fn send(gateway: &GatewayHandle, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Sent {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("http://{}{path}", gateway.http_addr)).timeout(Duration::from_secs(20)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (retry_after, content_type) = (header("retry-after"), header("content-type").unwrap_or_default());
    Sent { status: response.status().as_u16(), retry_after, content_type, body: response.bytes().await.unwrap().to_vec() }
}

async fn post(gateway: &GatewayHandle, path: &str, content_type: &str, body: Vec<u8>) -> Sent {
    send(gateway, path, &[("authorization", "Bearer east-token"), ("content-type", content_type)], body).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_json_and_gzip_reach_the_bus() {
    let (gateway, bus) = gateway_on_bus().await;
    let sent = post(&gateway, "/v1/metrics", PROTOBUF, one_gauge().encode_to_vec()).await;
    assert_eq!((sent.status, sent.content_type.as_str()), (200, PROTOBUF));
    assert_eq!(ExportMetricsServiceResponse::decode(sent.body.as_slice()).unwrap().partial_success, None);
    let sent = post(&gateway, "/v1/traces", "application/json; charset=utf-8", serde_json::to_vec(&one_span()).unwrap()).await;
    assert_eq!((sent.status, sent.content_type.as_str()), (200, "application/json"));
    let headers = [("authorization", "bearer east-token"), ("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(send(&gateway, "/v1/logs", &headers, gzip(&one_log().encode_to_vec())).await.status, 200);
    let got = signals(&bus, "telemetry.east.shop.>").await;
    assert!(matches!(got.as_slice(), [Signal::Metric(_), Signal::Span(_), Signal::Log(_)]), "{got:?}");
    assert_eq!(gateway.rejections().accepted_batches(), 3);
    assert!(gateway.counters().is_empty());
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_as_the_specification_writes_it() {
    let (gateway, bus) = gateway_on_bus().await;
    let body = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeMetrics":[{"metrics":[
        {"name":"requests","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"5","startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000005000000000"}]}},
        {"name":"queue","gauge":{"dataPoints":[{"asDouble":1.5,"timeUnixNano":"1700000005000000000"}]}}]}]}]}"#;
    assert_eq!(post(&gateway, "/v1/metrics", "application/json", body.into()).await.status, 200);
    assert_eq!(signals(&bus, "telemetry.east._.metrics").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_status_and_is_counted() {
    let (gateway, bus) = gateway_on_bus().await;
    let good = one_gauge().encode_to_vec();
    let auth = ("authorization", "Bearer east-token");
    let protobuf = ("content-type", PROTOBUF);
    let bomb = gzip(&vec![0; 8 << 20]);
    type Row<'a> = (Vec<(&'a str, &'a str)>, Vec<u8>, u16, Reason);
    let table: Vec<Row<'_>> = vec![
        (vec![protobuf], good.clone(), 401, Reason::Unauthenticated),
        (vec![protobuf, ("authorization", "Bearer wrong")], good.clone(), 401, Reason::Unauthenticated),
        (vec![protobuf, ("authorization", "Basic east-token")], good.clone(), 401, Reason::Unauthenticated),
        (vec![auth, protobuf], b"\xff\xff\xff".to_vec(), 400, Reason::Malformed),
        (vec![auth, ("content-type", "application/json")], b"{\"resourceMetrics\": 3}".to_vec(), 400, Reason::Malformed),
        (vec![auth, protobuf, ("content-encoding", "gzip")], b"no gzip".to_vec(), 400, Reason::Malformed),
        (vec![auth, protobuf], vec![0; (1 << 20) + 1], 413, Reason::TooLarge),
        (vec![auth, protobuf, ("content-encoding", "gzip")], bomb, 413, Reason::TooLarge),
        (vec![auth, ("content-type", "text/plain")], good.clone(), 415, Reason::UnsupportedType),
        (vec![auth], good.clone(), 415, Reason::UnsupportedType),
        (vec![auth, protobuf, ("content-encoding", "zstd")], good.clone(), 415, Reason::UnsupportedEncoding),
    ];
    for (headers, body, status, reason) in table {
        let before = gateway.rejections().of(reason);
        assert_eq!(send(&gateway, "/v1/metrics", &headers, body).await.status, status, "{headers:?}");
        assert_eq!(gateway.rejections().of(reason), before + 1, "{reason:?}");
    }
    assert!(batches(&bus, "telemetry.>").await.is_empty());
    assert_eq!(post(&gateway, "/v1/metrics", PROTOBUF, good).await.status, 200, "nothing else is lost");
    assert_eq!(batches(&bus, "telemetry.east.>").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_some_bad_points_is_a_partial_success() {
    let (gateway, bus) = gateway_on_bus().await;
    let sent = metrics(vec![gauge("x", vec![number(1.0, &[]), number(f64::NAN, &[])])]);
    let answer = post(&gateway, "/v1/metrics", PROTOBUF, sent.encode_to_vec()).await;
    let partial = ExportMetricsServiceResponse::decode(answer.body.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!((answer.status, partial.rejected_data_points, partial.error_message.as_str()), (200, 1, "1 not_finite"));
    assert_eq!(signals(&bus, "telemetry.>").await.len(), 1);
    assert_eq!(gateway.counters()["invalid"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipeline_and_an_absent_bus_ask_to_come_again() {
    let full = gateway(Failing(PortError::Full { what: "the bus".into(), retry_after_ms: 2_500 }), 1 << 20).await;
    let sent = post(&full, "/v1/metrics", PROTOBUF, one_gauge().encode_to_vec()).await;
    assert_eq!((sent.status, sent.retry_after.as_deref()), (429, Some("3")));
    let away = gateway(Failing(PortError::Unavailable { what: "the bus".into(), why: "gone".into() }), 1 << 20).await;
    let sent = post(&away, "/v1/metrics", PROTOBUF, one_gauge().encode_to_vec()).await;
    assert_eq!((sent.status, sent.retry_after.as_deref()), (503, Some("2")));
    assert_eq!((full.counters()["full"], away.counters()["unavailable"]), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_is_published_once_and_a_replay_token_marks_replay() {
    let (gateway, bus) = gateway_on_bus().await;
    for _ in 0..3 {
        assert_eq!(post(&gateway, "/v1/metrics", PROTOBUF, one_gauge().encode_to_vec()).await.status, 200);
    }
    assert_eq!(batches(&bus, "telemetry.>").await.len(), 1);
    let headers = [("authorization", "Bearer replay-token"), ("content-type", PROTOBUF)];
    assert_eq!(send(&gateway, "/v1/metrics", &headers, one_gauge().encode_to_vec()).await.status, 200);
    assert_eq!(batches(&bus, "replay.recorded.shop.metrics").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_as_it_fills_up_pushes_back() {
    let bus = Arc::new(InMemoryBus::new(1));
    let gateway = gateway(BusIngestor::new(Arc::clone(&bus), 4), 1 << 20).await;
    assert_eq!(post(&gateway, "/v1/metrics", PROTOBUF, one_gauge().encode_to_vec()).await.status, 200);
    assert_eq!(post(&gateway, "/v1/logs", PROTOBUF, one_log().encode_to_vec()).await.status, 429);
}
