//! Presses over real HTTP: who may, what counts once, and what the people see.

use super::entries::{ANSWER_MS, START, asking};
use super::ledger::Ledger;
use super::outside::{DEADLINE, Outside, Sent, quick_http};
use super::slack_shape::{all_text, check_body, value_of};
use picket_chatops::approver::PerPerson;
use picket_chatops::bridge::board::Board;
use picket_chatops::bridge::decide::Say;
use picket_chatops::dashboard_link::Dashboard;
use picket_chatops::people::{Directory, PersonName, Role, SlackUser};
use picket_chatops::retry::Backoff;
use picket_chatops::secret::Secret;
use picket_chatops::slack::answered::Answered;
use picket_chatops::slack::button::ButtonKey;
use picket_chatops::slack::client::{SlackClient, Way};
use picket_chatops::slack::interaction::Expected;
use picket_chatops::slack::message::{Scene, message};
use picket_chatops::slack::press::{Desk, Presses};
use picket_chatops::slack::response_url::ResponseOrigin;
use picket_chatops::slack::routes::{Bounds, router};
use picket_chatops::slack::signature::sign;
use picket_core::action::Digest;
use picket_core::coordination::{Command, LedgerEntry};
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A listener for presses with a ledger behind it and a Slack that takes the answers.
pub struct Stage {
    pub ledger: Ledger,
    pub slack: Outside,
    pub entry: LedgerEntry,
    address: SocketAddr,
    now: Arc<AtomicI64>,
    board: Arc<Board>,
    blocks: Value,
    http: reqwest::Client,
}

impl Stage {
    async fn new() -> Self {
        Self::with(Bounds::default(), 64, Duration::from_secs(20)).await
    }

    async fn with(bounds: Bounds, presses: u32, approve_deadline: Duration) -> Self {
        let (ledger, slack, entry) = (Ledger::new(), Outside::start().await, asking("act-7"));
        ledger.set_stop(false, 4);
        ledger.put(entry.clone());
        let board = Arc::new(Board::default());
        board.note(&entry);
        let now = Arc::new(AtomicI64::new(START.0));
        let clock: picket_chatops::Clock = {
            let now = now.clone();
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let key = ButtonKey::new(&[9; 32]);
        let person = |id: &str, name: &str, role| (SlackUser::new(id).unwrap(), PersonName::new(name).unwrap(), role);
        let client = SlackClient::new(quick_http(), Way::webhook(&Secret::new(slack.url("/hook"))).unwrap());
        let desk = Desk {
            signing: Secret::new(SIGNING),
            key: key.clone(),
            directory: Directory::new([
                person("U1KIM", "kim", Role::Approver),
                person("U2LEE", "lee", Role::Approver),
                person("U3VIEW", "ann", Role::Viewer),
                person("U4NOCERT", "bob", Role::Approver),
            ]),
            approver: PerPerson::new(["kim", "lee"].map(|name| (name.to_owned(), ledger.as_person(name)))),
            client: Arc::new(client),
            board: board.clone(),
            expected: Expected {
                team: Some("T1AB".into()),
                app: Some("A1AB".into()),
                origin: ResponseOrigin::new(&slack.url("")).unwrap(),
            },
            dashboard: Dashboard::new("https://picket.example").unwrap(),
            clock: clock.clone(),
            wall: clock,
            approve_deadline,
            backoff: Backoff { base_ms: 5, cap_ms: 20, attempts: 3 },
            answered: Answered::default().into(),
            presses: Presses::new(presses),
        };
        let dashboard = Dashboard::default();
        let scene = Scene { key: Some(&key), dashboard: &dashboard, stop_epoch: 4, now: START };
        let blocks = json!(message(Say::Ask, &entry, scene).blocks);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router(Arc::new(desk), bounds).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { ledger, slack, entry, address, now, board, blocks, http: reqwest::Client::new() }
    }

    fn value(&self, action: &str) -> String {
        value_of(&self.blocks, action).unwrap()
    }

    fn payload(&self, user: &str, action: &str, ts: &str) -> Value {
        json!({
            "type": "block_actions", "api_app_id": "A1AB", "trigger_id": "1.2.3", "team": { "id": "T1AB", "domain": "ops" },
            "user": { "id": user, "username": "someone", "team_id": "T1AB" }, "channel": { "id": "C1AB", "name": "ops" },
            "response_url": self.slack.url(&format!("/respond/{ts}")),
            "actions": [{ "type": "button", "action_id": action, "block_id": "b", "value": self.value(action), "action_ts": ts }],
        })
    }

    fn timestamp(&self) -> String {
        (self.now.load(Ordering::SeqCst) / 1000).to_string()
    }

    async fn send(&self, body: Vec<u8>, timestamp: &str, signature: &str) -> u16 {
        let url = format!("http://{}/slack/interactions", self.address);
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("x-slack-request-timestamp", timestamp).header("x-slack-signature", signature);
        request.timeout(DEADLINE).body(body).send().await.unwrap().status().as_u16()
    }

    /// A request by hand: the end of its head, and its body as far as it comes.
    async fn raw(&self, head: &str, body: &[u8]) -> u16 {
        let mut socket = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = [b"POST /slack/interactions HTTP/1.1\r\nhost: a\r\n", head.as_bytes(), body].concat();
        socket.write_all(&request).await.unwrap();
        let mut answer = [0_u8; 64];
        let read = tokio::time::timeout(DEADLINE, socket.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..read]).split(' ').nth(1).unwrap().parse().unwrap()
    }

    async fn press(&self, payload: &Value) -> u16 {
        let (body, timestamp) = (form(payload), self.timestamp());
        let signature = sign(&Secret::new(SIGNING), &timestamp, &body);
        self.send(body, &timestamp, &signature).await
    }

    /// Presses and waits for what the one who pressed, or the channel, sees.
    async fn press_and_hear(&self, user: &str, action: &str, ts: &str) -> Sent {
        assert_eq!(self.press(&self.payload(user, action, ts)).await, 200);
        self.heard(ts).await
    }

    async fn heard(&self, ts: &str) -> Sent {
        self.slack.wait(&format!("/respond/{ts}"), 1).await.remove(0)
    }
}

fn form(payload: &Value) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish().into_bytes()
}

fn is_whisper(sent: &Sent, needed: &str) {
    assert_eq!((&sent.body["response_type"], &sent.body["replace_original"]), (&json!("ephemeral"), &json!(false)), "{sent:?}");
    assert!(sent.body["text"].as_str().unwrap().contains(needed), "`{needed}` is not in {}", sent.body["text"]);
}

#[tokio::test]
async fn a_yes_is_the_mapped_persons_and_the_buttons_go() {
    let stage = Stage::new().await;
    let sent = stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000100").await;
    let commands = stage.ledger.commands();
    let [(who, _, command)] = commands.as_slice() else { panic!("{commands:?}") };
    let approve = Command::Approve { entry: "act-7".into(), digest: stage.entry.digest.clone(), stop_epoch: 4 };
    assert_eq!((who.as_str(), command), ("kim", &approve));
    assert_eq!(stage.ledger.entry("act-7").approved_by.as_deref(), Some("human:kim"));
    assert_eq!(sent.body["replace_original"], true);
    check_body(&sent.body);
    assert_eq!(value_of(&sent.body["blocks"], "picket_approve"), None);
    let text = all_text(&sent.body);
    assert!(text.contains("Approved: restart east/shop/cart") && text.contains("human:kim"), "{text}");
}

#[tokio::test]
async fn a_no_is_the_mapped_persons_too() {
    let stage = Stage::new().await;
    let sent = stage.press_and_hear("U2LEE", "picket_deny", "1760000000.000100").await;
    assert_eq!(stage.ledger.entry("act-7").state, EntryState::Denied);
    assert!(
        matches!(&stage.ledger.commands()[0], (who, _, Command::Deny { entry, why }) if who == "lee" && entry.as_str() == "act-7" && why.contains("Slack"))
    );
    assert!(all_text(&sent.body).contains("Denied by\nhuman:lee"), "{sent:?}");
}

#[tokio::test]
async fn what_is_not_slacks_changes_nothing() {
    let stage = Stage::new().await;
    let body = form(&stage.payload("U1KIM", "picket_approve", "1760000000.000100"));
    let (now, secret) = (stage.timestamp(), Secret::new(SIGNING));
    let good = sign(&secret, &now, &body);
    let forged = sign(&Secret::new("another secret"), &now, &body);
    let old = (START.0 / 1000 - 301).to_string();
    let replayed = sign(&secret, &old, &body);
    let ahead = (START.0 / 1000 + 301).to_string();
    let early = sign(&secret, &ahead, &body);
    let changed = form(&stage.payload("U2LEE", "picket_approve", "1760000000.000100"));
    for (body, timestamp, signature) in [
        (body.clone(), now.as_str(), forged.as_str()),
        (body.clone(), &old, &replayed),
        (body.clone(), &ahead, &early),
        (changed, &now, &good),
        (body.clone(), "", &good),
        (body.clone(), &now, ""),
        (body.clone(), "now", &good),
        (Vec::new(), &now, &good),
    ] {
        assert_eq!(stage.send(body, timestamp, signature).await, 401, "{timestamp} {signature}");
    }
    let bare = stage.http.post(format!("http://{}/slack/interactions", stage.address)).body(body).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    assert!(stage.ledger.commands().is_empty() && stage.slack.sent("/respond").is_empty());
}

#[tokio::test]
async fn what_is_malformed_or_too_large_is_turned_away() {
    let stage = Stage::new().await;
    let send = async |body: Vec<u8>| {
        let signature = sign(&Secret::new(SIGNING), &stage.timestamp(), &body);
        stage.send(body, &stage.timestamp(), &signature).await
    };
    for body in [&b""[..], b"payload=%7Bnot json", b"payload={}", b"no payload"] {
        assert_eq!(send(body.to_vec()).await, 400);
    }
    let mut elsewhere = stage.payload("U1KIM", "picket_approve", "1760000000.000100");
    elsewhere["response_url"] = json!("https://evil.example/steal");
    assert_eq!(send(form(&elsewhere)).await, 400);
    let mut foreign = stage.payload("U1KIM", "picket_approve", "1760000000.000100");
    foreign["team"]["id"] = json!("T2AB");
    assert_eq!(send(form(&foreign)).await, 400);
    // Said beforehand, and found out while reading.
    assert_eq!(stage.raw("content-length: 300000\r\n\r\n", &[]).await, 413);
    let chunk = [b"40000\r\n".as_slice(), &vec![b'a'; 256 << 10], b"\r\n10\r\n0123456789abcdef\r\n"].concat();
    assert_eq!(stage.raw("transfer-encoding: chunked\r\n\r\n", &chunk).await, 413);
    assert!(stage.ledger.commands().is_empty());
}

#[tokio::test]
async fn a_button_that_was_altered_does_nothing_though_slack_signs_it() {
    let stage = Stage::new().await;
    let other = Digest::of(b"another act").0;
    for (ts, from, to) in
        [("1760000000.000101", stage.entry.digest.0.as_str(), other.as_str()), ("1760000000.000102", "\"stop\":4", "\"stop\":5")]
    {
        let mut payload = stage.payload("U1KIM", "picket_approve", ts);
        payload["actions"][0]["value"] = json!(stage.value("picket_approve").replace(from, to));
        assert_eq!(stage.press(&payload).await, 200);
        is_whisper(&stage.heard(ts).await, "was altered");
    }
    // The value of a no under the name of a yes.
    let mut payload = stage.payload("U1KIM", "picket_approve", "1760000000.000103");
    payload["actions"][0]["value"] = json!(stage.value("picket_deny"));
    assert_eq!(stage.press(&payload).await, 200);
    is_whisper(&stage.heard("1760000000.000103").await, "was altered");
    assert!(stage.ledger.commands().is_empty());
}

#[tokio::test]
async fn a_button_does_not_outlive_its_question() {
    let stage = Stage::new().await;
    stage.now.fetch_add(ANSWER_MS, Ordering::SeqCst);
    let last = stage.press_and_hear("U1KIM", "picket_deny", "1760000000.000101").await;
    assert_eq!(last.body["replace_original"], true, "the last moment counts");
    stage.now.fetch_add(1, Ordering::SeqCst);
    let late = stage.press_and_hear("U2LEE", "picket_approve", "1760000000.000102").await;
    is_whisper(&late, "the time to answer is over");
    assert_eq!(stage.ledger.commands().len(), 1);
}

#[tokio::test]
async fn who_is_not_an_approver_decides_nothing() {
    let stage = Stage::new().await;
    is_whisper(&stage.press_and_hear("U9NOBODY", "picket_approve", "1760000000.000101").await, "not mapped to a person");
    is_whisper(&stage.press_and_hear("U3VIEW", "picket_approve", "1760000000.000102").await, "ann may look and not decide");
    assert!(stage.ledger.commands().is_empty());
    // An approver without a certificate: the settings and the certificates do not fit together.
    is_whisper(&stage.press_and_hear("U4NOCERT", "picket_approve", "1760000000.000103").await, "no certificate for this person");
    assert_eq!(stage.ledger.entry("act-7").state, EntryState::AwaitingApproval);
}

#[tokio::test]
async fn a_second_press_is_told_who_was_first() {
    let stage = Stage::new().await;
    stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await;
    is_whisper(&stage.press_and_hear("U2LEE", "picket_deny", "1760000000.000102").await, "Already decided by kim: approved");
    is_whisper(&stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000103").await, "Already decided by kim: approved");
    assert_eq!(stage.ledger.commands().len(), 1);
    assert_eq!(stage.ledger.entry("act-7").state, EntryState::Approved);
}

#[tokio::test]
async fn where_two_people_must_agree_the_buttons_stay_for_the_second() {
    let stage = Stage::new().await;
    stage.ledger.ask_two_people();
    is_whisper(&stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await, "A second person must say yes too");
    assert_eq!(stage.ledger.entry("act-7").state, EntryState::AwaitingApproval);
    stage.press_and_hear("U2LEE", "picket_approve", "1760000000.000102").await;
    let entry = stage.ledger.entry("act-7");
    assert_eq!((entry.state, entry.first_approved_by.as_deref()), (EntryState::Approved, Some("human:kim")));
    assert_eq!(entry.approved_by.as_deref(), Some("human:lee"));
}

#[tokio::test]
async fn a_delivery_that_comes_again_counts_once() {
    let stage = Stage::new().await;
    let payload = stage.payload("U1KIM", "picket_approve", "1760000000.000101");
    stage.ledger.hold(true);
    for _ in 0..3 {
        assert_eq!(stage.press(&payload).await, 200);
    }
    stage.ledger.hold(false);
    stage.heard("1760000000.000101").await;
    // Another press, so that whatever the repeats would have caused would have happened by now.
    stage.press_and_hear("U2LEE", "picket_approve", "1760000000.000102").await;
    assert_eq!(stage.ledger.commands().len(), 1);
    assert_eq!(stage.slack.sent("/respond/1760000000.000101").len(), 1);
}

#[tokio::test]
async fn a_decision_made_elsewhere_is_told_by_name() {
    let stage = Stage::new().await;
    stage
        .ledger
        .put(LedgerEntry { approved_by: Some("human:max".into()), ..super::entries::moved(stage.entry.clone(), EntryState::Approved) });
    // Before the bridge has heard of it: the coordinator's own words.
    is_whisper(&stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await, "act-7 is Approved, not AwaitingApproval");
    stage.board.note(&stage.ledger.entry("act-7"));
    is_whisper(&stage.press_and_hear("U2LEE", "picket_deny", "1760000000.000102").await, "Already decided by human:max: approved");
}

#[tokio::test]
async fn slack_is_answered_before_a_slow_coordinator() {
    let stage = Stage::new().await;
    stage.ledger.hold(true);
    // The answer comes while the coordinator is held: it cannot have waited for it.
    assert_eq!(stage.press(&stage.payload("U1KIM", "picket_approve", "1760000000.000101")).await, 200);
    assert!(stage.slack.sent("/respond").is_empty());
    assert_eq!(stage.ledger.entry("act-7").state, EntryState::AwaitingApproval);
    stage.ledger.hold(false);
    assert!(all_text(&stage.heard("1760000000.000101").await.body).contains("Approved"));
}

#[tokio::test]
async fn a_coordinator_that_never_answers_is_given_up_and_said_so() {
    let stage = Stage::with(Bounds::default(), 64, Duration::from_millis(20)).await;
    stage.ledger.hold(true);
    let sent = stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await;
    is_whisper(&sent, "Whether it was done is not known");
    let ids: std::collections::BTreeSet<_> = stage.ledger.commands().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!((stage.ledger.commands().len(), ids.len()), (3, 1), "three tries under one request id");
    // The next press is let through: nothing was decided.
    stage.ledger.hold(false);
    assert!(all_text(&stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000102").await.body).contains("human:kim"));
}

#[tokio::test]
async fn a_coordinator_that_is_away_for_a_moment_is_asked_again_under_the_same_id() {
    let stage = Stage::new().await;
    stage.ledger.away(2);
    let sent = stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await;
    assert_eq!(sent.body["replace_original"], true);
    let ids: std::collections::BTreeSet<_> = stage.ledger.commands().into_iter().map(|(_, id, _)| id).collect();
    assert_eq!((stage.ledger.commands().len(), ids.len()), (3, 1));
}

#[tokio::test]
async fn a_refusal_of_the_coordinator_is_told_with_its_reason() {
    let stage = Stage::new().await;
    stage.ledger.set_stop(false, 5);
    is_whisper(&stage.press_and_hear("U1KIM", "picket_approve", "1760000000.000101").await, "The coordinator refused: the consent is void");
    // It decided nothing: a no is still possible.
    assert!(all_text(&stage.press_and_hear("U2LEE", "picket_deny", "1760000000.000102").await.body).contains("human:lee"));
}

#[tokio::test]
async fn a_press_of_what_the_board_does_not_know_is_answered_all_the_same() {
    let stage = Stage::new().await;
    let unknown = LedgerEntry { id: EntryId::from("act-8"), ..stage.entry.clone() };
    stage.ledger.put(unknown.clone());
    let (key, dashboard) = (ButtonKey::new(&[9; 32]), Dashboard::default());
    let blocks = json!(message(Say::Ask, &unknown, Scene { key: Some(&key), dashboard: &dashboard, stop_epoch: 4, now: START }).blocks);
    let mut payload = stage.payload("U1KIM", "picket_approve", "1760000000.000101");
    payload["actions"][0]["value"] = json!(value_of(&blocks, "picket_approve").unwrap());
    assert_eq!(stage.press(&payload).await, 200);
    let sent = stage.heard("1760000000.000101").await;
    check_body(&sent.body);
    assert!(all_text(&sent.body).contains("Approved: act-8"), "{sent:?}");
}

#[tokio::test]
async fn the_link_is_heard_and_health_is_told() {
    let stage = Stage::new().await;
    let mut payload = stage.payload("U3VIEW", "picket_approve", "1760000000.000101");
    payload["actions"][0]["action_id"] = json!("picket_open");
    assert_eq!(stage.press(&payload).await, 200);
    let health = stage.http.get(format!("http://{}/healthz", stage.address)).send().await.unwrap();
    assert_eq!((health.status().as_u16(), health.text().await.unwrap().as_str()), (200, "ok\n"));
    let got = stage.http.get(format!("http://{}/slack/interactions", stage.address)).send().await.unwrap();
    assert_eq!(got.status().as_u16(), 405);
    assert!(stage.ledger.commands().is_empty());
}

#[tokio::test]
async fn too_much_at_once_is_turned_away() {
    let bounds = Bounds { per_s: 0.001, burst: 2.0, ..Bounds::default() };
    let stage = Stage::with(bounds, 64, DEADLINE).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(stage.send(b"x".to_vec(), "1", "v0=").await);
    }
    assert_eq!(statuses, [401, 401, 429]);

    let stage = Stage::with(Bounds::default(), 1, DEADLINE).await;
    stage.ledger.hold(true);
    assert_eq!(stage.press(&stage.payload("U1KIM", "picket_approve", "1760000000.000101")).await, 200);
    assert_eq!(stage.press(&stage.payload("U2LEE", "picket_deny", "1760000000.000102")).await, 503);
    stage.ledger.hold(false);
    stage.heard("1760000000.000101").await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_waited_for() {
    let bounds = Bounds { body_deadline: Duration::from_millis(50), ..Bounds::default() };
    let stage = Stage::with(bounds, 64, DEADLINE).await;
    assert_eq!(stage.raw("content-length: 100\r\n\r\n", b"payl").await, 408);
}
