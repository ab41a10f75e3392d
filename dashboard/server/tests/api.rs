//! The API over real HTTP: snapshot, live changes with resume, buttons, and who is turned away.

mod fake;

use fake::{Running, story};
use picket_core::coordination::Command;
use picket_core::ledger::EntryState;
use picket_core::severity::Severity;
use picket_dashboard_server::wire::{Delta, Snapshot};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const ACT: &str = "content-type: application/json\r\nx-picket: 1\r\n";

async fn open(running: &Running, request: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let (host, length) = (running.address, body.len());
    let text = format!("{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Status and everything after the head.
async fn ask(running: &Running, request: &str, headers: &str, body: &str) -> (u16, String) {
    let mut text = String::new();
    open(running, request, headers, body).await.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

async fn snapshot(running: &Running) -> Snapshot {
    let (status, text) = ask(running, "GET /api/snapshot", "", "").await;
    assert_eq!(status, 200);
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Server-sent events, one by one: (event, id, data).
struct Events(BufReader<TcpStream>);

impl Events {
    async fn listen(running: &Running, last: Option<u64>) -> Self {
        let resume = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        Self(BufReader::new(open(running, "GET /api/events", &resume, "").await))
    }

    async fn next(&mut self) -> (String, u64, String) {
        let (mut event, mut id, mut data) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut line)).await.expect("an event").unwrap();
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut event),
                Some(("id", value)) => id = value.parse().unwrap(),
                Some(("data", value)) => value.clone_into(&mut data),
                _ if line.trim().is_empty() && !data.is_empty() => return (event, id, data),
                _ => {}
            }
        }
    }

    /// Changes until one satisfies the test; a clock that ticks for ever is no reason to wait for ever.
    async fn until(&mut self, found: impl Fn(&Delta) -> bool) -> u64 {
        let search = async {
            loop {
                let (event, id, data) = self.next().await;
                assert_eq!(event, "delta");
                if found(&serde_json::from_str(&data).unwrap()) {
                    return id;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), search).await.expect("the change that was waited for")
    }
}

#[tokio::test]
async fn a_reader_gets_everything_then_changes_and_resumes_without_a_gap() {
    let running = fake::start().await;
    let mut events = Events::listen(&running, None).await;
    let (event, first, data) = events.next().await;
    assert_eq!(event, "snapshot");
    assert_eq!(serde_json::from_str::<Snapshot>(&data).unwrap().safety.violations.len(), 12);

    story::tell(&running.bus, &story::detected("inc-1", "cart")).await;
    let seen = events.until(|d| d.incidents.iter().any(|i| i.id == "inc-1")).await;
    assert!(seen > first);
    drop(events);

    story::tell(&running.bus, &story::detected("inc-2", "search")).await;
    let mut again = Events::listen(&running, Some(seen)).await;
    let (event, next, data) = again.next().await;
    assert_eq!((event.as_str(), next), ("delta", seen + 1), "no change is missed and none told twice");
    let second = |d: &Delta| d.incidents.iter().any(|i| i.id == "inc-2");
    if !second(&serde_json::from_str(&data).unwrap()) {
        again.until(second).await;
    }

    let (event, _, _) = Events::listen(&running, Some(7)).await.next().await;
    assert_eq!(event, "snapshot", "a number of an earlier process gets everything");
    running.end().await;
}

#[tokio::test]
async fn a_person_approves_exactly_what_was_shown() {
    let running = fake::start().await;
    let mut events = Events::listen(&running, None).await;
    let record = story::diagnosed(story::detected("inc-1", "cart"), "cart runs out of memory.");
    running.coordinator.put(story::entry("act-1", &record, EntryState::AwaitingApproval, Severity::Two));
    events.next().await;
    events.until(|d| d.entries.iter().any(|e| e.id == "act-1")).await;
    let shown = snapshot(&running).await;
    let entry = &shown.entries[0];
    assert_eq!(entry.can, ["approve", "deny"]);
    assert_eq!(entry.asked_because, "you are asked because severity is 2");
    assert!(shown.headline.text.contains("1 act waits for your answer"), "{}", shown.headline.text);

    let body = |digest: &str| format!(r#"{{"request_id":"0123456789","digest":"{digest}","stop_epoch":0}}"#);
    let (status, text) = ask(&running, "POST /api/entries/act-1/approve", ACT, &body("another")).await;
    assert_eq!(status, 409, "{text}");
    for _ in 0..2 {
        let (status, text) = ask(&running, "POST /api/entries/act-1/approve", ACT, &body(&entry.digest)).await;
        assert_eq!(status, 200, "{text}");
    }
    let (status, _) = ask(&running, "POST /api/entries/act-9/approve", ACT, &body(&entry.digest)).await;
    assert_eq!(status, 404);
    let heard = running.coordinator.heard();
    assert_eq!(heard.len(), 1, "a retry is answered, not done again: {heard:?}");
    assert!(matches!(&heard[0], Command::Approve { digest, stop_epoch: 0, .. } if digest.0 == entry.digest));
    events.until(|d| d.entries.iter().any(|e| e.state.id == "approved")).await;
    running.end().await;
}

#[tokio::test]
async fn stop_and_resume_go_through_and_bad_requests_do_not() {
    let running = fake::start().await;
    let id = r#"{"request_id":"stop-0123456"}"#;
    assert_eq!(ask(&running, "POST /api/stop", "content-type: application/json\r\n", id).await.0, 403);
    assert_eq!(ask(&running, "POST /api/stop", &format!("{ACT}origin: http://evil.example\r\n"), id).await.0, 403);
    assert_eq!(ask(&running, "POST /api/stop", ACT, r#"{"request_id":"x"}"#).await.0, 400);
    assert_eq!(ask(&running, "POST /api/stop", ACT, "not json").await.0, 400);
    assert_eq!(ask(&running, "POST /api/stop", ACT, &format!(r#"{{"why":"{}"}}"#, "x".repeat(20_000))).await.0, 413);
    assert!(running.coordinator.heard().is_empty());

    let mut events = Events::listen(&running, None).await;
    events.next().await;
    assert_eq!(ask(&running, "POST /api/stop", ACT, id).await.0, 200);
    events.until(|d| d.safety.as_ref().is_some_and(|s| s.stop.set && s.agents.iter().all(|a| a.phase == "observe"))).await;
    assert!(snapshot(&running).await.headline.text.starts_with("STOP is set"));
    let resume = |shown| format!(r#"{{"request_id":"resume-01234{shown}","stop_epoch":{shown}}}"#);
    assert_eq!(ask(&running, "POST /api/resume", ACT, &resume(0)).await.0, 409, "the page is older than this STOP");
    assert_eq!(ask(&running, "POST /api/resume", ACT, &resume(1)).await.0, 200);
    events.until(|d| d.safety.as_ref().is_some_and(|s| !s.stop.set)).await;
    running.end().await;
}

#[tokio::test]
async fn a_silent_coordinator_and_an_unreadable_record_are_said_not_hidden() {
    use picket_core::ports::Bus as _;
    let running = fake::start().await;
    let mut events = Events::listen(&running, None).await;
    events.next().await;
    running.bus.put("incident.inc-bad", b"{]".to_vec()).await.unwrap();
    story::tell(&running.bus, &story::detected("inc-1", "cart")).await;
    events.until(|d| d.incidents.iter().any(|i| i.id == "inc-1")).await;
    assert_eq!(snapshot(&running).await.incidents.len(), 1);

    running.coordinator.set_down(true);
    events.until(|d| d.clock.as_ref().is_some_and(|c| c.fault.contains("no leader"))).await;
    assert_eq!(snapshot(&running).await.safety.agents.len(), 3, "the last figures stay");
    running.coordinator.set_down(false);
    events.until(|d| d.clock.as_ref().is_some_and(|c| c.fault.is_empty())).await;
    running.end().await;
}

#[tokio::test]
async fn every_answer_carries_the_content_policy() {
    let running = fake::start().await;
    for path in ["/", "/api/snapshot", "/nothing"] {
        let (_, text) = ask(&running, &format!("GET {path}"), "", "").await;
        assert!(
            text.to_lowercase().contains("content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"),
            "{text}"
        );
        assert!(!text.contains("unsafe-inline"));
    }
    running.end().await;
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let config = picket_dashboard_server::DashboardConfig { listen: ([0, 0, 0, 0], 0).into(), ..Default::default() };
    let refused = picket_dashboard_server::Dashboard::bind(config).await.err().expect("refused");
    assert!(refused.to_string().contains("127.0.0.1"), "{refused}");
}
