//! What is sent to Slack, Teams and PagerDuty, as they see it, and what becomes of their answers.

use super::entries::{START, asking, moved};
use super::message::check_card;
use super::outside::{Outside, quick_http};
use super::slack_shape::check_body;
use picket_chatops::bridge::decide::Say;
use picket_chatops::bridge::lane::{Deliver as _, Subject};
use picket_chatops::dashboard_link::Dashboard;
use picket_chatops::http::Http;
use picket_chatops::pagerduty::delivery::PagerDutyDelivery;
use picket_chatops::retry::Backoff;
use picket_chatops::secret::Secret;
use picket_chatops::slack::button::ButtonKey;
use picket_chatops::slack::client::{PostRef, SlackClient, Way};
use picket_chatops::slack::delivery::SlackDelivery;
use picket_chatops::teams::delivery::TeamsDelivery;
use picket_core::coordination::LedgerEntry;
use picket_core::ledger::EntryState;
use picket_core::ports::PortError;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

fn clock() -> picket_chatops::Clock {
    Arc::new(|| START)
}

fn dashboard() -> Dashboard {
    Dashboard::new("https://picket.example").unwrap()
}

fn bot(outside: &Outside) -> SlackDelivery {
    let way = Way::bot(Secret::new("xoxb-1"), "C1AB", &outside.url("/api/")).unwrap();
    slack(way)
}

fn slack(way: Way) -> SlackDelivery {
    let client = Arc::new(SlackClient::new(quick_http(), way));
    SlackDelivery { client, key: Some(ButtonKey::new(&[1; 32])), dashboard: dashboard(), clock: clock() }
}

fn teams(outside: &Outside) -> TeamsDelivery {
    TeamsDelivery::new(quick_http(), &Secret::new(outside.url("/teams")), dashboard(), clock()).unwrap()
}

fn pagerduty(outside: &Outside) -> PagerDutyDelivery {
    PagerDutyDelivery::new(quick_http(), &outside.url("/pagerduty"), Secret::new(ROUTING_KEY), dashboard(), clock()).unwrap()
}

fn subject(entry: LedgerEntry) -> Subject {
    Subject::Entry(Box::new(entry))
}

fn question() -> Subject {
    subject(asking("act-7"))
}

fn answered() -> Subject {
    subject(moved(asking("act-7"), EntryState::Approved))
}

#[tokio::test]
async fn a_bot_posts_with_its_token_and_changes_what_it_posted() {
    let outside = Outside::start().await;
    let slack = bot(&outside);
    let post = slack.say(Say::Ask, &question(), 4, None).await.unwrap().unwrap();
    let sent = outside.sent("/api/chat.postMessage").remove(0);
    assert_eq!((sent.bearer.as_deref(), sent.content_type.as_str()), (Some("xoxb-1"), "application/json; charset=utf-8"));
    check_body(&sent.body);
    let quiet = ["mrkdwn", "link_names", "unfurl_links", "unfurl_media"].map(|key| sent.body[key].clone());
    assert_eq!((quiet, &sent.body["channel"]), ([json!(false), json!(false), json!(false), json!(false)], &json!("C1AB")));

    assert_eq!(slack.say(Say::Answered, &answered(), 4, Some(&post)).await, Ok(Some(post.clone())));
    let sent = outside.sent("/api/chat.update").remove(0);
    check_body(&sent.body);
    assert_eq!((&sent.body["channel"], &sent.body["ts"]), (&json!("C1AB"), &json!(post.ts)));
    // A page is a message of its own: a change is not heard.
    slack.say(Say::Page, &subject(moved(asking("act-7"), EntryState::Indeterminate)), 4, Some(&post)).await.unwrap();
    assert_eq!(outside.sent("/api/chat.postMessage").len(), 2);
}

#[tokio::test]
async fn a_message_that_is_gone_is_posted_anew() {
    let outside = Outside::start().await;
    outside.script("/api/chat.update", 200, None, r#"{"ok":false,"error":"message_not_found"}"#);
    let old = PostRef { channel: "C1AB".into(), ts: "1.1".into() };
    let new = bot(&outside).say(Say::Over, &answered(), 4, Some(&old)).await.unwrap().unwrap();
    assert_ne!(new, old);
    assert_eq!(outside.sent("/api/chat.postMessage").len(), 1);
}

#[tokio::test]
async fn a_webhook_takes_messages_and_gives_nothing_to_change_them_by() {
    let outside = Outside::start().await;
    let slack = slack(Way::webhook(&Secret::new(outside.url("/hook/secret"))).unwrap());
    assert_eq!(slack.say(Say::Ask, &question(), 4, None).await, Ok(None));
    assert_eq!(slack.say(Say::Answered, &answered(), 4, None).await, Ok(None));
    let sent = outside.sent("/hook");
    assert_eq!((sent.len(), sent[0].bearer.as_deref(), sent[0].body.get("channel")), (2, None, None));
    sent.iter().for_each(|s| check_body(&s.body));
}

#[tokio::test]
async fn a_rate_limit_is_kept() {
    let outside = Outside::start().await;
    outside.script("/api/chat.postMessage", 429, Some(("retry-after", "1".into())), r#"{"ok":false,"error":"ratelimited"}"#);
    bot(&outside).say(Say::Ask, &question(), 4, None).await.unwrap();
    let sent = outside.sent("/api/chat.postMessage");
    assert_eq!(sent.len(), 2);
    assert!(sent[1].at - sent[0].at >= Duration::from_millis(990), "{:?}", sent[1].at - sent[0].at);
    // A wait that is too long for one call is handed on.
    outside.script("/api/chat.postMessage", 429, Some(("retry-after", "90".into())), "");
    let error = bot(&outside).say(Say::Ask, &question(), 4, None).await.unwrap_err();
    assert!(matches!(error, PortError::Full { retry_after_ms: 90_000, .. }), "{error}");
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_refused_at_once() {
    let outside = Outside::start().await;
    for body in [r#"{"ok":false,"error":"internal_error"}"#, "<html>"] {
        outside.script("/api/chat.postMessage", 200, None, body);
    }
    bot(&outside).say(Say::Ask, &question(), 4, None).await.unwrap();
    assert_eq!(outside.sent("/api/chat.postMessage").len(), 3);

    outside.script("/api/chat.postMessage", 200, None, r#"{"ok":false,"error":"invalid_auth"}"#);
    let error = bot(&outside).say(Say::Ask, &question(), 4, None).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused { why, .. } if why.contains("invalid_auth")), "{error}");
    assert_eq!(outside.sent("/api/chat.postMessage").len(), 4);
}

#[tokio::test]
async fn a_card_goes_to_the_workflow() {
    let outside = Outside::start().await;
    assert_eq!(teams(&outside).say(Say::Ask, &question(), 4, None).await, Ok(None));
    let sent = outside.sent("/teams").remove(0);
    check_card(&sent.body);
    assert_eq!(sent.content_type, "application/json; charset=utf-8");
    teams(&outside).say(Say::Gone, &Subject::Gone("act-7".into()), 0, None).await.unwrap();
    check_card(&outside.sent("/teams")[1].body);
}

#[tokio::test]
async fn an_alert_is_raised_and_resolved_under_one_key() {
    let outside = Outside::start().await;
    let pagerduty = pagerduty(&outside);
    pagerduty.say(Say::Raise, &question(), 4, None).await.unwrap();
    pagerduty.say(Say::Resolve, &subject(moved(asking("act-7"), EntryState::Settled)), 4, None).await.unwrap();
    let sent = outside.sent("/pagerduty");
    let (raised, resolved) = (&sent[0].body, &sent[1].body);
    assert_eq!((&raised["routing_key"], &raised["event_action"]), (&json!(ROUTING_KEY), &json!("trigger")));
    let payload = &raised["payload"];
    let summary = payload["summary"].as_str().unwrap();
    assert!(summary.contains("restart east/shop/cart") && summary.len() <= 1024);
    assert_eq!((&payload["severity"], &payload["source"], &payload["component"]), (&json!("error"), &json!("east"), &json!("cart")));
    assert_eq!(payload["timestamp"], "2025-10-09T08:53:20Z");
    assert_eq!(payload["custom_details"]["Why"], "cart leaks memory since 09:40; a restart gives it back");
    assert_eq!(raised["links"][0]["href"], "https://picket.example/#/entry/act-7");
    let key = raised["dedup_key"].as_str().unwrap();
    assert!(key.contains("act-7") && key.len() <= 255);
    assert_eq!(*resolved, json!({ "routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": key }));
}

#[tokio::test]
async fn pagerduty_is_asked_again_on_429_and_5xx_and_not_on_400() {
    let outside = Outside::start().await;
    for status in [500, 429] {
        outside.script("/pagerduty", status, None, "");
    }
    pagerduty(&outside).say(Say::Raise, &question(), 4, None).await.unwrap();
    assert_eq!(outside.sent("/pagerduty").len(), 3);
    outside.script("/pagerduty", 400, None, r#"{"status":"invalid event","errors":["Length of 'routing_key' is incorrect"]}"#);
    let error = pagerduty(&outside).say(Say::Raise, &question(), 4, None).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused { why, .. } if why.contains("400") && why.contains("routing_key")), "{error}");
    assert_eq!(outside.sent("/pagerduty").len(), 4);
    for down in 0..3 {
        outside.script("/pagerduty", 503, None, &format!("down {down}"));
    }
    let error = pagerduty(&outside).say(Say::Raise, &question(), 4, None).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{error}");
    assert_eq!(outside.sent("/pagerduty").len(), 7);
}

#[tokio::test]
async fn nobody_sends_a_secret_elsewhere_by_a_redirect() {
    let outside = Outside::start().await;
    outside.script("/pagerduty", 307, Some(("location", outside.url("/stolen"))), "");
    let error = pagerduty(&outside).say(Say::Raise, &question(), 4, None).await.unwrap_err();
    assert!(matches!(error, PortError::Refused { .. }), "{error}");
    assert!(outside.sent("/stolen").is_empty());
}

#[tokio::test]
async fn nobody_at_home_is_an_error_without_the_address() {
    // A port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let http = Http::new(Duration::from_secs(5), Backoff { base_ms: 1, cap_ms: 1, attempts: 2 }).unwrap();
    let webhook = Secret::new(format!("http://127.0.0.1:{port}/services/secret-part"));
    let teams = TeamsDelivery::new(http, &webhook, dashboard(), clock()).unwrap();
    let error = teams.say(Say::Ask, &question(), 4, None).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret-part"), "{error}");
}

#[test]
fn a_key_that_is_none_is_refused_before_anything_is_sent() {
    for key in ["", "short", "0123456789abcdef0123456789abcde!"] {
        let made = PagerDutyDelivery::new(quick_http(), "https://events.pagerduty.com/v2/enqueue", Secret::new(key), dashboard(), clock());
        let Err(error) = made else { panic!("`{key}` was taken") };
        assert!(key.is_empty() || !error.to_string().contains(key));
    }
}
