use super::*;
use crate::faults::{FaultKind, RemedyLuck};
use crate::scenario::{Scenario, schedule};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

/// A gateway that answers 503 to the first request of each path, as one that is just starting does, and keeps what it accepts.
fn gateway(accepted: mpsc::Sender<(String, String)>) -> Router {
    let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    Router::new().fallback(move |request: axum::extract::Request| {
        let (accepted, seen) = (accepted.clone(), seen.clone());
        async move {
            let path = request.uri().path().to_owned();
            let token = request.headers().get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            if seen.lock().unwrap().insert(path.clone()) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let _ = accepted.send((path, token));
            StatusCode::OK
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_sends_telemetry_keeps_the_truth_and_answers_a_page() {
    let (sent, received) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway_http = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, gateway(sent)).await });
    let directory = tempfile::tempdir().unwrap();
    let truth_path = directory.path().join("truth.jsonl");
    let mut plans = schedule(Scenario::OneOom, 1, &["east".into()], 300.0, 5.0);
    plans[0].luck = RemedyLuck::Works;
    // The clock jumps by two seconds with every look at it: a fast run.
    let ticks = AtomicI64::new(0);
    let config = SimConfig {
        cluster: "east".into(),
        seed: 1,
        clock: Arc::new(move || Timestamp(ticks.fetch_add(2_000, Ordering::Relaxed))),
        start: Timestamp(0),
        gateway_http,
        token: "secret".into(),
        api_listen: "127.0.0.1:0".parse().unwrap(),
        api_tokens: ApiTokens { read: "r".into(), write: "w".into() },
        control_listen: "127.0.0.1:0".parse().unwrap(),
        truth_path: truth_path.clone(),
        plans,
        parameters: Scenario::OneOom.parameters(),
    };
    let simulation = Simulation::prepare(config).await.unwrap();
    let control = format!("http://{}", simulation.control_address().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(simulation.run(async move {
        let _ = stopped.await;
    }));
    let client = reqwest::Client::new();
    let first = tokio::task::spawn_blocking(move || received.recv_timeout(Duration::from_secs(30))).await.unwrap().unwrap();
    assert_eq!(first, ("/v1/metrics".to_owned(), "Bearer secret".to_owned()));
    let page = serde_json::to_string(&Page { service: "recommendations".into() }).unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let request = client.post(format!("{control}/page")).header("content-type", "application/json").body(page.clone());
            request.send().await.unwrap().error_for_status().unwrap();
            let truths: Vec<TruthRecord> = client.get(format!("{control}/truth")).send().await.unwrap().json().await.unwrap();
            if let Some(truth) = truths.into_iter().find(|t| t.sli_back.is_some()) {
                return truth;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!((closed.kind, closed.remedied_by), (FaultKind::OomKill, Some(crate::truth::Remedier::Person)));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    let written = crate::truth::read(&std::fs::read_to_string(truth_path).unwrap()).unwrap();
    assert_eq!(written, vec![closed]);
}
