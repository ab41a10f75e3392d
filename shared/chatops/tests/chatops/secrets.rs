//! No secret shows: not in what is logged at the finest level, through a whole story with failures in it, and not in any `Debug`.

use super::bridge::{ROUTING_KEY, Run, SIGNING, TOKEN, settings};
use super::entries::{START, asking};
use super::ledger::Ledger;
use super::outside::Outside;
use picket_chatops::secret::Secret;
use picket_chatops::slack::client::Way;
use picket_chatops::slack::signature::sign;
use picket_core::ledger::EntryState;
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_that_is_logged_holds_a_secret() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(written.clone()).finish();
    // Of this thread, which runs everything below: a test's runtime has no other.
    let _guard = tracing::subscriber::set_default(subscriber);

    let (folder, outside, ledger) = (tempfile::tempdir().unwrap(), Outside::start().await, Ledger::new());
    let mut settings = settings(folder.path(), &outside);
    settings.teams.webhook = Secret::new(outside.url("/teams/workflow-secret"));
    outside.script("/teams/workflow-secret", 400, None, "bad card");
    outside.script("/api/chat.postMessage", 200, None, r#"{"ok":false,"error":"invalid_auth"}"#);
    outside.script("/pagerduty", 500, None, "");
    tracing::info!(?settings, "as they are");
    ledger.put(asking("act-7"));
    let run = Run::start(&settings, folder.path(), &ledger).await;
    outside.wait("/api/chat.postMessage", 1).await;
    outside.wait("/teams", 1).await;
    outside.wait("/pagerduty", 2).await;

    let payload = json!({
        "type": "block_actions", "user": { "id": "U1KIM" }, "response_url": outside.url("/respond/response-secret"),
        "actions": [{ "action_id": "picket_approve", "action_ts": "1760000000.000100", "value": "forged" }],
    });
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    let timestamp = (START.0 / 1000).to_string();
    let good = sign(&Secret::new(SIGNING), &timestamp, body.as_bytes());
    outside.script("/respond/response-secret", 404, None, "used up");
    for (signature, status) in [("v0=00", 401), (good.as_str(), 200)] {
        let url = format!("http://{}/slack/interactions", run.address.unwrap());
        let request = reqwest::Client::new().post(url).header("x-slack-request-timestamp", &timestamp);
        let answer = request.header("x-slack-signature", signature).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    outside.wait("/respond", 1).await;
    ledger.step("act-7", EntryState::Denied);
    outside.wait("/pagerduty", 3).await;
    run.stop().await;

    let key = hex::encode(std::fs::read(folder.path().join("state/button.key")).unwrap());
    let log = String::from_utf8_lossy(&written.0.lock().unwrap()).into_owned();
    assert!(log.contains("a press in Slack was refused") && log.contains("invalid_auth") && log.contains("not Slack's"), "{log}");
    for secret in [TOKEN, SIGNING, ROUTING_KEY, "workflow-secret", "response-secret", &key, &good] {
        assert!(!log.contains(secret), "{secret} is in the log: {}", log.lines().find(|l| l.contains(secret)).unwrap_or_default());
    }
}

#[test]
fn no_debug_text_holds_a_secret() {
    let webhook = Way::webhook(&Secret::new("https://hooks.slack.com/services/secret")).unwrap();
    let bot = Way::bot(Secret::new("xoxb-secret"), "C1AB", "https://slack.com/api/").unwrap();
    for shown in [format!("{webhook:?}"), format!("{bot:?}")] {
        assert!(!shown.contains("secret"), "{shown}");
    }
}
