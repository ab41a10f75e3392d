//! The OpenTelemetry Python SDK sends metrics, traces and logs over gRPC and HTTP, and they are found in JetStream.

use picket_adapters::clock::RunClock;
use picket_adapters::nats::{JetStreamBus, StreamSettings, server};
use picket_adapters::otlp::{BusIngestor, GatewayConfig, TokenGrant, serve};
use picket_core::ports::{Bus, Subscription};
use picket_core::signal::{LogRecord, MetricPoint, MetricValue, Signal, Span, SpanKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_telemetry_is_found_in_jetstream() {
    let python = virtual_environment();
    let dir = tempfile::tempdir().expect("a folder for nats-server");
    let nats = server::spawn(dir.path(), 0).expect("nats-server");
    let bus = Arc::new(JetStreamBus::connect(&nats.url(), StreamSettings::default()).await.expect("JetStream"));
    let tokens = BTreeMap::from([("east-token".to_owned(), TokenGrant { cluster: "east".into(), replay: false })]);
    let gateway =
        serve(GatewayConfig::local(tokens, RunClock::real()), Arc::new(BusIngestor::new(Arc::clone(&bus), 64))).await.expect("gateway");
    for (protocol, address, compression) in [
        ("grpc", gateway.grpc_addr, "none"),
        ("grpc", gateway.grpc_addr, "gzip"),
        ("http", gateway.http_addr, "none"),
        ("http", gateway.http_addr, "gzip"),
    ] {
        let service = format!("{protocol}-{compression}");
        send(&python, &[protocol, &format!("http://{address}"), "east-token", &service, compression]).await;
        let from = Subscription { durable: format!("sdk-{service}"), filter: "telemetry.east.shop.>".into() };
        let deliveries = bus.pull(&from, 1_000, 5_000).await.expect("pull");
        let signals = deliveries.into_iter().flat_map(|delivery| delivery.batch.expect("a batch").signals.clone());
        check(&signals.filter(|signal| signal.resource().service.name == service).collect::<Vec<_>>(), &service);
    }
    assert!(gateway.counters().is_empty(), "nothing was turned away: {:?}", gateway.counters());
    gateway.shutdown().await;
}

fn check(signals: &[Signal], service: &str) {
    let metric = |name: &str| -> &MetricPoint {
        signals
            .iter()
            .find_map(|s| if let Signal::Metric(m) = s { (m.name == name).then_some(m) } else { None })
            .unwrap_or_else(|| panic!("{service}: no {name}"))
    };
    let requests = metric("requests");
    assert!(matches!(requests.value, MetricValue::Sum { value: 5.0, monotonic: true, .. }), "{requests:?}");
    assert_eq!((requests.attributes["route"].as_str(), requests.resource.service.cluster.as_str()), ("/", "east"));
    assert_eq!(metric("k8s.container.restarts").value, MetricValue::Gauge { value: 3.0 }, "the conventions' name is mapped");
    assert_eq!(metric("queue.length").value, MetricValue::Gauge { value: 7.5 });
    for (name, observations) in [("http.server.request.duration", 1), ("exponential.duration", 4)] {
        match &metric(name).value {
            MetricValue::Histogram { bounds, counts, count, .. } => {
                assert_eq!(
                    (*count, counts.len(), counts.iter().sum::<u64>()),
                    (observations, bounds.len() + 1, observations),
                    "{service}: {name}"
                );
            }
            other => panic!("{service}: {name} is {other:?}"),
        }
    }
    let spans: Vec<&Span> = signals.iter().filter_map(|s| if let Signal::Span(span) = s { Some(span) } else { None }).collect();
    let client = spans.iter().find(|span| span.kind == SpanKind::Client).unwrap_or_else(|| panic!("{service}: no client span"));
    let parent = spans.iter().find(|span| span.kind == SpanKind::Server).unwrap_or_else(|| panic!("{service}: no server span"));
    assert_eq!(
        (client.parent_span_id.as_str(), client.peer_service.as_deref(), client.error),
        (parent.span_id.as_str(), Some("stock"), true)
    );
    let logs: Vec<&LogRecord> = signals.iter().filter_map(|s| if let Signal::Log(log) = s { Some(log) } else { None }).collect();
    assert_eq!(logs.len(), 1, "{service}: one log record");
    assert_eq!(
        (logs[0].body.as_str(), logs[0].severity, logs[0].attributes["k8s.event.reason"].as_str()),
        ("stock is away", 17, "BackOff")
    );
}

async fn send(python: &Path, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(python);
    command.arg(format!("{HERE}/send_otlp.py")).args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), command.output())
        .await
        .expect("the SDK ends in time")
        .expect("python runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The interpreter of a virtual environment with the pinned packages, made once and kept in the user's cache directory.
fn virtual_environment() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .expect("a home directory");
    let venv = cache.join("picket").join("venv-otlp");
    let python = venv.join("bin").join("python");
    let requirements = format!("{HERE}/requirements.txt");
    let wanted = std::fs::read(&requirements).expect("tests/python/requirements.txt");
    // Written last: an environment that was interrupted while it was made has none.
    let stamp = venv.join("requirements.installed");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
        "install Python 3 with venv (Debian, Ubuntu: `apt-get install python3-venv`)",
    );
    run(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &requirements]),
        "pip needs a package index that it can reach",
    );
    std::fs::write(stamp, wanted).expect("the virtual environment can be written to");
    python
}

fn run(command: &mut Command, otherwise: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {otherwise}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}: {otherwise}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
