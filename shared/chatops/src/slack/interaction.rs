//! Reads what Slack sends when a button is pressed: `payload=` of `block_actions`, form-encoded
//! (Slack, "block_actions payload").

use super::button::{ButtonKey, ButtonRefused, Question, Verb};
use super::response_url::{ResponseOrigin, ResponseUrl};
use crate::people::SlackUser;
use picket_core::action::Digest;
use picket_core::ids::{EntryId, RequestId};
use picket_core::time::Timestamp;
use serde::Deserialize;

/// The link button: Slack tells of its press too, and only wants to hear that it was heard.
pub const OPEN_ACTION_ID: &str = "picket_open";

/// Whose presses are taken.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Workspace id; `None` for any.
    pub team: Option<String>,
    /// App id; `None` for any.
    pub app: Option<String>,
    /// Where answers may go.
    pub origin: ResponseOrigin,
}

/// Why a payload is not a press.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPress {
    /// Not the form that Slack documents.
    #[error("the payload is malformed: {0}")]
    Malformed(String),
    /// Of another workspace or app.
    #[error("the payload is of another {0} than the configured one")]
    Foreign(&'static str),
}

/// What was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Interaction {
    /// A button that decides, not opened yet.
    Press(Box<SealedPress>),
    /// Something else that needs no answer, such as the link to the dashboard.
    Other,
}

/// A press whose button was not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedPress {
    /// Who pressed.
    pub user: SlackUser,
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    verb: Verb,
    value: String,
    action_ts: String,
    pressed_at: Timestamp,
}

/// A press of a button that picket made and whose question is open: made by [`SealedPress::open`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Press {
    /// Who pressed, as Slack signed it.
    pub user: SlackUser,
    /// What is asked.
    pub verb: Verb,
    /// Which entry.
    pub entry: EntryId,
    /// What was shown.
    pub digest: Digest,
    /// The stop epoch that was shown.
    pub stop_epoch: u64,
    /// When the question runs out (run clock).
    pub expires: Timestamp,
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    /// When it was pressed, by Slack's clock.
    pub pressed_at: Timestamp,
    /// The same for every delivery of the same press.
    pub request_id: RequestId,
}

impl SealedPress {
    /// What is asked.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// Checks the button at `now` (run clock).
    ///
    /// # Errors
    /// When it was not made under this key, was altered, or its question is over.
    pub fn open(self, key: &ButtonKey, now: Timestamp) -> Result<Press, ButtonRefused> {
        let Question { entry, digest, stop_epoch, expires } = key.open(self.verb, &self.value, now)?;
        let once = [self.action_ts.as_str(), self.user.as_str(), self.verb.as_str(), entry.as_str(), digest.0.as_str()].join("|");
        let request_id = RequestId(format!("slack-{}-{}", self.verb.as_str(), &Digest::of(once.as_bytes()).0[..32]));
        let Self { user, response_url, verb, pressed_at, .. } = self;
        Ok(Press { user, verb, entry, digest, stop_epoch, expires, response_url, pressed_at, request_id })
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: Option<Named>,
    team: Option<Named>,
    api_app_id: Option<String>,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    value: Option<String>,
    action_ts: Option<String>,
}

/// Reads the body of a request whose signature holds.
///
/// # Errors
/// [`NotAPress`] for everything that is not of the documented form, is not from the expected workspace and app, or would be answered elsewhere
/// than at Slack.
pub fn read(body: &[u8], expected: &Expected) -> Result<Interaction, NotAPress> {
    let malformed = |why: &str| NotAPress::Malformed(why.to_owned());
    let payload = {
        let mut payloads = form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
        let first = payloads.next().ok_or_else(|| malformed("no `payload`"))?.1;
        if payloads.next().is_some() {
            return Err(malformed("more than one `payload`"));
        }
        first
    };
    // The error of the parser repeats parts of what it read: only its place is told.
    let payload: Payload = serde_json::from_str(&payload)
        .map_err(|e| NotAPress::Malformed(format!("not the JSON of an interaction (column {})", e.column())))?;
    let is = |wanted: &Option<String>, got: Option<&str>| wanted.as_deref().is_none_or(|wanted| got == Some(wanted));
    if !is(&expected.team, payload.team.as_ref().map(|t| t.id.as_str())) {
        return Err(NotAPress::Foreign("workspace"));
    }
    if !is(&expected.app, payload.api_app_id.as_deref()) {
        return Err(NotAPress::Foreign("app"));
    }
    if payload.kind != "block_actions" {
        return Ok(Interaction::Other);
    }
    let [action] = payload.actions.as_slice() else { return Err(malformed("not exactly one action")) };
    if action.action_id == OPEN_ACTION_ID {
        return Ok(Interaction::Other);
    }
    let verb = Verb::of_action(&action.action_id).ok_or_else(|| malformed("an action that picket does not know"))?;
    let user = payload.user.ok_or_else(|| malformed("no user"))?;
    let user = SlackUser::new(&user.id).map_err(|why| NotAPress::Malformed(format!("the user {why}")))?;
    let response_url = payload.response_url.ok_or_else(|| malformed("no response_url"))?;
    let response_url = expected.origin.check(&response_url).map_err(NotAPress::Malformed)?;
    let value = action.value.clone().ok_or_else(|| malformed("a button without a value"))?;
    let action_ts = action.action_ts.clone().ok_or_else(|| malformed("no action_ts"))?;
    let pressed_at = timestamp(&action_ts).ok_or_else(|| malformed("an action_ts that is no time"))?;
    Ok(Interaction::Press(Box::new(SealedPress { user, response_url, verb, value, action_ts, pressed_at })))
}

/// `1548426417.840180`: seconds and a fraction, as Slack writes times.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (s, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str, max: usize| !t.is_empty() && t.len() <= max && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(s, 12) || !digits(fraction, 9) {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(Timestamp(s.parse::<i64>().ok()? * 1000 + ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn expected() -> Expected {
        Expected { team: Some("T1AB".into()), app: Some("A1AB".into()), origin: ResponseOrigin::new("https://hooks.slack.com").unwrap() }
    }

    fn key() -> ButtonKey {
        ButtonKey::new(&[7; 32])
    }

    fn question() -> Question {
        Question { entry: "act-7".into(), digest: Digest::of(b"work"), stop_epoch: 3, expires: Timestamp(1000) }
    }

    fn payload() -> Value {
        json!({
            "type": "block_actions", "api_app_id": "A1AB", "trigger_id": "12466734323.1395872398",
            "team": { "id": "T1AB", "domain": "ops" }, "user": { "id": "U1AB", "username": "kim", "team_id": "T1AB" },
            "container": { "type": "message", "message_ts": "1548261231.000200", "channel_id": "C1AB", "is_ephemeral": false },
            "channel": { "id": "C1AB", "name": "ops" }, "response_url": "https://hooks.slack.com/actions/T1AB/1/2",
            "actions": [{
                "type": "button", "block_id": "b", "action_id": "picket_approve", "text": { "type": "plain_text", "text": "Approve" },
                "value": key().seal(Verb::Approve, &question()).unwrap(), "action_ts": "1548426417.840180",
            }],
        })
    }

    fn form(payload: &Value) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish().into_bytes()
    }

    fn with(pointer: &str, value: Value) -> Result<Interaction, NotAPress> {
        let mut altered = payload();
        *altered.pointer_mut(pointer).unwrap() = value;
        read(&form(&altered), &expected())
    }

    fn pressed() -> SealedPress {
        match read(&form(&payload()), &expected()).unwrap() {
            Interaction::Press(press) => *press,
            Interaction::Other => panic!("not a press"),
        }
    }

    #[test]
    fn a_press_says_who_and_what() {
        let press = pressed().open(&key(), Timestamp(0)).unwrap();
        assert_eq!((press.user.as_str(), press.verb, press.stop_epoch), ("U1AB", Verb::Approve, 3));
        assert_eq!((press.entry, press.digest, press.pressed_at), ("act-7".into(), Digest::of(b"work"), Timestamp(1_548_426_417_840)));
        assert!(press.request_id.0.starts_with("slack-approve-") && press.request_id.0.len() <= 64);
    }

    #[test]
    fn the_same_press_has_the_same_request_id_and_another_has_not() {
        let id = |press: SealedPress| press.open(&key(), Timestamp(0)).unwrap().request_id;
        assert_eq!(id(pressed()), id(pressed()));
        let Interaction::Press(later) = with("/actions/0/action_ts", json!("1548426417.840181")).unwrap() else { panic!() };
        let Interaction::Press(other) = with("/user/id", json!("U2AB")).unwrap() else { panic!() };
        assert_ne!(id(pressed()), id(*later));
        assert_ne!(id(pressed()), id(*other));
    }

    #[test]
    fn what_is_not_a_press_is_told_apart() {
        assert_eq!(with("/actions/0/action_id", json!(OPEN_ACTION_ID)), Ok(Interaction::Other));
        assert_eq!(with("/type", json!("message_action")), Ok(Interaction::Other));
        assert_eq!(with("/team/id", json!("T2AB")), Err(NotAPress::Foreign("workspace")));
        assert_eq!(with("/team", Value::Null), Err(NotAPress::Foreign("workspace")));
        assert_eq!(with("/api_app_id", json!("A2AB")), Err(NotAPress::Foreign("app")));
        for (pointer, value) in [
            ("/actions", json!([])),
            ("/actions/0/action_id", json!("other")),
            ("/actions/0/value", Value::Null),
            ("/actions/0/action_ts", json!("soon")),
            ("/user", Value::Null),
            ("/user/id", json!("<!channel>")),
            ("/response_url", json!("https://evil.example/")),
            ("/response_url", Value::Null),
        ] {
            assert!(matches!(with(pointer, value.clone()), Err(NotAPress::Malformed(_))), "{pointer} {value}");
        }
        for body in [&b""[..], b"payload=", b"payload=%7B", b"payload=[]", b"other=1", b"payload={}&payload={}", b"\xff\xfe"] {
            assert!(matches!(read(body, &expected()), Err(NotAPress::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_are_a_panic_or_a_press(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
            let wrapped = [b"payload=", bytes.as_slice()].concat();
            for body in [bytes.as_slice(), &wrapped, &form(&Value::String(text.clone())), &form(&json!({ "type": text, "actions": [{}] }))] {
                let read = read(body, &expected());
                prop_assert!(!matches!(read, Ok(Interaction::Press(_))));
            }
        }

        #[test]
        fn no_changed_byte_of_a_press_is_a_panic(at in 0usize..600, byte in any::<u8>()) {
            let mut body = form(&payload());
            let at = at % body.len();
            body[at] = byte;
            if let Ok(Interaction::Press(press)) = read(&body, &expected()) {
                // Whatever it is, it opens to the question that was sealed, or not at all.
                if let Ok(press) = press.open(&key(), Timestamp(0)) {
                    prop_assert_eq!(press.digest, question().digest);
                    prop_assert_eq!(press.entry, question().entry);
                }
            }
        }
    }
}
