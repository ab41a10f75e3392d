use super::requests::{gauge, metrics, number, one_gauge, one_log, one_span};
use super::{Failing, gateway, gateway_on_bus, signals};
use crate::otlp::GatewayHandle;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use picket_core::ports::PortError;
use picket_core::signal::Signal;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;
use tonic::{Code, Request};

async fn channel(gateway: &GatewayHandle) -> Channel {
    Channel::from_shared(format!("http://{}", gateway.grpc_addr)).unwrap().connect().await.unwrap()
}

fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", "Bearer east-token".parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_services_take_plain_and_gzip() {
    let (gateway, bus) = gateway_on_bus().await;
    let channel = channel(&gateway).await;
    let answer = MetricsServiceClient::new(channel.clone()).export(with_token(one_gauge())).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    TraceServiceClient::new(channel.clone()).send_compressed(Gzip).accept_compressed(Gzip).export(with_token(one_span())).await.unwrap();
    LogsServiceClient::new(channel).send_compressed(Gzip).export(with_token(one_log())).await.unwrap();
    let got = signals(&bus, "telemetry.east.shop.>").await;
    assert!(matches!(got.as_slice(), [Signal::Metric(_), Signal::Span(_), Signal::Log(_)]), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_status_and_is_counted() {
    let (gateway, bus) = gateway_on_bus().await;
    let channel = channel(&gateway).await;
    let mut client = MetricsServiceClient::new(channel.clone());
    assert_eq!(client.export(one_gauge()).await.unwrap_err().code(), Code::Unauthenticated);
    let wide = metrics(vec![gauge("x", (0..60_000).map(|n| number(f64::from(n), &[])).collect())]);
    let too_large = client.export(with_token(wide.clone())).await.unwrap_err();
    assert_eq!(too_large.code(), Code::OutOfRange, "{too_large}");
    let packed = MetricsServiceClient::new(channel.clone()).send_compressed(Gzip).export(with_token(wide)).await.unwrap_err();
    assert!(matches!(packed.code(), Code::ResourceExhausted | Code::OutOfRange), "{packed}");
    assert_eq!(malformed(&gateway).await, Code::InvalidArgument);
    let counters = gateway.counters();
    assert_eq!((counters["unauthenticated"], counters["too_large"], counters["malformed"]), (1, 2, 1), "{counters:?}");
    assert!(signals(&bus, "telemetry.>").await.is_empty());
    client.export(with_token(one_gauge())).await.unwrap();
    assert_eq!(signals(&bus, "telemetry.east.>").await.len(), 1, "nothing else is lost");
}

/// A message that is no metrics request, by a hand-made HTTP/2 call.
async fn malformed(gateway: &GatewayHandle) -> Code {
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", gateway.grpc_addr);
    let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers").bearer_auth("east-token");
    let response = request.body(vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff]).send().await.unwrap();
    Code::from_bytes(response.headers()["grpc-status"].as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_success_says_how_many() {
    let (gateway, _bus) = gateway_on_bus().await;
    let sent = metrics(vec![gauge("x", vec![number(1.0, &[]), number(f64::NAN, &[])])]);
    let answer = MetricsServiceClient::new(channel(&gateway).await).export(with_token(sent)).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.unwrap().rejected_data_points, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipeline_is_unavailable_with_a_delay() {
    let gateway = gateway(Failing(PortError::Full { what: "the bus".into(), retry_after_ms: 2_500 }), 1 << 20).await;
    let status = MetricsServiceClient::new(channel(&gateway).await).export(with_token(one_gauge())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.metadata().get("retry-after").unwrap(), "3");
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
}
