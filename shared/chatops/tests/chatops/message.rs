//! Messages: valid, complete, and inert whatever telemetry says.

use super::entries::{ANSWER_MS, START, asking, mild, moved, through};
use super::slack_shape::{all_text, check_blocks, check_body, value_of};
use picket_chatops::bridge::decide::Say;
use picket_chatops::dashboard_link::Dashboard;
use picket_chatops::slack::button::{ButtonKey, Verb};
use picket_chatops::slack::message::{Scene, message, whisper};
use picket_chatops::summary::Summary;
use picket_chatops::teams::card::card;
use picket_core::action::{Action, Remediation};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::ServiceId;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::outcome::{Outcome, Report};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const SAYS: [Say; 8] = [Say::Ask, Say::AskedAgain, Say::Answered, Say::Page, Say::Over, Say::Gone, Say::Raise, Say::Resolve];

fn dashboard() -> Dashboard {
    Dashboard::new("https://picket.example").unwrap()
}

fn shown(say: Say, entry: &LedgerEntry) -> Value {
    let (key, dashboard) = (ButtonKey::new(&[7; 32]), dashboard());
    let message = message(say, entry, Scene { key: Some(&key), dashboard: &dashboard, stop_epoch: 4, now: START });
    message.to_post(Some("C1AB"))
}

#[test]
fn a_question_says_all_that_a_person_needs() {
    let entry = asking("act-7");
    let body = shown(Say::Ask, &entry);
    check_body(&body);
    let text = all_text(&body);
    for needed in [
        "Approve? restart east/shop/cart",
        "cart leaks memory since 09:40; a restart gives it back",
        "Cause\nmemory leak",
        "Confidence\n93 %",
        "Severity\nSev-2 (the agent says Sev-3)",
        "2 pods unavailable at a time",
        "memory high, latency high; read 20 s ago",
        "severity is 2",
        &format!("Digest\n{}", &entry.digest.0[..12]),
        "Time left\n15 min 0 s",
        "<!date^1760000900^{time_secs}|",
        "act-7, wished by sre, incident inc-3",
        "https://picket.example/#/entry/act-7",
    ] {
        assert!(text.contains(needed), "{needed} is missing in {text}");
    }
}

#[test]
fn its_buttons_carry_the_question_sealed() {
    let (entry, key) = (asking("act-7"), ButtonKey::new(&[7; 32]));
    let body = shown(Say::Ask, &entry);
    for verb in [Verb::Approve, Verb::Deny] {
        let value = value_of(&body["blocks"], verb.action_id()).unwrap();
        let question = key.open(verb, &value, START).unwrap();
        assert_eq!((question.entry, question.digest, question.stop_epoch), (entry.id.clone(), entry.digest.clone(), 4));
        assert_eq!(question.expires, START.plus_ms(ANSWER_MS));
    }
}

#[test]
fn only_a_question_has_buttons_and_only_where_somebody_listens() {
    for say in SAYS {
        let has = value_of(&shown(say, &asking("act-7"))["blocks"], "picket_approve").is_some();
        assert_eq!(has, say == Say::Ask, "{say:?}");
    }
    let dashboard = dashboard();
    let deaf = message(Say::Ask, &asking("act-7"), Scene { key: None, dashboard: &dashboard, stop_epoch: 4, now: START });
    assert_eq!(value_of(&json!(deaf.blocks), "picket_approve"), None);
}

#[test]
fn a_decision_says_who_and_when_and_an_end_says_how() {
    let approved = LedgerEntry { approved_by: Some("human:kim".into()), ..moved(asking("act-7"), EntryState::Approved) };
    let text = all_text(&shown(Say::Answered, &approved));
    assert!(text.contains("Approved: restart") && text.contains("human:kim") && text.contains("08:53:21 UTC"), "{text}");

    let why = Violation::new(LimitRule::DeniedByHuman, None, "human:lee: not today");
    let denied = LedgerEntry { violations: vec![why], ..moved(asking("act-7"), EntryState::Denied) };
    let text = all_text(&shown(Say::Over, &denied));
    assert!(text.contains("Denied: restart") && text.contains("Denied by\nhuman:lee: not today"), "{text}");

    let outcome = Some(Outcome::Recovered { why: "p95 190 ms, was 900 ms".into() });
    let settled = LedgerEntry {
        outcome,
        ..through(approved, &[EntryState::Permitted, EntryState::Claimed, EntryState::Observing, EntryState::Settled])
    };
    let text = all_text(&shown(Say::Over, &settled));
    assert!(
        text.contains("Settled: restart") && text.contains("recovered: p95 190 ms, was 900 ms") && text.contains("human:kim"),
        "{text}"
    );
}

#[test]
fn a_page_says_what_is_known() {
    let report = Some(Report::CannotTell { why: "the version before is gone".into(), landed: None, fenced: true });
    let lost =
        LedgerEntry { report, ..through(mild(asking("act-7")), &[EntryState::Approved, EntryState::Claimed, EntryState::Indeterminate]) };
    let text = all_text(&shown(Say::Page, &lost));
    assert!(text.contains("Not knowable, please resolve: restart") && text.contains("cannot tell: the version before is gone"), "{text}");
}

/// An entry in which everything that comes from outside is hostile.
fn hostile(text: &str) -> LedgerEntry {
    let action = Action {
        service: ServiceId::new(text, text, text),
        remediation: Remediation::ExpandVolume { claim: text.to_owned(), size_bytes: u64::MAX },
    };
    let work = Work::Do { action: action.clone() };
    let mut entry = asking("act-7");
    entry.digest = work.digest();
    entry.work = work;
    entry.proposal.action = action;
    entry.proposal.sentence = text.to_owned();
    entry.proposal.incident = text.into();
    entry.proposal.confidence = f64::NAN;
    entry.approved_by = Some(text.to_owned());
    entry.violations = vec![Violation::new(LimitRule::Oscillation, None, text); 20];
    entry.outcome = Some(Outcome::Regressed { why: text.to_owned() });
    entry.report = Some(Report::NoEffect { why: text.to_owned() });
    entry
}

const HOSTILE: [&str; 7] = [
    "<!channel> <!here> <@U1AB> <#C1AB> <!subteam^S1>",
    "<https://evil.example|Approve here> & <mailto:a@b|x>",
    "*bold* _it_ ~no~ `code` ```block``` > quote\n# head\n:fire:",
    "https://evil.example www.evil.example WWW.evil.example http://a",
    "&lt;!channel&gt; &amp;lt;",
    "[click](https://evil.example) <at>Everyone</at> ![x](y)",
    "\u{202e}evorppa\u{202c} \u{200b}\u{0} \u{7}\r\n\tx",
];

#[test]
fn telemetry_makes_no_mention_no_link_and_no_markup() {
    for text in HOSTILE {
        let long = text.repeat(400);
        for text in [text, &long] {
            for state in EntryState::ALL {
                let entry = moved(hostile(text), state);
                for say in SAYS {
                    // The checks of the shape look at every text: no control sequence, no address, nothing too long.
                    check_body(&shown(say, &entry));
                }
            }
        }
    }
}

#[test]
fn a_whisper_is_inert_too() {
    for text in HOSTILE {
        let body = whisper(text);
        check_blocks(&body["blocks"]);
        assert_eq!((&body["response_type"], &body["replace_original"]), (&json!("ephemeral"), &json!(false)));
    }
}

#[test]
fn an_id_that_is_too_long_for_a_button_leaves_the_link() {
    let body = shown(Say::Ask, &asking(&"a".repeat(2500)));
    // The link is too long for Slack as well, but ids are the coordinator's own: what counts is that no button is cut in two.
    assert_eq!(value_of(&body["blocks"], "picket_approve"), None);
}

/// The documented shape of a Workflows webhook's body with an Adaptive Card 1.4.
pub fn check_card(body: &Value) {
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    for element in card["body"].as_array().unwrap() {
        match element["type"].as_str().unwrap() {
            "RichTextBlock" => {
                let inline = &element["inlines"][0];
                assert!(inline["type"] == "TextRun" && !inline["text"].as_str().unwrap().is_empty(), "{element}");
            }
            "FactSet" => {
                for fact in element["facts"].as_array().unwrap() {
                    let value = fact["value"].as_str().unwrap();
                    assert!(!fact["title"].as_str().unwrap().is_empty(), "{fact}");
                    for (at, _) in value.match_indices(['[', ']', '*', '_', '`', '(']) {
                        assert!(at > 0 && value.as_bytes()[at - 1] == b'\\', "Markdown in {value}");
                    }
                    assert!(!value.contains(['<', '>']) && !value.contains("://"), "{value}");
                }
            }
            other => panic!("{other} is none of the elements that read no markup"),
        }
    }
    assert!(body.to_string().len() < 28 << 10, "a workflow takes 28 KB");
}

#[test]
fn a_card_has_facts_and_one_button_that_leads_to_the_dashboard() {
    let entry = asking("act-7");
    let body = card(&Summary::of(Say::Ask, &entry, START), &entry.id, &dashboard());
    check_card(&body);
    let card = &body["attachments"][0]["content"];
    let facts = card["body"].as_array().unwrap().iter().find(|e| e["type"] == "FactSet").unwrap();
    assert!(facts["facts"].as_array().unwrap().contains(&json!({ "title": "Cause", "value": "memory leak" })));
    let open = json!([{ "type": "Action.OpenUrl", "title": "Open the dashboard", "url": "https://picket.example/#/entry/act-7" }]);
    assert_eq!(card["actions"], open);
}

#[test]
fn a_card_is_inert_whatever_telemetry_says() {
    for text in HOSTILE {
        let long = text.repeat(400);
        for text in [text, &long] {
            for say in SAYS {
                let entry = hostile(text);
                check_card(&card(&Summary::of(say, &entry, START), &entry.id, &dashboard()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_at_any_time_makes_a_valid_message(text in "\\PC{0,400}|[<>&!@:/a]{0,80}", now in any::<i64>(), deadline in any::<i64>()) {
        let (key, dashboard) = (ButtonKey::new(&[7; 32]), dashboard());
        let mut entry = hostile(&text);
        entry.deadline = Some(Timestamp(deadline));
        for say in SAYS {
            let message = message(say, &entry, Scene { key: Some(&key), dashboard: &dashboard, stop_epoch: 4, now: Timestamp(now) });
            // Times that Slack cannot show stand in plain words, which the shape's check does not know: those are left out here.
            if (1000..4_000_000_000_000).contains(&deadline) {
                check_body(&message.to_post(None));
            }
            check_card(&card(&Summary::of(say, &entry, Timestamp(now)), &entry.id, &dashboard));
        }
    }
}
