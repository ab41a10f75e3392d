use super::{EVENT0, gateway_on_bus, signals};
use crate::otlp::GatewayHandle;
use picket_core::signal::Signal;
use picket_core::time::Timestamp;

async fn post(gateway: &GatewayHandle, path: &str, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        client.post(format!("http://{}{path}", gateway.http_addr)).bearer_auth("east-token").header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_falco_event_becomes_a_security_event() {
    let (gateway, bus) = gateway_on_bus().await;
    let body = r#"{"hostname":"node-1","output":"Shell in container","output_fields":{"container.id":"a1","k8s.ns.name":"shop","k8s.pod.name":"cart-7d4b9c6f5-x2x9k","proc.pid":42},
        "priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["container","shell"],"time":"2024-02-29T12:00:00.123456789Z"}"#;
    assert_eq!(post(&gateway, "/falco", body).await, 200);
    let got = signals(&bus, "telemetry.east.shop.events").await;
    let [Signal::Event(event)] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(
        (event.resource.service.to_string().as_str(), event.rule.as_str(), event.priority.as_str()),
        ("east/shop/cart", "Terminal shell in container", "Warning")
    );
    assert_eq!(
        (event.at, event.fields["proc.pid"].as_str(), event.resource.node.as_deref()),
        (Timestamp(1_709_208_000_123), "42", Some("node-1"))
    );
    for bad in ["", "[]", r#"{"rule":"","priority":"x"}"#, r#"{"rule":"r","priority":"p","time":"soon"}"#] {
        assert_eq!(post(&gateway, "/falco", bad).await, 400, "{bad}");
    }
    assert_eq!(post(&gateway, "/falco", r#"{"rule":"r","priority":"p","output_fields":null}"#).await, 200);
    assert!(signals(&bus, "telemetry.east._.events").await[0].at() >= EVENT0);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_become_logs_and_a_resend_is_published_once() {
    let (gateway, bus) = gateway_on_bus().await;
    let body = r#"{"version":"4","groupKey":"g","truncatedAlerts":0,"status":"firing","receiver":"picket","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"x","alerts":[
        {"status":"firing","labels":{"alertname":"KubePodCrashLooping","namespace":"shop","pod":"cart-7d4b9c6f5-x2x9k","service":"kube-state-metrics","severity":"critical"},"annotations":{"description":"Pod restarts"},"startsAt":"2024-02-29T12:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"y","fingerprint":"f1"}]}"#;
    for _ in 0..2 {
        assert_eq!(post(&gateway, "/alertmanager", body).await, 200);
    }
    let got = signals(&bus, "telemetry.east.shop.logs").await;
    let [Signal::Log(log)] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!((log.resource.service.name.as_str(), log.severity, log.body.as_str()), ("cart", 21, "Pod restarts"));
    assert_eq!(
        (log.attributes["alert.label.alertname"].as_str(), log.attributes["alert.status"].as_str()),
        ("KubePodCrashLooping", "firing")
    );
    assert_eq!(post(&gateway, "/alertmanager", r#"{"version":"3","alerts":[]}"#).await, 400);
}
