//! What a button carries: which question it answers, sealed under a key of picket's own, so that nobody can make one up and none outlives
//! its question.

use picket_core::action::Digest;
use picket_core::ids::EntryId;
use picket_core::ports::{PortError, PortResult};
use picket_core::time::Timestamp;
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Longest `value` that Slack takes.
pub const VALUE_UNITS_MAX: usize = 2000;
/// Tells this use of the key from any other.
const DOMAIN: &[u8] = b"picket chatops button 1";

/// What a press asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

impl Verb {
    /// Its name in request ids and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }

    /// The button's `action_id`.
    #[must_use]
    pub const fn action_id(self) -> &'static str {
        match self {
            Self::Approve => "picket_approve",
            Self::Deny => "picket_deny",
        }
    }

    /// Reads an `action_id`.
    #[must_use]
    pub fn of_action(id: &str) -> Option<Self> {
        [Self::Approve, Self::Deny].into_iter().find(|verb| verb.action_id() == id)
    }
}

/// The question that a button answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which entry.
    pub entry: EntryId,
    /// What was shown.
    pub digest: Digest,
    /// The stop epoch that was shown.
    pub stop_epoch: u64,
    /// When it runs out (run clock, the coordinator's).
    pub expires: Timestamp,
}

/// Why a button does nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ButtonRefused {
    /// Not a value of this form.
    #[error("this button is not one of picket's")]
    Malformed,
    /// Not made under this key, or altered.
    #[error("this button was not made by this picket, or was altered")]
    Forged,
    /// Its question is over.
    #[error("the time to answer is over")]
    Expired,
}

/// The key that seals buttons.
#[derive(Clone)]
pub struct ButtonKey(hmac::Key);

impl fmt::Debug for ButtonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ButtonKey(hidden)")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u8,
    entry: EntryId,
    digest: Digest,
    stop: u64,
    exp: i64,
    mac: String,
}

impl ButtonKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Reads the key from a file, or makes it when there is none; only its owner may read it. Kept across restarts, so that buttons that
    /// stand in chats go on working.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be read or made, `Damaged` when it does not hold 32 bytes.
    pub fn read_or_make(path: &Path, random: &[u8; 32]) -> PortResult<Self> {
        let unavailable =
            |e: std::io::Error| PortError::Unavailable { what: format!("the button key {}", path.display()), why: e.to_string() };
        match std::fs::File::open(path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(33).read_to_end(&mut bytes).map_err(unavailable)?;
                let bytes: [u8; 32] = bytes.try_into().map_err(|_| PortError::Damaged {
                    what: format!("the button key {}", path.display()),
                    why: "it does not hold 32 bytes; remove it, and buttons that stand in chats stop working".to_owned(),
                })?;
                Ok(Self::new(&bytes))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_private(path, random).map_err(unavailable)?;
                Ok(Self::new(random))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The button's `value`; `None` when an id is so long that Slack would refuse it.
    #[must_use]
    pub fn seal(&self, verb: Verb, question: &Question) -> Option<String> {
        let Question { entry, digest, stop_epoch, expires } = question.clone();
        let mac = hex::encode(hmac::sign(&self.0, &sealed(verb, question)));
        let value = serde_json::to_string(&Value { v: 1, entry, digest, stop: stop_epoch, exp: expires.0, mac }).ok()?;
        (crate::text::units(&value) <= VALUE_UNITS_MAX).then_some(value)
    }

    /// The question of a button that was pressed, at `now` (run clock).
    ///
    /// # Errors
    /// When it is not a button of this key, or its question is over. A forged one is told from an expired one before its time is looked at.
    pub fn open(&self, verb: Verb, value: &str, now: Timestamp) -> Result<Question, ButtonRefused> {
        if value.len() > 2 * VALUE_UNITS_MAX {
            return Err(ButtonRefused::Malformed);
        }
        let value: Value = serde_json::from_str(value).map_err(|_| ButtonRefused::Malformed)?;
        let mut tag = [0_u8; 32];
        if value.v != 1 || hex::decode_to_slice(&value.mac, &mut tag).is_err() {
            return Err(ButtonRefused::Malformed);
        }
        let question = Question { entry: value.entry, digest: value.digest, stop_epoch: value.stop, expires: Timestamp(value.exp) };
        hmac::verify(&self.0, &sealed(verb, &question), &tag).map_err(|_| ButtonRefused::Forged)?;
        if now > question.expires { Err(ButtonRefused::Expired) } else { Ok(question) }
    }
}

/// Every part with its length before it: no two questions have the same bytes.
fn sealed(verb: Verb, question: &Question) -> Vec<u8> {
    let (stop, expires) = (question.stop_epoch.to_be_bytes(), question.expires.0.to_be_bytes());
    let parts = [DOMAIN, verb.as_str().as_bytes(), question.entry.0.as_bytes(), question.digest.0.as_bytes(), &stop, &expires];
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied())).collect()
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn question() -> Question {
        Question { entry: "act-7".into(), digest: Digest::of(b"work"), stop_epoch: 3, expires: Timestamp(1000) }
    }

    #[test]
    fn a_button_opens_until_its_question_is_over() {
        let key = ButtonKey::new(&[7; 32]);
        let value = key.seal(Verb::Approve, &question()).unwrap();
        assert_eq!(key.open(Verb::Approve, &value, Timestamp(1000)), Ok(question()));
        assert_eq!(key.open(Verb::Approve, &value, Timestamp(1001)), Err(ButtonRefused::Expired));
        assert_eq!(format!("{key:?}"), "ButtonKey(hidden)");
    }

    #[test]
    fn a_button_that_was_altered_does_nothing() {
        let key = ButtonKey::new(&[7; 32]);
        let value = key.seal(Verb::Deny, &question()).unwrap();
        let other = Digest::of(b"other work").0;
        let altered = [
            value.replace("act-7", "act-8"),
            value.replace(&question().digest.0, &other),
            value.replace("\"stop\":3", "\"stop\":4"),
            value.replace("\"exp\":1000", "\"exp\":9000"),
        ];
        for altered in altered {
            assert_ne!(altered, value);
            assert_eq!(key.open(Verb::Deny, &altered, Timestamp(0)), Err(ButtonRefused::Forged), "{altered}");
        }
        // A no is not a yes.
        assert_eq!(key.open(Verb::Approve, &value, Timestamp(0)), Err(ButtonRefused::Forged));
        assert_eq!(ButtonKey::new(&[8; 32]).open(Verb::Deny, &value, Timestamp(0)), Err(ButtonRefused::Forged));
    }

    #[test]
    fn an_id_that_no_button_can_carry_has_none() {
        let long = Question { entry: "a".repeat(2000).into(), ..question() };
        assert_eq!(ButtonKey::new(&[7; 32]).seal(Verb::Deny, &long), None);
    }

    #[test]
    fn the_key_outlives_the_process_and_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("button.key");
        let value = ButtonKey::read_or_make(&path, &[1; 32]).unwrap().seal(Verb::Approve, &question()).unwrap();
        let again = ButtonKey::read_or_make(&path, &[2; 32]).unwrap();
        assert!(again.open(Verb::Approve, &value, Timestamp(0)).is_ok());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(ButtonKey::read_or_make(&path, &[2; 32]), Err(PortError::Damaged { .. })));
    }

    proptest! {
        #[test]
        fn no_value_at_all_is_a_panic_or_a_yes(value in "\\PC{0,300}") {
            prop_assert!(ButtonKey::new(&[7; 32]).open(Verb::Approve, &value, Timestamp(0)).is_err());
        }
    }
}
