//! The whole of it, from settings: a scripted ledger on one side, a server that plays all three channels on the other.

use super::entries::{ANSWER_MS, START, asking, mild, moved, through};
use super::ledger::Ledger;
use super::outside::{Outside, Sent, eventually};
use super::slack_shape::{all_text, check_body, value_of};
use picket_chatops::approver::PerPerson;
use picket_chatops::bridge::board::Board;
use picket_chatops::bridge::decide::{Channel, Say};
use picket_chatops::bridge::follow::Follower;
use picket_chatops::bridge::lane::{Deliver, Lane, Subject};
use picket_chatops::bridge::seen::Store;
use picket_chatops::bridge::worker::{Pauses, Worker};
use picket_chatops::retry::Backoff;
use picket_chatops::secret::Secret;
use picket_chatops::service::{ChatOps, Clocks};
use picket_chatops::settings::{ChatOpsSettings, PersonSettings};
use picket_chatops::slack::client::PostRef;
use picket_chatops::slack::signature::sign;
use picket_core::coordination::{Command, LedgerEntry};
use picket_core::ledger::EntryState as S;
use picket_core::ports::{PortError, PortResult};
use picket_core::time::Timestamp;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const SIGNING: &str = "signing-secret-0123456789";
pub const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "xoxb-token-of-the-bot";

/// Settings with all channels, and the files that they name.
pub fn settings(folder: &Path, outside: &Outside) -> ChatOpsSettings {
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let mut settings = ChatOpsSettings { dashboard_url: "https://picket.example".into(), ..ChatOpsSettings::default() };
    let slack = &mut settings.slack;
    slack.bot_token_file = file("bot-token", TOKEN);
    slack.signing_secret_file = file("signing-secret", SIGNING);
    (slack.channel, slack.listen) = ("C1AB".into(), "127.0.0.1:0".into());
    (slack.api_url, slack.response_origin) = (outside.url("/api/"), outside.url(""));
    slack.people = vec![PersonSettings { slack: "U1KIM".into(), person: "kim".into(), role: picket_chatops::people::Role::Approver }];
    settings.teams.webhook = Secret::new(outside.url("/teams"));
    settings.pagerduty.routing_key_file = file("routing-key", ROUTING_KEY);
    settings.pagerduty.url = outside.url("/pagerduty");
    settings
}

/// A run of it.
pub struct Run {
    pub address: Option<SocketAddr>,
    end: oneshot::Sender<()>,
    task: JoinHandle<PortResult<()>>,
}

impl Run {
    pub async fn start(settings: &ChatOpsSettings, folder: &Path, ledger: &Ledger) -> Self {
        let clock: picket_chatops::Clock = Arc::new(|| START);
        let clocks = Clocks { run: clock.clone(), wall: clock };
        let approver = PerPerson::new([("kim".to_owned(), ledger.as_person("kim"))]);
        let chat = ChatOps::start(settings, &folder.join("state"), approver, clocks).await.unwrap();
        let address = chat.address();
        let (end, ended) = oneshot::channel::<()>();
        let ledger = ledger.clone();
        let task = tokio::spawn(async move { chat.run(ledger, async move { drop(ended.await) }).await });
        Self { address, end, task }
    }

    pub async fn stop(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn posts(outside: &Outside) -> usize {
    outside.sent("/api/chat.postMessage").len()
}

fn actions(sent: &[Sent]) -> Vec<String> {
    sent.iter().map(|s| s.body["event_action"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn an_act_is_asked_answered_in_slack_and_ended_on_every_channel() {
    let (folder, outside, ledger) = (tempfile::tempdir().unwrap(), Outside::start().await, Ledger::new());
    ledger.set_stop(false, 4);
    ledger.put(asking("act-7"));
    let run = Run::start(&settings(folder.path(), &outside), folder.path(), &ledger).await;
    let asked = outside.wait("/api/chat.postMessage", 1).await.remove(0);
    check_body(&asked.body);
    outside.wait("/teams", 1).await;
    assert_eq!(actions(&outside.wait("/pagerduty", 1).await), ["trigger"]);

    // The button that was posted is pressed, as Slack would send it.
    let payload = json!({
        "type": "block_actions", "api_app_id": "A1AB", "team": { "id": "T1AB" }, "user": { "id": "U1KIM" },
        "response_url": outside.url("/respond/1"),
        "actions": [{ "type": "button", "action_id": "picket_approve", "action_ts": "1760000000.000100",
            "value": value_of(&asked.body["blocks"], "picket_approve").unwrap() }],
    });
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    let timestamp = (START.0 / 1000).to_string();
    let url = format!("http://{}/slack/interactions", run.address.unwrap());
    let request = reqwest::Client::new().post(url).header("x-slack-request-timestamp", &timestamp);
    let request = request.header("x-slack-signature", sign(&Secret::new(SIGNING), &timestamp, body.as_bytes()));
    assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 200);
    outside.wait("/respond/1", 1).await;
    assert!(matches!(&ledger.commands()[0], (who, _, Command::Approve { stop_epoch: 4, .. }) if who == "kim"));

    let updated = outside.wait("/api/chat.update", 1).await.remove(0);
    assert!(all_text(&updated.body).contains("human:kim") && value_of(&updated.body["blocks"], "picket_approve").is_none());
    for to in [S::Permitted, S::Claimed, S::Observing, S::Settled] {
        ledger.step("act-7", to);
    }
    let ended = outside.wait("/api/chat.update", 2).await.remove(1);
    assert!(all_text(&ended.body).contains("Settled: restart"), "{ended:?}");
    assert_eq!(actions(&outside.wait("/pagerduty", 2).await), ["trigger", "resolve"]);
    assert_eq!(outside.wait("/teams", 3).await.len(), 3);
    assert_eq!(posts(&outside), 1, "one message, changed in place");
    run.stop().await;
}

#[tokio::test]
async fn a_restart_repeats_nothing_and_misses_nothing() {
    let (folder, outside, ledger) = (tempfile::tempdir().unwrap(), Outside::start().await, Ledger::new());
    let settings = settings(folder.path(), &outside);
    ledger.put(asking("act-1"));
    ledger.put(asking("act-2"));
    ledger.put(asking("act-3"));
    let run = Run::start(&settings, folder.path(), &ledger).await;
    for path in ["/api/chat.postMessage", "/teams", "/pagerduty"] {
        outside.wait(path, 3).await;
    }
    // Everything that was sent is noted once its answer came.
    let told = folder.path().join("state/told.json");
    eventually("all is noted", || {
        Store::open(&told).is_ok_and(|s| {
            s.look(|seen| {
                ["act-1", "act-2", "act-3"].iter().all(|id| {
                    seen.of(&(*id).into())
                        .is_some_and(|e| e.told(Channel::Slack).is_some() && e.told(Channel::Teams).is_some() && e.alarm.is_some())
                })
            })
        })
    })
    .await;
    run.stop().await;

    // While nobody follows: one ends, one is forgotten by the ledger, one is new; and the changes are not kept.
    ledger.step("act-1", S::Denied);
    ledger.forget("act-2");
    ledger.put(asking("act-4"));
    ledger.compact();
    let run = Run::start(&settings, folder.path(), &ledger).await;
    let updates = outside.wait("/api/chat.update", 2).await;
    let texts: Vec<_> = updates.iter().map(|u| all_text(&u.body)).collect();
    assert!(texts.iter().any(|t| t.contains("Denied: restart")) && texts.iter().any(|t| t.contains("Over: act-2")), "{texts:?}");
    outside.wait("/api/chat.postMessage", 4).await;
    let events = outside.wait("/pagerduty", 6).await;
    let resolved: Vec<_> = events.iter().filter(|e| e.body["event_action"] == "resolve").map(|e| e.body["dedup_key"].clone()).collect();
    assert_eq!(resolved.len(), 2, "{resolved:?}");
    // A marker behind everything: what would have been repeated would have come before it.
    ledger.put(asking("act-5"));
    outside.wait("/api/chat.postMessage", 5).await;
    outside.wait("/teams", 3 + 2 + 2).await;
    outside.wait("/pagerduty", 7).await;
    run.stop().await;
    assert_eq!((posts(&outside), outside.sent("/teams").len(), outside.sent("/pagerduty").len()), (5, 7, 7));
}

#[tokio::test]
async fn a_channel_that_is_down_holds_up_no_other_and_catches_up() {
    let (folder, outside, ledger) = (tempfile::tempdir().unwrap(), Outside::start().await, Ledger::new());
    outside.set_down("/teams", true);
    outside.set_down("/api", true);
    let run = Run::start(&settings(folder.path(), &outside), folder.path(), &ledger).await;
    ledger.put(asking("act-1"));
    outside.wait("/teams", 1).await;
    outside.wait("/api", 1).await;
    outside.wait("/pagerduty", 1).await;
    ledger.step("act-1", S::Denied);
    ledger.put(asking("act-2"));
    // PagerDuty hears all of it while the chats are down.
    assert_eq!(actions(&outside.wait("/pagerduty", 3).await), ["trigger", "resolve", "trigger"]);
    outside.set_down("/teams", false);
    outside.set_down("/api", false);
    let is_asked = |path: &str, id: &str| outside.sent(path).iter().any(|s| s.body.to_string().contains(id));
    eventually("the question that still stands is put", || is_asked("/teams", "act-2") && is_asked("/api", "act-2")).await;
    run.stop().await;
}

#[tokio::test]
async fn under_stop_nothing_is_asked_and_afterwards_with_the_epoch_that_counts() {
    let (folder, outside, ledger) = (tempfile::tempdir().unwrap(), Outside::start().await, Ledger::new());
    let store = Arc::new(Store::open(folder.path().join("told.json")).unwrap());
    let lane = Arc::new(Lane::new(Channel::Slack, 8));
    let mut follower = Follower::new(ledger.clone(), Arc::default(), store, vec![lane.clone()], Arc::new(|| START)).watching_ms(1);
    ledger.set_stop(true, 5);
    ledger.put(mild(asking("act-1")));
    follower.step().await.unwrap();
    assert!(lane.is_idle(), "nothing is asked under STOP");
    ledger.set_stop(false, 6);
    follower.step().await.unwrap();
    let item = lane.take().await;
    assert_eq!((item.subject.id().as_str(), item.stop_epoch), ("act-1", 6));
    assert!(outside.sent("/").is_empty());
}

#[tokio::test]
async fn an_old_change_that_comes_after_a_whole_reading_is_no_news() {
    let (folder, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
    let store = Arc::new(Store::open(folder.path().join("told.json")).unwrap());
    let lane = Arc::new(Lane::new(Channel::Slack, 8));
    let board = Arc::new(Board::default());
    let mut follower = Follower::new(ledger.clone(), board.clone(), store, vec![lane.clone()], Arc::new(|| START)).watching_ms(1);
    let denied = moved(mild(asking("act-1")), S::Denied);
    board.note(&denied);
    ledger.put(mild(asking("act-1")));
    follower.step().await.unwrap();
    assert!(lane.is_idle());
    assert_eq!(board.get(&"act-1".into()).unwrap().state, S::Denied);
}

/// A channel in memory: says what it is told to, or fails as told.
#[derive(Clone, Default)]
struct Mouth {
    said: Arc<Mutex<Vec<(Say, String)>>>,
    fails: Arc<Mutex<Vec<PortError>>>,
}

impl Deliver for Mouth {
    fn channel(&self) -> Channel {
        Channel::Slack
    }

    async fn say(&self, say: Say, subject: &Subject, _: u64, _: Option<&PostRef>) -> PortResult<Option<PostRef>> {
        if let Some(error) = self.fails.lock().unwrap().pop() {
            return Err(error);
        }
        self.said.lock().unwrap().push((say, subject.id().to_string()));
        Ok(Some(PostRef { channel: "C".into(), ts: "1".into() }))
    }
}

struct Bench {
    ledger: Ledger,
    lane: Arc<Lane>,
    mouth: Mouth,
    follower: Follower<Ledger>,
    now: Arc<AtomicI64>,
    worker: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(max: usize) -> Self {
        let (folder, ledger, mouth) = (tempfile::tempdir().unwrap(), Ledger::new(), Mouth::default());
        let store = Arc::new(Store::open(folder.path().join("told.json")).unwrap());
        let lane = Arc::new(Lane::new(Channel::Slack, max));
        let now = Arc::new(AtomicI64::new(START.0));
        let clock: picket_chatops::Clock = {
            let now = now.clone();
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let follower = Follower::new(ledger.clone(), Arc::default(), store.clone(), vec![lane.clone()], clock.clone()).watching_ms(20);
        let pauses = Pauses { down: Backoff { base_ms: 5, cap_ms: 20, attempts: u32::MAX }, refused: Duration::from_millis(10) };
        let worker = Worker { deliver: mouth.clone(), lane: lane.clone(), store, clock, pauses };
        let worker = tokio::spawn(worker.run());
        Self { ledger, lane, mouth, follower, now, worker, _folder: folder }
    }

    fn said(&self) -> Vec<(Say, String)> {
        self.mouth.said.lock().unwrap().clone()
    }

    async fn settled(&self) {
        eventually("the lane is idle", || self.lane.is_idle()).await;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

#[tokio::test]
async fn a_question_that_is_refused_is_put_until_it_is_taken_and_news_are_left_out() {
    let mut bench = Bench::new(8);
    let refused = || PortError::Refused { what: "Slack".into(), why: "invalid_blocks".into() };
    *bench.mouth.fails.lock().unwrap() = vec![refused(), refused(), refused()];
    bench.ledger.put(asking("act-1"));
    bench.follower.step().await.unwrap();
    bench.settled().await;
    assert_eq!(bench.said(), [(Say::Ask, "act-1".to_owned())]);
    bench.mouth.fails.lock().unwrap().push(refused());
    bench.ledger.step("act-1", S::Denied);
    bench.follower.step().await.unwrap();
    bench.settled().await;
    assert_eq!(bench.said().len(), 1, "what was refused is left out, and not tried for ever");
}

#[tokio::test]
async fn a_question_whose_time_is_over_is_not_put_for_ever() {
    let mut bench = Bench::new(8);
    let refused = || PortError::Refused { what: "Slack".into(), why: "invalid_blocks".into() };
    *bench.mouth.fails.lock().unwrap() = vec![refused(); 2000];
    bench.ledger.put(asking("act-1"));
    bench.follower.step().await.unwrap();
    bench.now.fetch_add(ANSWER_MS, Ordering::SeqCst);
    bench.settled().await;
    assert_eq!(bench.said(), []);
}

#[tokio::test]
async fn more_questions_than_a_queue_holds_are_all_put_in_the_end() {
    let mut bench = Bench::new(2);
    *bench.mouth.fails.lock().unwrap() = vec![PortError::Timeout { what: "Slack".into() }; 3];
    for n in 0..7 {
        bench.ledger.put(asking(&format!("act-{n}")));
    }
    // Rounds go on, as they do: each that finds room brings what found none.
    for _ in 0..200 {
        bench.follower.step().await.unwrap();
        if bench.said().len() == 7 {
            break;
        }
    }
    let mut asked: Vec<_> = bench.said().into_iter().map(|(say, id)| (say == Say::Ask, id)).collect();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), bench.said().len()), (7, 7), "{asked:?}");
    assert!(bench.ledger.whole_readings() > 1);
}

#[tokio::test]
async fn a_story_told_state_by_state_or_all_at_once_ends_the_same() {
    let way = [S::Approved, S::Permitted, S::Claimed, S::Indeterminate, S::Settled];
    let mut slow = Bench::new(8);
    slow.ledger.put(asking("act-1"));
    slow.follower.step().await.unwrap();
    slow.settled().await;
    for to in way {
        slow.ledger.step("act-1", to);
        slow.follower.step().await.unwrap();
        slow.settled().await;
    }
    let says: Vec<_> = slow.said().into_iter().map(|(say, _)| say).collect();
    assert_eq!(says, [Say::Ask, Say::Answered, Say::Page, Say::Over]);

    let mut fast = Bench::new(8);
    fast.ledger.put(asking("act-1"));
    fast.follower.step().await.unwrap();
    fast.settled().await;
    let last: LedgerEntry = through(asking("act-1"), &way);
    fast.ledger.put(last);
    fast.follower.step().await.unwrap();
    fast.settled().await;
    let says: Vec<_> = fast.said().into_iter().map(|(say, _)| say).collect();
    assert_eq!(says, [Say::Ask, Say::Over]);
}
